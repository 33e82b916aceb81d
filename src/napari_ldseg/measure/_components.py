"""Find the objects of a label mask: connected pixels of one class in one frame."""

from dataclasses import dataclass

import numpy as np
import skimage.measure
from numpy.typing import NDArray
from scipy import ndimage

from ._samples import Box


@dataclass(frozen=True)
class Region:
    """An object, or a whole frame or slice.

    Attributes
    ----------
    number : int
        1, 2, ..., ordered by frame, then from top left to bottom right.
    frame : tuple of int
        Its index along the frame axes; empty for a single image.
    label : int
        Its class; 0 for a whole frame or slice, that is, everything that is not background.
    box : tuple of slice
        Its place in its frame, ``((Z), Y, X)``.
    mask : bool array of the box's shape
    object : int
        Its number in a map of objects, which it keeps from frame to frame; 0 without such a map.
    """

    number: int
    frame: tuple[int, ...]
    label: int
    box: Box
    mask: NDArray[np.bool_]
    object: int = 0

    @property
    def shown(self) -> int:
        """The number that people see: that of the map of objects, if there is one."""
        return self.object or self.number

    @property
    def pixels(self) -> int:
        """The number of its pixels."""
        return int(np.count_nonzero(self.mask))

    @property
    def anchor(self) -> tuple[int, ...]:
        """Its pixel nearest to its centroid, ``((z), y, x)``; the middle of the box if it has no pixel."""
        inside = np.argwhere(self.mask)
        if not len(inside):
            inside = np.array([[n // 2 for n in self.mask.shape]])
        nearest = inside[((inside - inside.mean(axis=0)) ** 2).sum(axis=1).argmin()]
        return tuple(int(n) + b.start for n, b in zip(nearest, self.box, strict=True))


def find_regions(
    labels: NDArray[np.integer], ndim: int, smallest: int = 1, objects: NDArray[np.integer] | None = None
) -> list[Region]:
    """Find the objects of each class and frame: pixels connected by a side (a face in 3D), or those of a map.

    Parameters
    ----------
    labels : integer array, shape ``(*frames, (Z), Y, X)``
        0 is the background.
    ndim : {2, 3}
        Spatial axes.
    smallest : int
        Objects with fewer pixels are left out.
    objects : integer array like ``labels``, optional
        Numbers of objects, which are then taken as they are. The class of each is that of most of its pixels.
    """
    regions: list[Region] = []
    for frame in np.ndindex(*labels.shape[: labels.ndim - ndim]):
        here = np.asarray(labels[frame])
        given = None if objects is None else np.asarray(objects[frame])
        parts = np.asarray(skimage.measure.label(here, connectivity=1, background=0)) if given is None else given
        for part, box in enumerate(ndimage.find_objects(parts), start=1):
            mask = np.zeros((), bool) if box is None else parts[box] == part
            if np.count_nonzero(mask) < smallest or box is None:
                continue
            label = int(np.bincount(here[box][mask]).argmax())
            regions.append(Region(len(regions) + 1, frame, label, box, mask, 0 if given is None else part))
    return regions


def whole_frames(labels: NDArray[np.integer]) -> list[Region]:
    """Return each frame as one region. Its mask is everything but background; volumes are cut into slices.

    The frame of a slice ends with its z; its box and mask are flat, ``(Y, X)``.
    """
    flat = labels.ndim - 2
    return [
        Region(number, frame, 0, tuple(slice(0, n) for n in labels.shape[flat:]), np.asarray(labels[frame]) != 0)
        for number, frame in enumerate(np.ndindex(*labels.shape[:flat]), start=1)
    ]


def grown(region: Region, by: int, shape: tuple[int, ...]) -> tuple[Box, NDArray[np.bool_]]:
    """Grow a region by some pixels on all sides; return its box and mask, cut at the image's edge."""
    box = tuple(slice(max(b.start - by, 0), min(b.stop + by, n)) for b, n in zip(region.box, shape, strict=True))
    mask = np.zeros(tuple(b.stop - b.start for b in box), bool)
    inner = tuple(slice(b.start - o.start, b.stop - o.start) for b, o in zip(region.box, box, strict=True))
    mask[inner] = region.mask
    return box, np.asarray(ndimage.binary_dilation(mask, iterations=by)) if by else mask
