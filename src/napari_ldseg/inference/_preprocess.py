"""Turn the pixels of a frame into the tensor that the networks see, and maps back into pixels."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import ndimage
from skimage import transform
from torch import Tensor

from ..config import ModelConfig
from ..plan import Grid, Intensities, normalize_frame

# SDs of a Gaussian after which it is cut off.
TRUNCATE = 4.0


def resize_frame(values: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Resize each channel of (C, (Z), Y, X) to ``shape`` linearly, after smoothing if it shrinks."""
    if values.shape[1:] == shape:
        return values
    shrinks = any(a < b for a, b in zip(shape, values.shape[1:], strict=True))
    return np.stack(
        [
            transform.resize(channel, shape, order=1, mode="reflect", anti_aliasing=shrinks, preserve_range=True)
            for channel in values
        ]
    ).astype(np.float32)


def prepare(
    pixels: NDArray[Any],
    grid: Grid,
    config: ModelConfig,
    name: str = "the image",
    scale: Intensities | None = None,
    smoothing: float = 0.0,
) -> Tensor:
    """Turn one frame (C, *source) into the float32 tensor (1, image_channels, *outer) that the networks see.

    ``smoothing`` is the SD of a Gaussian, in pixels of the networks' grid.
    """
    values = smoothed(resize_frame(normalize_frame(pixels, config, name, scale), grid.inner), smoothing)
    margins = [(0, 0), *((0, o - i) for o, i in zip(grid.outer, grid.inner, strict=True))]
    return torch.from_numpy(np.pad(values, margins, mode="symmetric"))[None]


def smoothed(values: NDArray[np.float32], smoothing: float) -> NDArray[np.float32]:
    """Smooth (C, (Z), Y, X) by a Gaussian, mirrored at the ends; 0 leaves it as it is."""
    if not smoothing:
        return values
    found: NDArray[np.float32] = ndimage.gaussian_filter(
        values, (0, *[smoothing] * (values.ndim - 1)), mode="reflect", truncate=TRUNCATE
    )
    return found


def crop_to_inner(maps: Tensor, grid: Grid) -> Tensor:
    """Cut the mirrored margin off maps (..., *outer)."""
    for axis, side in enumerate(grid.inner, start=maps.ndim - len(grid.inner)):
        maps = maps.narrow(axis, 0, side)
    return maps


def restore(maps: Tensor, grid: Grid) -> Tensor:
    """Resample maps (N, C, *outer) from the networks' grid to the image's own: probabilities, not labels."""
    inner = crop_to_inner(maps, grid)
    if grid.inner == grid.source:
        return inner
    mode = "bilinear" if len(grid.source) == 2 else "trilinear"
    return F.interpolate(inner, size=grid.source, mode=mode, align_corners=False)
