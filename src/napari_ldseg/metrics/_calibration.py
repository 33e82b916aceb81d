"""Calibration metrics: do probabilities hold, and does uncertainty find the errors? Any number of axes."""

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from ..errors import InputError
from ._overlap import sample_dice


class Reliability(NamedTuple):
    """A reliability diagram (Guo et al. 2017): one entry for each bin of confidence; nan for an empty bin.

    Attributes
    ----------
    confidence, accuracy : float arrays, shape ``(bins,)``
        Mean predicted probability, and the share of pixels that are foreground.
    pixels : int array, shape ``(bins,)``
    """

    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    pixels: NDArray[np.int64]

    @property
    def ece(self) -> float:
        """Expected calibration error: the mean gap between confidence and accuracy, weighted by pixels."""
        if not self.pixels.any():
            return float("nan")
        gaps = np.abs(self.confidence - self.accuracy)
        return float(np.nansum(gaps * self.pixels) / self.pixels.sum())


def reliability(probability: ArrayLike, reference: ArrayLike, *, bins: int = 15) -> Reliability:
    """Bin pixels by their foreground probability and count how many are foreground.

    Parameters
    ----------
    probability : float array, any shape
        Foreground probability, 0 to 1.
    reference : integer or bool array of the same shape
        Everything above 0 is foreground.
    bins : int
        Equally wide bins between 0 and 1.

    Raises
    ------
    InputError
        If the shapes differ, or values are no probabilities.
    """
    p, true = np.asarray(probability, np.float64).ravel(), (np.asarray(reference) > 0).ravel()
    if np.shape(probability) != np.shape(reference):
        raise InputError(
            f"The probabilities have the shape {np.shape(probability)} and the reference {np.shape(reference)}; "
            "compare them on the same grid."
        )
    if p.size and not (p.min() >= 0 and p.max() <= 1):
        raise InputError("Probabilities must lie between 0 and 1; check which map you passed.")
    index = np.minimum((p * bins).astype(np.int64), bins - 1)
    count = np.bincount(index, minlength=bins)
    with np.errstate(invalid="ignore"):
        confidence, accuracy = (np.bincount(index, values, minlength=bins) / count for values in (p, true))
    return Reliability(confidence, accuracy, count)


def boundary_band(reference: ArrayLike, width: float) -> NDArray[np.bool_]:
    """Return the pixels within ``width`` pixels of a mask's outline. Elsewhere errors are rare."""
    mask = np.asarray(reference) > 0
    if not mask.any() or mask.all():
        return np.zeros(mask.shape, bool)
    distance = ndimage.distance_transform_edt(mask) + ndimage.distance_transform_edt(~mask)
    band: NDArray[np.bool_] = distance <= width
    return band


def auroc(score: ArrayLike, error: ArrayLike) -> float:
    """Return the chance that an error scores higher than a correct pixel; ties count half (Mann & Whitney 1947).

    Parameters
    ----------
    score : float array
        Uncertainty; higher means less certain.
    error : bool array of the same shape

    Returns
    -------
    float
        1 is perfect, 0.5 is chance; nan, with a ``UserWarning``, if all or none are errors.
    """
    scores, wrong = _pair(score, error)
    bad = int(wrong.sum())
    if not 0 < bad < wrong.size:
        return _undefined("AUROC")
    from scipy import stats  # importing it takes 0.4 s, for which no widget should wait

    ranks = stats.rankdata(scores)
    return float((ranks[wrong].sum() - bad * (bad + 1) / 2) / (bad * (wrong.size - bad)))


def auprc(score: ArrayLike, error: ArrayLike) -> float:
    """Return the average precision of finding errors by score. Chance is the share of errors; nan as :func:`auroc`."""
    scores, wrong = _pair(score, error)
    if not 0 < int(wrong.sum()) < wrong.size:
        return _undefined("AUPRC")
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.flatnonzero(np.diff(scores[order])), wrong.size - 1)  # ties stay together
    hits = np.cumsum(wrong[order])[last]
    precision, recall = hits / (last + 1), hits / hits[-1]
    return float(np.sum(np.diff(recall, prepend=0) * precision))


def aurc(score: ArrayLike, risk: ArrayLike) -> float:
    """Return the area under the risk-coverage curve (Geifman & El-Yaniv 2017); lower is better.

    Cases are accepted in order of certainty. The risk at a coverage is the mean risk of the accepted ones.

    Parameters
    ----------
    score : float array, shape ``(cases,)``
        Uncertainty. Ties are averaged over all orders.
    risk : float array, shape ``(cases,)``
        What it costs to accept a case: 1 - Dice of an image, or 0 and 1 for a pixel.
    """
    scores, cost = (np.asarray(values, np.float64).ravel() for values in (score, risk))
    if scores.size != cost.size or not scores.size:
        raise InputError(f"{scores.size} scores do not fit {cost.size} risks; give one of each for every case.")
    _, group, sizes = np.unique(scores, return_inverse=True, return_counts=True)
    mean = np.bincount(group, cost) / sizes
    return float(np.mean(np.cumsum(mean[np.sort(group)]) / np.arange(1, scores.size + 1)))


def found_after(score: ArrayLike, error: ArrayLike, share: float) -> float:
    """Return the share of all errors among the ``share`` of the cases that score highest, averaged over ties.

    nan, with a ``UserWarning``, without errors.
    """
    return float(found_curve(score, error, [share])[0])


def found_curve(score: ArrayLike, error: ArrayLike, shares: ArrayLike) -> NDArray[np.float64]:
    """Return :func:`found_after` for many shares at once, as an array of their shape."""
    scores, wrong = _pair(score, error)
    if not wrong.any():
        return np.full(np.shape(shares), _undefined("the share of errors found"))
    _, group, sizes = np.unique(-scores, return_inverse=True, return_counts=True)
    shared = np.repeat(np.bincount(group, wrong) / sizes, sizes)
    seen = np.concatenate([[0.0], np.cumsum(shared)])
    reviewed = np.asarray(shares, np.float64) * wrong.size
    found: NDArray[np.float64] = np.interp(reviewed, np.arange(wrong.size + 1), seen) / wrong.sum()
    return found


def sparsification_error(score: ArrayLike, risk: ArrayLike) -> float:
    """Return how much worse than the oracle a score is (AUSE, Ilg et al. 2018): its AURC minus that of the risk."""
    return aurc(score, risk) - aurc(risk, risk)


def soft_dice_confidence(probability: ArrayLike, labels: ArrayLike) -> float:
    """Return the expected Dice of a mask under its probabilities, 2 sum(p m) / (sum p + sum m) (Borges et al. 2024).

    An empty mask has confidence 0, however small the probabilities are.
    """
    p, mask = np.asarray(probability), np.asarray(labels) > 0
    found = int(np.count_nonzero(mask))
    return 2 * float(p[mask].sum(dtype=float)) / (float(p.sum(dtype=float)) + found) if found else 0.0


def pairwise_dice(samples: ArrayLike) -> float:
    """Return the mean Dice of all pairs of samples, the best simple score of an image's quality (Zenk et al. 2025).

    Parameters
    ----------
    samples : integer or bool array, shape ``(N, *S)``
        Masks; everything above 0 is foreground. Two empty masks agree (1).

    Raises
    ------
    InputError
        With fewer than two samples.
    """
    masks = np.asarray(samples) > 0
    if len(masks) < 2:
        raise InputError("One sample cannot disagree with itself; draw at least two.")
    return 1 - sample_dice(masks)


def _pair(score: ArrayLike, error: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    if np.shape(score) != np.shape(error):
        raise InputError(f"The scores have the shape {np.shape(score)} and the errors {np.shape(error)}.")
    if not np.isfinite(np.asarray(score, np.float64)).all():
        raise InputError("Some scores are not finite; leave out cases that have none.")
    return np.asarray(score, np.float64).ravel(), np.asarray(error, bool).ravel()


def _undefined(name: str) -> float:
    warnings.warn(f"{name} is not defined here (nan): all cases are alike.", UserWarning, stacklevel=3)
    return float("nan")
