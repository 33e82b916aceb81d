"""Small arrays, files and models with names, for all tests."""

import json
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import PIL.Image
import torch
from numpy.typing import NDArray

from .._util import follow
from ..config import InputConfig, MeasureConfig, ModelConfig, NetworkConfig
from ..inference import Segmentation
from ..measure import Measured, Measurement, measure_objects
from ..networks import LDSeg

Result = TypeVar("Result")


def make_ramp(shape: tuple[int, ...], dtype: Any = np.uint8) -> NDArray[Any]:
    """0, 1, 2, ... row by row, modulo 251 (a prime, so that no two axes can be exchanged unseen)."""
    return (np.arange(np.prod(shape)) % 251).reshape(shape).astype(dtype)


def make_two_boxes(ndim: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Two masks on a grid of 10 a side, each one box of 4 a side, shifted by 2 along x: half of each box overlaps."""
    first, second = np.zeros((2, *(10,) * ndim), np.uint8)
    first[(slice(2, 6),) * ndim] = 1
    second[(*(slice(2, 6),) * (ndim - 1), slice(4, 8))] = 1
    return first, second


def make_disk(ndim: int, side: int = 16, radius: float = 5.0) -> NDArray[np.uint8]:
    """A disk or ball of ones in the middle of a cube of zeros."""
    grid = np.indices((side,) * ndim) - (side - 1) / 2
    return np.asarray((grid**2).sum(axis=0) <= radius**2, np.uint8)


def make_row() -> NDArray[np.uint8]:
    """On 12 x 20 pixels two boxes of class 1, 4 x 4 and 4 x 6, four pixels apart, and a pixel of class 2."""
    labels = np.zeros((12, 20), np.uint8)
    labels[2:6, 2:6] = 1
    labels[2:6, 10:16] = 1
    labels[9, 9] = 2
    return labels


def mean_of(result: Segmentation | None) -> NDArray[np.float32]:
    """The mean map, which a result in memory has."""
    assert result is not None
    assert result.mean is not None
    return result.mean


def measured_to_end(source: Measured, config: MeasureConfig) -> list[Measurement]:
    return follow(measure_objects(source, config))


def save_picture(path: Path, array: NDArray[Any]) -> Path:
    """Write a PNG, JPEG, BMP or GIF by Pillow; makes the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(array).save(path)
    return path


def make_tiny_config(ndim: int = 2, **network_changes: object) -> ModelConfig:
    """A model of 4 pixels a cell that sees 32 pixels (2D) or 16 (3D) a side; RGB and two classes unless changed."""
    network = NetworkConfig.parse(
        {
            "ndim": ndim,
            "mask_widths": (8, 8),
            "decoder_widths": (8, 8),
            "image_widths": (8, 8),
            "denoiser_widths": (8, 16),
            "denoiser_attention": (False, True),
            "denoiser_blocks": 1,
            **network_changes,
        }
    )
    channels = {1: "grayscale", 3: "rgb"}.get(network.image_channels, "any")
    side = {2: 32, 3: 16}[ndim]
    return ModelConfig.parse(
        {
            "name": f"tiny-{ndim}d",
            "title": "Nothing: it is untrained",
            "class_names": ("background", "foreground", *(f"class {i}" for i in range(2, network.classes))),
            "network": network,
            "input": InputConfig.parse({"shape": (side,) * ndim, "channels": channels}),
        }
    )


def make_tiny_model(ndim: int = 2, **network_changes: object) -> LDSeg:
    """An untrained model, the same at every call; no weight is zero, so that each of them shows in the output."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = LDSeg(make_tiny_config(ndim, **network_changes))
        for parameter in model.parameters():
            if not parameter.any():
                torch.nn.init.normal_(parameter, std=0.1)
    return model.eval().requires_grad_(False)


def split_safetensors(data: bytes) -> tuple[dict[str, Any], bytes]:
    """Header and tensors of a safetensors file."""
    end = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:end]), data[end:]


def join_safetensors(header: object, body: bytes) -> bytes:
    """The opposite of :func:`split_safetensors`."""
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body
