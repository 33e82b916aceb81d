"""Resample parts of a large image to the networks' grid, as if the whole had been resampled at once."""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from ..config import ModelConfig
from ..plan import Box, Grid, Intensities, match_channels
from ._preprocess import TRUNCATE, smoothed


class Regions:
    """Reads boxes of one frame on the networks' grid.

    The result equals :func:`prepare` of the whole frame, cut to the box (linear interpolation after smoothing if it
    shrinks, mirrored at the far ends), but only the pixels around the box are read.

    Parameters
    ----------
    frame : array, shape (C, (Z), Y, X)
        May be lazy: dask, zarr, a memory map.
    grid : Grid
    scale : Intensities
        The same for every box.
    config : ModelConfig
    name : str
    smoothing : float
        SD of a Gaussian, in pixels of the networks' grid.
    """

    def __init__(
        self,
        frame: Any,
        grid: Grid,
        scale: Intensities,
        config: ModelConfig,
        name: str,
        smoothing: float = 0.0,
    ) -> None:
        self._frame, self._grid, self._scale, self._smoothing = frame, grid, scale, smoothing
        self._config, self._name = config, name
        factors = [n / m for n, m in zip(grid.source, grid.inner, strict=True)]
        shrinks = any(factor > 1 for factor in factors)
        self._factors = factors
        self._sigmas = [max(0.0, (factor - 1) / 2) if shrinks else 0.0 for factor in factors]

    def read(self, box: Box) -> Tensor:
        """Return a box as the float32 tensor (1, image_channels, *box) that the networks see."""
        margin = math.ceil(TRUNCATE * self._smoothing)
        wide = tuple((a - margin, b + margin) for a, b in box)
        values = smoothed(self._resampled(wide), self._smoothing)
        for axis in range(1, values.ndim if margin else 1):
            values = values.take(range(margin, values.shape[axis] - margin), axis)
        return torch.from_numpy(np.ascontiguousarray(values))[None]

    def _resampled(self, box: Box) -> NDArray[np.float32]:
        """Return a box, which may reach beyond the frame, mirrored there."""
        places, slabs = [], []
        for (a, b), factor, sigma, inner in zip(box, self._factors, self._sigmas, self._grid.inner, strict=True):
            place = (mirrored(np.arange(a, b), inner) + 0.5) * factor - 0.5
            margin = math.ceil(TRUNCATE * sigma) + 1
            slabs.append(np.arange(math.floor(place.min()) - margin, math.ceil(place.max()) + margin + 1))
            places.append(place - slabs[-1][0])
        values = self._scale.apply(match_channels(self._pixels(slabs), self._config, self._name))
        if any(self._sigmas):
            values = ndimage.gaussian_filter(values, (0, *self._sigmas), mode="mirror", truncate=TRUNCATE)
        for axis, place in enumerate(places, start=1):
            values = interpolate(values, axis, place)
        return values

    def _pixels(self, slabs: list[NDArray[np.intp]]) -> NDArray[Any]:
        """Read the pixels at these places along each axis. Beyond the image they are mirrored at its edge."""
        inside = [reflected(slab, n) for slab, n in zip(slabs, self._grid.source, strict=True)]
        pixels = np.asarray(self._frame[(slice(None), *(slice(i.min(), i.max() + 1) for i in inside))])
        for axis, places in enumerate(inside, start=1):
            pixels = pixels.take(places - places.min(), axis=axis)
        return pixels


def mirrored(places: NDArray[np.intp], length: int) -> NDArray[np.intp]:
    """Fold places beyond a line of ``length`` pixels back, with the outermost pixel twice (numpy's "symmetric")."""
    folded = places % (2 * length)
    return np.where(folded < length, folded, 2 * length - 1 - folded)


def reflected(places: NDArray[np.intp], length: int) -> NDArray[np.intp]:
    """Fold places beyond a line of ``length`` pixels back about the outermost pixel (numpy's "reflect")."""
    period = max(2 * (length - 1), 1)
    folded = places % period
    return np.where(folded < length, folded, period - folded)


def interpolate(values: NDArray[np.float32], axis: int, places: NDArray[np.float64]) -> NDArray[np.float32]:
    """Interpolate linearly at ``places`` along one axis. The outermost values extend beyond the ends."""
    last = values.shape[axis] - 1
    places = places.clip(0, last)
    low = np.floor(places).astype(np.intp)
    share = (places - low).astype(np.float32)
    if not share.any():
        return values if len(low) == last + 1 and np.array_equal(low, np.arange(last + 1)) else values.take(low, axis)
    share = share.reshape(-1, *[1] * (values.ndim - 1 - axis))
    mixed: NDArray[np.float32] = (
        values.take(low, axis) * (1 - share) + values.take(np.minimum(low + 1, last), axis) * share
    )
    return mixed
