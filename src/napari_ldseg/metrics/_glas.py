"""Compute the metrics of the GlaS challenge for masks of objects (Sirinukunwattana et al., MedIA 2017)."""

import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from ._overlap import checked_masks


class ObjectScores(NamedTuple):
    """The scores that ranked the challenge.

    Attributes
    ----------
    f1 : float
        Detection score. An object counts as found if a segmented one covers at least half of it.
    dice : float
        Object-level Dice index.
    hausdorff : float
        Object-level Hausdorff distance, in pixels.
    """

    f1: float
    dice: float
    hausdorff: float


def label_objects(mask: ArrayLike) -> NDArray[np.int32]:
    """Number the connected parts of a mask; corners connect. 0 stays the background."""
    everywhere = np.ones((3,) * np.ndim(mask), bool)
    objects: NDArray[np.int32] = ndimage.label(np.asarray(mask) > 0, structure=everywhere)[0]
    return objects


def object_scores(prediction: ArrayLike, reference: ArrayLike) -> ObjectScores:
    """Compare two masks of objects (Sirinukunwattana et al. 2017, section 4.1).

    Every object is paired with the one of the other mask that it overlaps most. F1 counts the segmented objects that
    cover at least half of their partner. Dice and Hausdorff are averaged over the objects of each mask, weighted by
    area, then over the two masks (eq. 6 and 10). An object without a partner has Dice 0, and the distance to the
    nearest object of the other mask.

    Parameters
    ----------
    prediction, reference : integer arrays of one shape
        Object numbers; 0 is the background. Use :func:`label_objects` for masks of classes.

    Returns
    -------
    ObjectScores
        All nan, with a ``UserWarning``, if both masks are empty. If one is, F1 and Dice are 0 and the distance is nan.

    Raises
    ------
    InputError
        If the shapes differ.
    """
    predicted, true = (_renumber(mask) for mask in checked_masks(prediction, reference))
    found, real = int(predicted.max(initial=0)), int(true.max(initial=0))
    if not found and not real:
        warnings.warn("Both masks are empty; object scores are not defined (nan).", UserWarning, stacklevel=2)
        return ObjectScores(np.nan, np.nan, np.nan)
    if not found or not real:
        return ObjectScores(0.0, 0.0, np.nan)
    shared = np.zeros((found + 1, real + 1), np.int64)
    np.add.at(shared, (predicted.ravel(), true.ravel()), 1)
    sizes, areas, overlap = shared.sum(axis=1)[1:], shared.sum(axis=0)[1:], shared[1:, 1:]
    distance = _distances(predicted, true, overlap)
    dice = [
        _weighted(*side) for side in ((_dice(overlap, sizes, areas), sizes), (_dice(overlap.T, areas, sizes), areas))
    ]
    far = [_weighted(*side) for side in ((distance[0], sizes), (distance[1], areas))]
    return ObjectScores(_f1(overlap, areas), float(np.mean(dice)), float(np.mean(far)))


def _renumber(mask: NDArray[Any]) -> NDArray[np.int64]:
    values, numbers = np.unique(mask, return_inverse=True)
    numbers = numbers.reshape(mask.shape).astype(np.int64)
    return numbers if 0 in values else numbers + 1


def _f1(overlap: NDArray[np.int64], areas: NDArray[np.int64]) -> float:
    partner = overlap.argmax(axis=1)
    covering = 2 * overlap[np.arange(len(overlap)), partner] >= areas[partner]
    hits = len(set(partner[covering]))  # two halves of one object count as one hit
    return 2 * hits / (len(overlap) + len(areas))


def _dice(overlap: NDArray[np.int64], own: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the Dice of each object with its partner; 0 without one."""
    partner = overlap.argmax(axis=1)
    found: NDArray[np.float64] = 2 * overlap[np.arange(len(own)), partner] / (own + other[partner])
    return found


def _distances(
    predicted: NDArray[np.int64], true: NDArray[np.int64], overlap: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the Hausdorff distance of each object to its partner, or to the nearest object without one."""
    found, real = overlap.shape
    cache: dict[tuple[int, int], float] = {}

    def between(i: int, j: int) -> float:
        if (i, j) not in cache:
            cache[i, j] = _hausdorff(predicted == i + 1, true == j + 1)
        return cache[i, j]

    of_predicted = [
        between(i, int(overlap[i].argmax())) if overlap[i].any() else min(between(i, j) for j in range(real))
        for i in range(found)
    ]
    of_true = [
        between(int(overlap[:, j].argmax()), j) if overlap[:, j].any() else min(between(i, j) for i in range(found))
        for j in range(real)
    ]
    return np.array(of_predicted), np.array(of_true)


def _hausdorff(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    box = ndimage.find_objects((one | other).astype(np.uint8))[0]
    a, b = one[box], other[box]
    return float(max(ndimage.distance_transform_edt(~b)[a].max(), ndimage.distance_transform_edt(~a)[b].max()))


def _weighted(values: NDArray[np.float64], weights: NDArray[np.int64]) -> float:
    return float(np.average(values, weights=weights))
