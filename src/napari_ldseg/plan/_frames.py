"""Frames are the parts of an image that are segmented one by one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..config import ModelConfig
from ..data import Image
from ..errors import InputError


@dataclass(frozen=True, eq=False)
class Frames:
    """An image as a model takes it: frames with channels first.

    Spatial axes that a 2D model does not see (the slices of a stack) count as frames.

    Attributes
    ----------
    array : array, shape (*leading, C, (Z), Y, X)
        In the image's own dtype, and lazy (dask, memory maps) if the image is.
    axes : str
        The axes of a result: the frame axes, then the spatial ones.
    leading, shape : tuple of int
        The number of frames along each frame axis, and the shape of one.
    spacing : tuple of float or None
        Pixel size of a frame.
    """

    array: Any
    axes: str
    leading: tuple[int, ...]
    shape: tuple[int, ...]
    spacing: tuple[float, ...] | None

    @classmethod
    def of(cls, image: Image, config: ModelConfig) -> Self:
        """Reorder the axes of an image without reading it.

        Raises
        ------
        InputError
            If the model sees volumes and the image is flat.
        """
        ndim = config.network.ndim
        if len(image.spatial) < ndim:
            raise InputError(
                f"The model {config.name!r} segments volumes, but {image.name!r} is a flat image; choose a 2D model."
            )
        spatial = image.spatial[-ndim:]
        leading = "".join(axis for axis in image.axes if axis not in spatial and axis != "c")
        channels = "c" if "c" in image.axes else ""
        array = image.array.transpose([image.axes.index(axis) for axis in leading + channels + spatial])
        if not channels:
            array = array[(slice(None),) * len(leading) + (None,)]
        sizes = dict(zip(image.axes, np.shape(image.array), strict=True))
        spacing = None if image.spacing is None else image.spacing[-ndim:]
        shape = tuple(sizes[axis] for axis in spatial)
        return cls(array, leading + spatial, tuple(sizes[axis] for axis in leading), shape, spacing)

    @property
    def indices(self) -> list[tuple[int, ...]]:
        """The index of each frame, in the order in which they are segmented."""
        return list(np.ndindex(*self.leading))

    @property
    def letters(self) -> str:
        """The frame axes alone."""
        return self.axes[: len(self.leading)]


def frames(image: Image, config: ModelConfig) -> Iterator[tuple[tuple[int, ...], NDArray[Any]]]:
    """Yield ``(index, pixels)`` for each frame; pixels are (C, (Z), Y, X) in the image's own dtype."""
    moved = Frames.of(image, config)
    for index in moved.indices:
        yield index, np.asarray(moved.array[index])
