"""Compare samples with several annotators."""

import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError


def energy_distance(samples: ArrayLike, raters: ArrayLike) -> float:
    """Return the squared generalised energy distance with d = 1 - IoU (Kohl et al. 2018, eq. 2); 0 if both agree.

    2 E[d(S, Y)] - E[d(S, S')] - E[d(Y, Y')]. It falls with the number of samples, so state that number.

    Parameters
    ----------
    samples : integer or bool array, shape ``(N, *S)``
    raters : integer or bool array, shape ``(R, *S)``
        Everything above 0 is foreground; two empty masks are alike.

    Raises
    ------
    InputError
        If the shapes of the masks differ.
    """
    drawn, given = _stacks(samples, raters)
    return float(
        2 * _distances(drawn, given).mean() - _distances(drawn, drawn).mean() - _distances(given, given).mean()
    )


def disagreement_correlation(uncertainty: ArrayLike, raters: ArrayLike) -> float:
    """Normalised cross-correlation of an uncertainty map with the variance of the raters (NCC, Kahl et al. 2024).

    Parameters
    ----------
    uncertainty : float array, shape S
    raters : integer or bool array, shape ``(R, *S)``

    Returns
    -------
    float
        -1 to 1; nan, with a ``UserWarning``, if either map is constant.
    """
    map_ = np.asarray(uncertainty, np.float64)
    variance = (np.asarray(raters) > 0).var(axis=0)
    if map_.shape != variance.shape:
        raise InputError(f"The map has the shape {map_.shape}, but the raters' masks have {variance.shape}.")
    if map_.std() == 0 or variance.std() == 0:
        warnings.warn("A constant map has no correlation with another (nan).", UserWarning, stacklevel=2)
        return float("nan")
    return float(np.mean((map_ - map_.mean()) * (variance - variance.mean())) / (map_.std() * variance.std()))


def _stacks(samples: ArrayLike, raters: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    one, other = ((np.asarray(masks) > 0) for masks in (samples, raters))
    if one.shape[1:] != other.shape[1:] or not len(one) or not len(other):
        raise InputError(f"Samples {one.shape} and raters {other.shape} must be stacks of masks of one shape.")
    return one.reshape(len(one), -1).astype(np.float32), other.reshape(len(other), -1).astype(np.float32)


def _distances(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float64]:
    both = one @ other.T
    union = one.sum(axis=1)[:, None] + other.sum(axis=1)[None] - both
    alike: NDArray[np.float64] = np.divide(both, union, out=np.ones(union.shape), where=union > 0)
    return 1 - alike
