"""Count the pixels in which two masks agree; any number of axes."""

import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError


def confusion(prediction: ArrayLike, reference: ArrayLike, classes: int) -> NDArray[np.int64]:
    """Count the pixels of each pair of classes.

    Parameters
    ----------
    prediction, reference : integer or bool arrays of one shape
        Class indices, 0 to ``classes - 1``.
    classes : int
        C, background included.

    Returns
    -------
    int array, shape ``(C, C)``
        ``[r, p]`` is the number of pixels of class r in the reference that are p in the prediction.

    Raises
    ------
    InputError
        If the shapes differ, or a value is no class.
    """
    predicted, true = checked_masks(prediction, reference)
    for name, mask in (("prediction", predicted), ("reference", true)):
        if mask.size and (mask.min() < 0 or mask.max() >= classes):
            raise InputError(
                f"The {name} holds values from {mask.min()} to {mask.max()}, but {classes} classes are counted "
                f"from 0 to {classes - 1}; raise the number of classes or relabel the mask."
            )
    pairs = true.astype(np.int64).ravel() * classes + predicted.astype(np.int64).ravel()
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes).astype(np.int64)


def dice(prediction: ArrayLike, reference: ArrayLike, classes: int) -> NDArray[np.float64]:
    """Return the Dice coefficient of each class, ``2 |P and R| / (|P| + |R|)``, shape ``(C,)``.

    nan, with one ``UserWarning``, for classes that neither mask holds. Parameters and errors as :func:`confusion`.
    """
    counts = confusion(prediction, reference, classes)
    return _ratio(2 * np.diagonal(counts), counts.sum(axis=0) + counts.sum(axis=1))


def iou(prediction: ArrayLike, reference: ArrayLike, classes: int) -> NDArray[np.float64]:
    """Return the intersection over union (Jaccard index) of each class, shape ``(C,)``.

    nan, with one ``UserWarning``, for classes that neither mask holds. Parameters and errors as :func:`confusion`.
    """
    counts = confusion(prediction, reference, classes)
    both = np.diagonal(counts)
    return _ratio(both, counts.sum(axis=0) + counts.sum(axis=1) - both)


def foreground_dice(prediction: ArrayLike, reference: ArrayLike) -> float:
    """Return the Dice coefficient of the foreground (values above 0), the number that GlaS papers report.

    nan, with a ``UserWarning``, if both masks are empty.

    Raises
    ------
    InputError
        If the shapes differ.
    """
    predicted, true = (mask > 0 for mask in checked_masks(prediction, reference))
    total = int(predicted.sum()) + int(true.sum())
    if total == 0:
        warnings.warn("Both masks are empty; their Dice coefficient is not defined (nan).", UserWarning, stacklevel=2)
        return float("nan")
    return 2 * int((predicted & true).sum()) / total


def checked_masks(prediction: ArrayLike, reference: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return two masks as arrays; refuse different shapes, and values that are no whole numbers."""
    predicted, true = np.asarray(prediction), np.asarray(reference)
    if predicted.shape != true.shape:
        raise InputError(
            f"The prediction has the shape {predicted.shape} and the reference {true.shape}; "
            "compare masks on the same grid."
        )
    for name, mask in (("prediction", predicted), ("reference", true)):
        if mask.dtype.kind not in "bui":
            raise InputError(f"The {name} holds {mask.dtype} values; masks must hold whole numbers (class indices).")
    return predicted, true


def _ratio(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    absent = np.flatnonzero(whole == 0)
    if absent.size:
        warnings.warn(
            f"Neither mask holds class {', '.join(map(str, absent))}; the overlap is not defined there (nan).",
            UserWarning,
            stacklevel=3,
        )
    result = np.full(whole.shape, np.nan)
    np.divide(part, whole, out=result, where=whole > 0)
    return result


def dice_matrix(masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the Dice coefficient of each pair of masks, shape ``(N, N)``; two empty masks agree (1).

    Parameters
    ----------
    masks : bool array, shape ``(N, ...)``
    """
    flat = masks.reshape(len(masks), -1).astype(np.float32)
    both = (flat @ flat.T).astype(np.float64)
    sizes = np.diagonal(both)
    total = sizes[:, None] + sizes[None]
    return np.where(total > 0, 2 * both / np.maximum(total, 1), 1.0)


def sample_dice(masks: NDArray[np.bool_]) -> float:
    """Return 1 - mean Dice over all pairs of samples (Zenk et al., MedIA 101:103392, arXiv 2406.03323)."""
    if len(masks) < 2:
        return math.nan
    return 1 - float(dice_matrix(masks)[np.triu_indices(len(masks), 1)].mean())
