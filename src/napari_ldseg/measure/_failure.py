"""How well a score finds errors: AUROC, AURC, and errors found after reviewing a part.

The order among equal scores is no merit of the score: every number here is its mean over all orders of the ties.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError


def error_auroc(scores: ArrayLike, errors: ArrayLike) -> float:
    """Area under the ROC curve: how often an error scores higher than a correct object (ties count one half).

    Parameters
    ----------
    scores : float array, shape ``(n,)``
        The higher, the more uncertain.
    errors : bool array, shape ``(n,)``

    Returns
    -------
    float
        0.5 for a random order; nan without errors or without correct objects.
    """
    score, wrong = _pair(scores, errors)
    bad, good = score[wrong > 0], score[wrong == 0]
    if not bad.size or not good.size:
        return float("nan")
    above = (bad[:, None] > good[None]).mean(dtype=float)
    return float(above + 0.5 * (bad[:, None] == good[None]).mean(dtype=float))


def aurc(scores: ArrayLike, risks: ArrayLike) -> float:
    """Area under the risk-coverage curve (Geifman & El-Yaniv 2017): the lower, the better.

    The mean, over all coverages k/n, of the risk among the k most certain objects; a random order gives the mean
    risk.

    Parameters
    ----------
    scores, risks : float arrays, shape ``(n,)``
    """
    score, risk = _pair(scores, risks)
    kept = _shared(score, risk, ascending=True)
    return float((np.cumsum(kept) / np.arange(1, len(kept) + 1)).mean())


def found_after(scores: ArrayLike, errors: ArrayLike, share: float) -> float:
    """Share of all errors among the ``share`` of the objects that score highest; nan without errors."""
    score, wrong = _pair(scores, errors)
    if not wrong.any():
        return float("nan")
    seen = np.concatenate([[0.0], np.cumsum(_shared(score, wrong, ascending=False))])
    return float(np.interp(share * len(wrong), np.arange(len(seen)), seen) / wrong.sum())


def _pair(scores: ArrayLike, values: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    score, value = np.asarray(scores, float), np.asarray(values, float)
    if score.ndim != 1 or score.shape != value.shape or not score.size or not np.isfinite(score).all():
        raise InputError(
            f"Scores of shape {score.shape} and values of shape {value.shape} must be lists of one length, at least 1, "
            "and all scores must be finite; leave out objects that have none."
        )
    return score, value


def _shared(scores: NDArray[np.float64], values: NDArray[np.float64], *, ascending: bool) -> NDArray[np.float64]:
    """Return the values in the order of the scores; those of equal scores are each replaced by their mean."""
    _, tie, count = np.unique(scores if ascending else -scores, return_inverse=True, return_counts=True)
    return np.repeat(np.bincount(tie, values) / count, count)
