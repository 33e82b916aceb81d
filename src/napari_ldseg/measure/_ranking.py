"""Score how uncertain an object, a frame or a slice is. docs/review.md compares the scores.

The higher a score, the sooner one should look. It is nan if its input is missing.
"""

import math

import numpy as np
from numpy.typing import NDArray

from ..metrics import soft_dice_confidence

MARGIN = 3


def expected_loss(own: NDArray[np.bool_], masks: NDArray[np.bool_]) -> float:
    """1 - mean Dice of the object with the samples: the expected loss if the truth is one of them."""
    if not len(masks):
        return math.nan
    both = (masks & own).reshape(len(masks), -1).sum(axis=1)
    total = masks.reshape(len(masks), -1).sum(axis=1) + own.sum()
    return 1 - float(np.where(total > 0, 2 * both / np.maximum(total, 1), 1.0).mean())


def absence(exists: NDArray[np.bool_]) -> float:
    """1 - existence: the share of the samples that lack the object."""
    return 1 - float(exists.mean()) if exists.size else math.nan


def split_or_merge(split: NDArray[np.bool_], merged: NDArray[np.bool_]) -> float:
    """Share of the samples that split the object or merge it with another."""
    return float((split | merged).mean()) if split.size else math.nan


def size_variation(masks: NDArray[np.bool_]) -> float:
    """Coefficient of variation of the size over the samples; nan if no sample has the object."""
    sizes = masks.reshape(len(masks), -1).sum(axis=1, dtype=float)
    return float(sizes.std(ddof=1) / sizes.mean()) if len(masks) > 1 and sizes.any() else math.nan


def mean_sd(sd: NDArray[np.floating], near: NDArray[np.bool_]) -> float:
    """Mean of the SD map over the object and its rim (``near``, the object grown by a few pixels)."""
    return float(sd[near].mean(dtype=float)) if near.any() else math.nan


def sd_per_boundary(sd: NDArray[np.floating], near: NDArray[np.bool_], boundary: float) -> float:
    """Sum of the SD map over the object and its rim, per pixel of boundary, so that a usual rim scores alike."""
    return float(sd[near].sum(dtype=float)) / boundary if boundary > 0 else math.nan


def soft_dice(mean: NDArray[np.floating], mask: NDArray[np.bool_], near: NDArray[np.bool_]) -> float:
    """1 - soft Dice confidence (:func:`napari_ldseg.metrics.soft_dice_confidence`); nan without an object.

    Parameters
    ----------
    mean : float array
        Mean probability of the object's class.
    mask, near : bool arrays
        The object; the object with its rim, over which the sums run.
    """
    return 1 - soft_dice_confidence(mean[near], mask[near]) if mask.any() else math.nan


def max_softmax(mean: NDArray[np.floating], mask: NDArray[np.bool_]) -> float:
    """1 - mean over the object of the largest class probability; ``mean`` has the classes first."""
    return 1 - float(mean[:, mask].max(axis=0).mean(dtype=float)) if mask.any() else math.nan
