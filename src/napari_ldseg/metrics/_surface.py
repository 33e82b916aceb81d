"""Measure the distances between the surfaces of two masks, in physical units; any number of axes."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from ..errors import InputError
from ._overlap import checked_masks


def surface_distances(
    prediction: ArrayLike, reference: ArrayLike, spacing: Sequence[float] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the distance of each surface pixel of one mask to the nearest one of the other.

    The surface is the pixels of a mask that touch its outside across a face; the edge of the image counts as outside.

    Parameters
    ----------
    prediction, reference : integer or bool arrays of one shape
        Everything above 0 is the mask.
    spacing : sequence of float, optional
        Pixel size along each axis; 1 if not given.

    Returns
    -------
    of_prediction, of_reference : float arrays, shapes ``(surface pixels of the prediction,)`` and ``(... reference,)``
        In the unit of ``spacing``; both are empty if either mask is.

    Raises
    ------
    InputError
        If the shapes differ, or ``spacing`` does not fit them.
    """
    predicted, true = (mask > 0 for mask in checked_masks(prediction, reference))
    if spacing is not None and (len(spacing) != predicted.ndim or not all(0 < step < np.inf for step in spacing)):
        raise InputError(
            f"The pixel size {tuple(spacing)} does not fit masks with {predicted.ndim} axes; give one positive number "
            "for each axis."
        )
    if not (predicted.any() and true.any()):
        return np.empty(0), np.empty(0)
    box = ndimage.find_objects((predicted | true).astype(np.uint8))[0]
    surfaces = [_surface(mask[box]) for mask in (predicted, true)]
    of_prediction, of_reference = (
        ndimage.distance_transform_edt(~other, sampling=spacing)[one] for one, other in (surfaces, reversed(surfaces))
    )
    return of_prediction, of_reference


def hd95(prediction: ArrayLike, reference: ArrayLike, spacing: Sequence[float] | None = None) -> float:
    """Hausdorff distance at the 95th percentile: the larger of the two directed percentiles (Huttenlocher 1993).

    This is the convention of MONAI and DeepMind's surface-distance. MedPy pools both directions instead, which
    hides a stray island. nan, with a ``UserWarning``, if either mask is empty.
    Parameters and errors as :func:`surface_distances`.
    """
    both = _known(surface_distances(prediction, reference, spacing))
    return float(max(np.percentile(distances, 95) for distances in both)) if both else float("nan")


def hausdorff(prediction: ArrayLike, reference: ArrayLike, spacing: Sequence[float] | None = None) -> float:
    """Return the Hausdorff distance, the largest surface distance; nan, with a ``UserWarning``, for an empty mask."""
    both = _known(surface_distances(prediction, reference, spacing))
    return float(max(distances.max() for distances in both)) if both else float("nan")


def average_surface_distance(
    prediction: ArrayLike, reference: ArrayLike, spacing: Sequence[float] | None = None
) -> float:
    """Return the mean surface distance over both directions together (ASSD, Heimann et al. 2009).

    nan, with a ``UserWarning``, if either mask is empty. Parameters and errors as :func:`surface_distances`.
    """
    both = _known(surface_distances(prediction, reference, spacing))
    return float(np.concatenate(both).mean()) if both else float("nan")


def _surface(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    inner: NDArray[np.bool_] = ndimage.binary_erosion(mask, border_value=0)
    return mask & ~inner


def _known(both: tuple[NDArray[Any], NDArray[Any]]) -> tuple[NDArray[Any], NDArray[Any]] | None:
    if both[0].size:
        return both
    warnings.warn("A mask is empty; its distance to another is not defined (nan).", UserWarning, stacklevel=3)
    return None
