"""Keep the masks of an image's samples in little memory: a byte a pixel, on the grid where they were drawn."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

NOT_DRAWN = 255
# This bit of a byte says that the pixel belongs to the rim of an object.
RIM = 128
Box = tuple[slice, ...]


@dataclass(frozen=True)
class SampleMasks:
    """The mask of each sample, one byte a pixel on the networks' grid.

    Attributes
    ----------
    array : uint8 array, shape ``(*frames, N, *grid)``
        Class indices; 255 fills up frames that have fewer samples than others.
    shape : tuple of int
        ``((Z), Y, X)`` of the image. The grid covers the same field of view.
    rims : bool
        Whether pixels on the rim of an object, which keeps it apart from others, have :data:`RIM` added.
    """

    array: NDArray[np.uint8]
    shape: tuple[int, ...]
    rims: bool = False

    def __post_init__(self) -> None:
        """Refuse an array that lacks the axis of the samples."""
        if self.array.ndim <= len(self.shape) or 0 in self.array.shape:
            raise InputError(
                f"Sample masks of shape {self.array.shape} do not fit an image of shape {self.shape}; "
                "they need the axes (frames, samples, and those of the image)."
            )

    @property
    def ndim(self) -> int:
        """Spatial dimensions."""
        return len(self.shape)

    @property
    def grid(self) -> tuple[int, ...]:
        """Shape of the grid on which the samples were drawn."""
        return tuple(self.array.shape[-self.ndim :])

    @property
    def count(self) -> int:
        """The largest number of samples in a frame."""
        return int(self.array.shape[-self.ndim - 1])

    @property
    def factors(self) -> tuple[float, ...]:
        """Pixels of the image per pixel of the grid, along each axis."""
        return tuple(n / g for n, g in zip(self.shape, self.grid, strict=True))

    @property
    def classes(self) -> NDArray[np.uint8]:
        """``array`` without its rims: nothing but class indices, and 255."""
        return np.where(self.array == NOT_DRAWN, self.array, self.array & ~np.uint8(RIM)) if self.rims else self.array

    def at(self, frame: tuple[int, ...]) -> NDArray[np.uint8]:
        """Return the samples of one frame, shape ``(N, *grid)``, without those that were not drawn."""
        drawn = self._drawn(frame)
        return drawn & ~np.uint8(RIM) if self.rims else drawn

    def rims_at(self, frame: tuple[int, ...]) -> NDArray[np.bool_] | None:
        """Return where the samples of one frame draw rims, shape ``(N, *grid)``; None if they draw none."""
        return self._drawn(frame) >= RIM if self.rims else None

    def _drawn(self, frame: tuple[int, ...]) -> NDArray[np.uint8]:
        masks = self.array[frame]
        return np.asarray(masks[masks.reshape(len(masks), -1)[:, 0] != NOT_DRAWN])

    def labels(self, frame: tuple[int, ...], sample: int, box: Box | None = None) -> NDArray[np.uint8]:
        """Return one sample on the image's grid, all of it or a box.

        Each class is interpolated linearly and the largest wins, as in the mean map, so that outlines are smooth.
        """
        mask = self.array[frame][sample]
        mask = mask & ~np.uint8(RIM) if self.rims else mask
        box = box or tuple(slice(0, n) for n in self.shape)
        result, best = np.zeros(tuple(b.stop - b.start for b in box), np.uint8), None
        for value in np.unique(mask):
            share = resample(mask == value, self.shape, box)
            if best is None:
                result[:], best = value, share
                continue
            wins = share > best
            result[wins] = value
            best = np.maximum(best, share)
        return result


def resample(
    mask: NDArray[np.bool_],
    shape: tuple[int, ...],
    box: Box,
    grid: tuple[int, ...] | None = None,
    part: Box | None = None,
) -> NDArray[np.float32]:
    """Interpolate a mask linearly onto a box of a finer or coarser grid. Pixel centres stay; edges are repeated.

    Parameters
    ----------
    mask : bool array
        All of ``grid``, or the ``part`` of it.
    shape : tuple of int
        The other grid, over the same field of view.
    box : tuple of slice
        The wanted part of the other grid.
    grid : tuple of int, optional
        By default the mask's own shape.
    part : tuple of slice, optional
        The part of ``grid`` that the mask covers.

    Returns
    -------
    float32 array of the box's shape, 0 to 1
    """
    values = mask.astype(np.float32)
    for axis, (side, here) in enumerate(zip(shape, box, strict=True)):
        start = part[axis].start if part else 0
        per_pixel = (grid or mask.shape)[axis] / side
        last = mask.shape[axis] - 1
        places = np.clip((np.arange(here.start, here.stop) + 0.5) * per_pixel - 0.5 - start, 0, last)
        low = np.floor(places).astype(np.intp)
        weight = (places - low).astype(np.float32).reshape(-1, *(1,) * (mask.ndim - axis - 1))
        values = values.take(low, axis) * (1 - weight) + values.take(np.minimum(low + 1, last), axis) * weight
    return values
