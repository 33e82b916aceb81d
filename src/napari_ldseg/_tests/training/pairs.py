"""A small model, small annotated images, and a quick training."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...config import InputConfig, TrainConfig
from ...data import Image, write_ome
from ...datasets import Pair
from ...networks import LDSeg
from ...training import TrainProgress
from ..builders import make_disk, make_tiny_model

QUICK = TrainConfig.for_fine_tuning(
    learn="denoiser", denoiser_steps=4, autoencoder_steps=3, batch=2, crop=(16, 16), validate_every=2,
    validation_samples=1, validation=0.3, device="cpu",
)  # fmt: skip


def a_model(ndim: int = 2, **network: object) -> LDSeg:
    """A tiny model that sees a pixel of 1 micrometer."""
    model = make_tiny_model(ndim, **network)
    side = model.config.input.shape
    seen = InputConfig(mode="spacing", shape=side, spacing=(1.0,) * ndim, source_spacing=(1.0,) * ndim)
    model.config = model.config.replace(input=seen.model_dump())
    return model


def write_case(folder: Path, name: str, labels: NDArray[Any], *, ndim: int = 2) -> Pair:
    """An image of noise, as large as ``labels``, beside them."""
    seed = sum(map(ord, name))
    pixels = np.random.default_rng(seed).integers(0, 255, (*(32,) * ndim, 3), dtype=np.uint8)
    write_ome(folder / f"{name}.ome.tif", Image(pixels, "zyxc"[-1 - ndim :], (1.0,) * ndim, "micrometer"))
    letters = "zyx"[-labels.ndim :]
    write_ome(folder / f"{name}_labels.ome.tif", Image(labels, letters, (1.0,) * labels.ndim, "micrometer"))
    return Pair(folder / f"{name}.ome.tif", folder / f"{name}_labels.ome.tif", name)


def some_pairs(folder: Path, count: int = 3, high: int = 1) -> list[Pair]:
    return [write_case(folder, f"i{n}", make_disk(2, 32, 6 + n) * np.uint8(high)) for n in range(count)]


def finish(run: Any) -> tuple[list[TrainProgress], LDSeg]:
    seen: list[TrainProgress] = []
    while True:
        try:
            seen.append(next(run))
        except StopIteration as stop:
            return seen, stop.value
