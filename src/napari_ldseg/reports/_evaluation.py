"""Score masks against references: two arrays, or files with a table and their provenance."""

import csv
import io
import json
import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._util import Progress, write_text
from ..data import Image, beside, read_image, read_labels, stem
from ..datasets import UNLABELLED, judged_classes
from ..errors import InputError
from ..metrics import Summary, score_case, summarize
from ._plot import plot_scores


@dataclass(frozen=True)
class Evaluation:
    """The scores of each case, and over all of them."""

    rows: dict[str, dict[str, float]]
    summary: dict[str, Summary]


@dataclass(frozen=True)
class Comparison:
    """The result of comparing one mask with its reference.

    Attributes
    ----------
    scores : dict of float
        As :func:`napari_ldseg.metrics.score_case` gives them.
    errors : uint8 array
        The kind of error in each pixel, as an index into ``ERRORS``.
    """

    scores: dict[str, float]
    errors: NDArray[np.uint8]


ERRORS = ("none", "missed", "too much", "other class")
MOST_CLASSES = 255


def compare(
    prediction: NDArray[Any],
    reference: NDArray[Any],
    names: tuple[str, str],
    *,
    spacing: Sequence[float] | None = None,
    foreground: bool = False,
    objects: bool = False,
    sd: NDArray[Any] | None = None,
) -> Comparison:
    """Compare a mask with its reference.

    Parameters
    ----------
    prediction, reference : integer arrays of one shape
        Pixels of the reference with the label 255 are left out.
    names : (str, str)
        The names of both, for messages.
    spacing : sequence of float, optional
        Pixel size along each axis.
    foreground : bool
        Make every value above 0 class 1, in both masks, including 255.
    objects : bool
        Add the object scores of the GlaS challenge.
    sd : float array of the same shape, optional
        Uncertainty of the prediction.

    Raises
    ------
    InputError
        If the shapes differ, or the values are no classes.
    """
    if prediction.shape != reference.shape:
        raise InputError(
            f"{names[0]} has the shape {prediction.shape}, but {names[1]} has {reference.shape}; "
            "compare masks on the same grid."
        )
    arrays = (prediction, reference)
    if max(int(array.max(initial=0)) for array in arrays) > MOST_CLASSES and not foreground:
        raise InputError(
            f"{names[0]} or {names[1]} holds more than {MOST_CLASSES} classes. If these are numbers of objects, use "
            "--foreground (in the viewer: 'All labels above 0 are one class')."
        )
    predicted, true = (judged_classes(*each, foreground=foreground) for each in zip(arrays, names, strict=True))
    unlabelled = None if foreground else UNLABELLED
    scores = score_case(predicted, true, spacing=spacing, objects=objects, sd=sd, unlabelled=unlabelled)
    wrong = predicted != true
    if unlabelled is not None:
        wrong &= true != unlabelled
    errors = wrong * np.where(predicted == 0, 1, np.where(true == 0, 2, 3))
    return Comparison(scores, errors.astype(np.uint8))


def evaluate(
    pairs: list[tuple[Path, Path]],
    *,
    foreground: bool = False,
    objects: bool = False,
) -> Generator[Progress, None, Evaluation]:
    """Compare predicted masks with references.

    Parameters
    ----------
    pairs : list of (prediction, reference)
        From :func:`napari_ldseg.datasets.match_masks`. A map ``<stem>_sd`` beside ``<stem>_labels`` is used as SD.
    foreground, objects : bool
        See :func:`compare`.

    Yields
    ------
    Progress
        Before each case, with the name of the prediction.

    Raises
    ------
    InputError
        If files do not fit each other; the message names them.
    """
    rows = {}
    for index, (prediction, reference) in enumerate(pairs):
        yield Progress(index, len(pairs), prediction.name)
        found, true = read_labels(prediction), read_labels(reference)
        sd = _uncertainty(prediction)
        rows[stem(prediction)] = compare(
            np.asarray(found.array),
            np.asarray(true.array),
            (prediction.name, reference.name),
            spacing=_spacing(found) or _spacing(true),
            foreground=foreground,
            objects=objects,
            sd=None if sd is None else np.asarray(sd.array),
        ).scores
    return Evaluation(rows, summarize(list(rows.values())))


def evaluation_files(folder: Path, *, plot: bool = False) -> list[Path]:
    """Return the paths of the table, the summary and the plot that :func:`write_evaluation` writes."""
    return [folder / name for name in ("cases.csv", "summary.json", "scores.svg")[: 2 + plot]]


def write_evaluation(evaluation: Evaluation, folder: Path, provenance: dict[str, Any], *, plot: bool = False) -> None:
    """Write ``cases.csv`` and ``summary.json`` (and ``scores.svg``) into a folder; create it if needed."""
    cases, summary, *drawing = evaluation_files(folder, plot=plot)
    picture = plot_scores(evaluation.rows.values(), evaluation.summary) if plot else None
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, ["case", *evaluation.summary], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({"case": case, **row} for case, row in evaluation.rows.items())
    write_text(cases, table.getvalue())
    scores = {key: {k: _plain(v) for k, v in value._asdict().items()} for key, value in evaluation.summary.items()}
    date = datetime.now(UTC).isoformat(timespec="seconds")
    write_text(summary, json.dumps({**provenance, "date": date, "scores": scores}, indent=1))
    if picture is not None:
        write_text(drawing[0], picture)


def _uncertainty(prediction: Path) -> Image | None:
    path = beside(prediction, "sd")
    return read_image(path) if path is not None else None


def _spacing(image: Image) -> tuple[float, ...] | None:
    """Return the pixel size along all axes if all of them are spatial."""
    return image.spacing if image.spacing is not None and len(image.spacing) == image.array.ndim else None


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None  # JSON has no nan
