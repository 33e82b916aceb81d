"""Frames: the parts of an image that are segmented one by one."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..config import ModelConfig
from ..data import Image
from ..errors import InputError


def frames(image: Image, config: ModelConfig) -> Iterator[tuple[tuple[int, ...], NDArray[Any]]]:
    """Yield ``(index, pixels)`` for each frame; pixels are (C, (Z), Y, X) in the image's own dtype.

    Spatial axes that a 2D model does not see (the slices of a stack) count as frames.
    """
    for index, frame in lazy_frames(image, config):
        yield index, np.asarray(frame)


def lazy_frames(image: Image, config: ModelConfig) -> Iterator[tuple[tuple[int, ...], NDArray[Any]]]:
    """Yield ``(index, pixels)`` as :func:`frames` does, without reading: what is lazy (dask, memory maps) stays so."""
    spatial = _frame_axes(image, config)
    leading = [i for i, axis in enumerate(image.axes) if axis not in spatial and axis != "c"]
    order = [*leading, *([image.axes.index("c")] if "c" in image.axes else []), *(image.axes.index(a) for a in spatial)]
    moved = image.array.transpose(order)
    for index in np.ndindex(*moved.shape[: len(leading)]):
        frame = moved[index]
        yield index, frame if "c" in image.axes else frame[None]


def frame_shape(
    image: Image, config: ModelConfig
) -> tuple[tuple[int, ...], tuple[int, ...], str, tuple[float, ...] | None]:
    """Return how many frames there are along each frame axis, the shape and spacing of a frame, and a result's axes.

    Returns
    -------
    leading, shape : tuple of int
    axes : str
        The frame axes, then the spatial ones.
    spacing : tuple of float or None
    """
    spatial = _frame_axes(image, config)
    sizes = dict(zip(image.axes, np.shape(image.array), strict=True))
    leading = "".join(axis for axis in image.axes if axis not in spatial and axis != "c")
    spacing = None if image.spacing is None else image.spacing[-len(spatial) :]
    return tuple(sizes[a] for a in leading), tuple(sizes[a] for a in spatial), leading + spatial, spacing


def _frame_axes(image: Image, config: ModelConfig) -> str:
    """Return the spatial axes that the model sees."""
    ndim = config.network.ndim
    if len(image.spatial) < ndim:
        raise InputError(
            f"The model {config.name!r} segments volumes, but {image.name!r} is a flat image; choose a 2D model."
        )
    return image.spatial[-ndim:]
