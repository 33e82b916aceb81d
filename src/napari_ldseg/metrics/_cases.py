"""Compute all scores of one case, and summarise them over many cases."""

import warnings
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from ._calibration import auroc, sparsification_error
from ._glas import label_objects, object_scores
from ._overlap import checked_masks, dice, iou
from ._surface import average_surface_distance, hd95


class Summary(NamedTuple):
    """One score over many cases.

    Attributes
    ----------
    mean : float
        The mean over the cases where the score is defined; nan if there is none.
    low, high : float
        95 % percentile bootstrap interval of the mean (Efron & Tibshirani 1993); nan with fewer than two cases.
    cases : int
        The number of cases where it is defined.
    """

    mean: float
    low: float
    high: float
    cases: int


def score_case(
    prediction: ArrayLike,
    reference: ArrayLike,
    *,
    spacing: Sequence[float] | None = None,
    class_names: Sequence[str] = (),
    objects: bool = False,
    sd: ArrayLike | None = None,
    unlabelled: int | None = None,
) -> dict[str, float]:
    """Compare one mask with its reference.

    Parameters
    ----------
    prediction, reference : integer arrays of one shape
        Class indices; 0 is the background.
    spacing : sequence of float, optional
        Pixel size along each axis; distances are in its unit, otherwise in pixels.
    class_names : sequence of str, optional
        Names for the keys, background first; by default the class's number.
    objects : bool
        Also compare connected objects as the GlaS challenge does (``f1``, ``object_dsc``, ``object_hausdorff``).
    sd : float array of the same shape, optional
        Uncertainty of the prediction. It is scored by how well it finds wrong pixels (``error_auroc``, ``error_ause``).
    unlabelled : int, optional
        The reference's value for unannotated pixels. They count as background in both masks, and the uncertainty's
        scores ignore them.

    Returns
    -------
    dict
        ``dsc``, ``iou``, ``hd95`` and ``assd`` (of the only class, or the mean over all classes above 0 beside that of
        each class, as ``dsc class``), and the optional scores. nan if a score is not defined.

    Raises
    ------
    InputError
        If shapes differ or values are no classes.
    """
    predicted, true = checked_masks(prediction, reference)
    known = np.ones(true.shape, bool) if unlabelled is None else true != unlabelled
    predicted, true = predicted * known, true * known
    classes = max(int(predicted.max(initial=0)), int(true.max(initial=0)), len(class_names) - 1, 1) + 1
    names = [*class_names, *map(str, range(len(class_names), classes))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # undefined scores are nan in the table
        each: dict[str, list[float]] = {
            "dsc": dice(predicted, true, classes)[1:].tolist(),
            "iou": iou(predicted, true, classes)[1:].tolist(),
            "hd95": [hd95(predicted == c, true == c, spacing) for c in range(1, classes)],
            "assd": [average_surface_distance(predicted == c, true == c, spacing) for c in range(1, classes)],
        }
        row = {key: _mean(values) for key, values in each.items()}
        if classes > 2:
            for key, values in each.items():
                row |= {f"{key} {name}": value for name, value in zip(names[1:], values, strict=True)}
        if objects:
            scores = object_scores(label_objects(predicted), label_objects(true))
            row |= {"f1": scores.f1, "object_dsc": scores.dice, "object_hausdorff": scores.hausdorff}
        if sd is not None:
            if np.shape(sd) != predicted.shape:
                raise InputError(
                    f"The uncertainty map has the shape {np.shape(sd)}, but its mask has {predicted.shape}; "
                    "they must come from one run."
                )
            unsure, wrong = np.asarray(sd)[known], (predicted != true)[known]
            row |= {"error_auroc": auroc(unsure, wrong), "error_ause": sparsification_error(unsure, wrong)}
    return row


def summarize(rows: Sequence[Mapping[str, float]], *, draws: int = 2000, seed: int = 0) -> dict[str, Summary]:
    """Average each score over the cases, with a 95 % bootstrap interval (``draws`` resamplings of the cases)."""
    keys = dict.fromkeys(key for row in rows for key in row)
    found = {}
    for key in keys:
        values = np.array([row.get(key, np.nan) for row in rows], np.float64)
        found[key] = _summary(values[np.isfinite(values)], np.random.default_rng(seed), draws)
    return found


def _summary(values: NDArray[np.float64], random: np.random.Generator, draws: int) -> Summary:
    if not values.size:
        return Summary(float("nan"), float("nan"), float("nan"), 0)
    if values.size < 2:
        return Summary(float(values[0]), float("nan"), float("nan"), 1)
    means = values[random.integers(values.size, size=(draws, values.size))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Summary(float(values.mean()), float(low), float(high), int(values.size))


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")
