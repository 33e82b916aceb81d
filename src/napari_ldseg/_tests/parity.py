"""Compare the stored outputs of the authors' implementation with ours: for a test and for the documentation."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..config import SamplerName
from ..diffusion import run_sampler
from ..exchange import import_keras
from ..networks import LDSeg

STEPS = 10
FLAVOURS: dict[str, SamplerName] = {"ddim": "ldseg-release", "ddpm": "ldseg-release-ddpm"}


class Row(NamedTuple):
    """One line of the parity table; ``tolerance`` bounds ``found`` from above."""

    what: str
    found: float
    tolerance: float


def channels_first(array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.moveaxis(array, -1, 1).astype(np.float32))


def relative(found: Tensor, expected: Tensor) -> float:
    """Largest difference as a share of the largest absolute value."""
    return float((found - expected).abs().max() / expected.abs().max())


def trajectory(model: LDSeg, stored: dict[str, NDArray[Any]], name: SamplerName) -> list[Tensor]:
    condition = model.condition(channels_first(stored["embedding"]))
    return list(
        run_sampler(
            name,
            STEPS,
            lambda latent, t: model.predict(latent, torch.full((1,), t), condition),
            channels_first(stored["z_T"]),
            model.config.diffusion,
            noise=lambda step: channels_first(stored["noise"][step]),
        )
    )


@torch.no_grad()
def parity_rows(folder: Path) -> Iterator[Row]:
    """Import the folder's Keras files and compare all that its ``reference.npz`` stores.

    Label maps are compared for the first of the two images alone, because decoding is most of the work.
    """
    model = import_keras(folder)
    with np.load(folder / "reference.npz") as file:
        stored = dict(file)
    labels = torch.from_numpy(stored["labels"].astype(np.int64))
    masks = F.one_hot(labels, model.config.network.classes).movedim(-1, 1).float()
    yield Row("latent", relative(model.encode(masks), channels_first(stored["latent"])), 1e-4)
    embedding, _ = model.embed(channels_first(stored["image"]))
    yield Row("embedding", relative(embedding, channels_first(stored["embedding"])), 1e-4)
    probabilities = model.decode(channels_first(stored["latent"])).softmax(dim=1)
    expected = channels_first(stored["prob"])
    yield Row("prob", relative(probabilities, expected), 1e-4)
    yield Row("labels that differ", _differing(probabilities, expected), 1e-3)
    noise = model.predict(
        channels_first(stored["z_t"]),
        torch.from_numpy(stored["t"]),
        model.condition(channels_first(stored["embedding"])),
    )
    yield Row("eps", relative(noise, channels_first(stored["eps"])), 1e-4)
    for flavour, name in FLAVOURS.items():
        steps = trajectory(model, stored, name)
        references = [channels_first(step) for step in stored[flavour][1:]]
        assert len(steps) == len(references)
        worst = max(relative(step, reference) for step, reference in zip(steps, references, strict=True))
        yield Row(f"{flavour}, {STEPS} steps, worst", worst, 1e-3)
        ours, theirs = (model.decode(latent[:1]) for latent in (steps[-1], references[-1]))
        yield Row(f"{flavour}, labels that differ", _differing(ours, theirs), 1e-3)


def _differing(found: Tensor, expected: Tensor) -> float:
    return float((found.argmax(dim=1) != expected.argmax(dim=1)).float().mean())
