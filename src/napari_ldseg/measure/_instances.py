"""Tell objects apart: from a map of classes, with or without the rims that a model draws along them."""

import numpy as np
import skimage.measure
import skimage.segmentation
from numpy.typing import NDArray
from scipy import ndimage

from ..config import ObjectsConfig

Ids = NDArray[np.int32]


def split_objects(mask: NDArray[np.bool_], rim: NDArray[np.bool_] | None = None, core: int = 1) -> Ids:
    """Number the objects of one class in one frame, from top left to bottom right.

    Without rims an object is what is connected by a side (a face in 3D). With them, the inner parts that the rims leave
    are the markers of a watershed on the distance from them (Meyer & Beucher 1990), so that each object takes the rim
    that is nearer to it than to others. A connected piece that is all rim is one object.

    Parameters
    ----------
    mask : bool array, shape ((Z), Y, X)
        The class, rims included.
    rim : bool array of the same shape, optional
    core : int
        Inner parts with fewer pixels are no markers beside larger ones.

    Returns
    -------
    int32 array of the same shape
        1, 2, ...; 0 is everything else.
    """
    pieces: Ids = np.asarray(skimage.measure.label(mask, connectivity=1)).astype(np.int32)
    if rim is None or not rim.any():
        return pieces
    inner = mask & ~rim
    cores: Ids = np.asarray(skimage.measure.label(inner, connectivity=1)).astype(np.int32)
    sizes, piece_of = np.bincount(cores.ravel()), np.zeros(int(cores.max()) + 1, np.int32)
    piece_of[cores[inner]] = pieces[inner]
    largest = np.zeros(int(pieces.max()) + 1, np.int64)
    np.maximum.at(largest, piece_of[1:], sizes[1:])
    few = (sizes < core) & (sizes < largest[piece_of])
    few[0] = False
    cores[few[cores]] = 0
    lone = pieces * (largest[pieces] == 0)
    markers = np.where(lone > 0, lone + cores.max(), cores)
    distance = ndimage.distance_transform_edt(markers == 0)
    return numbered(np.asarray(skimage.segmentation.watershed(distance, markers, mask=mask)))


def numbered(ids: NDArray[np.integer]) -> Ids:
    """Number the objects anew: 1, 2, ..., in the order of their first pixels."""
    values, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
    objects = np.flatnonzero(values)
    numbers = np.zeros(len(values), np.int32)
    numbers[objects[np.argsort(first[objects])]] = np.arange(1, len(objects) + 1)
    return np.asarray(numbers[inverse].reshape(ids.shape))


def find_objects(
    labels: NDArray[np.integer],
    ndim: int,
    rim: NDArray[np.bool_] | None = None,
    config: ObjectsConfig | None = None,
) -> Ids:
    """Number the objects of all countable classes, each frame on its own.

    Parameters
    ----------
    labels : integer array, shape ``(*frames, (Z), Y, X)``
        Class indices, rims folded into their classes.
    ndim : {2, 3}
        Spatial axes.
    rim : bool array like ``labels``, optional
        Where a rim keeps objects apart.
    config : ObjectsConfig, optional
        Its sizes count pixels of this grid. Smaller objects are left out.

    Returns
    -------
    int32 array like ``labels``
        0 where there is no object. Numbers begin anew in each frame; :func:`follow_objects` makes them one.
    """
    config = config or ObjectsConfig()
    ids = np.zeros(labels.shape, np.int32)
    for frame in np.ndindex(*labels.shape[: labels.ndim - ndim]):
        here = np.asarray(labels[frame])
        found = np.zeros(here.shape, np.int32)
        for c in config.countable(int(here.max(initial=0)) + 1):
            mask = here == c
            parts = split_objects(mask, None if rim is None else np.asarray(rim[frame]) & mask, config.core)
            found[mask] = (parts + found.max())[mask]
        sizes = np.bincount(found.ravel())
        ids[frame] = numbered(found * (sizes >= config.smallest)[found])
    return ids


def draw_rims(ids: NDArray[np.integer], width: int) -> NDArray[np.bool_]:
    """Return the rim of each object: its pixels with another object or the background at most ``width`` away.

    What lies beyond the edge of the image does not count.

    Parameters
    ----------
    ids : integer array, shape ((Z), Y, X)
    width : int
        In pixels, counted along the axes.
    """
    grid = np.indices((2 * width + 1,) * ids.ndim) - width
    near = np.abs(grid).sum(axis=0) <= width
    lowest = ndimage.minimum_filter(ids, footprint=near, mode="nearest")
    highest = ndimage.maximum_filter(ids, footprint=near, mode="nearest")
    return np.asarray((ids > 0) & (lowest != highest))


def keep_numbers(ids: NDArray[np.integer], before: NDArray[np.integer], free: int | None = None) -> Ids:
    """Give objects the numbers that they had before: pairs are made by IoU, the largest first.

    Parameters
    ----------
    ids, before : integer arrays of one shape
        0 is the background.
    free : int, optional
        The first number for objects that were not there; by default the next after those of ``before``.
    """
    free = int(before.max(initial=0)) + 1 if free is None else free
    both = (ids > 0) & (before > 0)
    pairs, overlap = np.unique(np.stack([ids[both], before[both]]), axis=1, return_counts=True)
    union = np.bincount(ids.ravel())[pairs[0]] + np.bincount(before.ravel())[pairs[1]] - overlap
    numbers: dict[int, int] = {}
    taken: set[int] = set()
    for place in np.argsort(-overlap / union, kind="stable"):
        new, old = pairs[:, place].tolist()
        if new not in numbers and old not in taken:
            numbers[new] = old
            taken.add(old)
    table = np.zeros(int(ids.max(initial=0)) + 1, np.int32)
    for new in np.flatnonzero(np.bincount(ids.ravel(), minlength=1)).tolist():
        if new and new not in numbers:
            numbers[new], free = free, free + 1
        table[new] = numbers.get(new, 0)
    return np.asarray(table[ids])


def follow_objects(ids: NDArray[np.integer], letters: str) -> Ids:
    """Number the objects of several frames, so that an object keeps its number from frame to frame.

    Along time, and along the slices that a 2D model saw one by one, an object is the one that it overlaps most in the
    frame before, or in the one before that, where the frame before lacks it. Along other axes (positions, channels)
    objects have nothing to do with each other, and no two have the same number.

    Parameters
    ----------
    ids : integer array, shape ``(*frames, (Z), Y, X)``
        From :func:`find_objects`.
    letters : str
        One letter for each axis of the frames: t, z, p, s.
    """
    result, used = np.zeros(ids.shape, np.int32), 0
    linked = letters[-1:] in ("t", "z")
    for outer in np.ndindex(*ids.shape[: max(len(letters) - linked, 0)]):
        frames, out = (ids[outer], result[outer]) if linked else (ids[outer][None], result[outer][None])
        seen = [np.zeros(frames.shape[1:], np.int32)]
        for index, frame in enumerate(frames):
            known = seen[-1].copy()
            for earlier in seen[-2:-1]:
                gone = (known == 0) & ~np.isin(earlier, known)
                known[gone] = earlier[gone]
            out[index] = keep_numbers(frame, known, used + 1)
            used = max(used, int(out[index].max(initial=0)))
            seen = [seen[-1], out[index]]
    return result
