"""Scores of files against reference files, as a table and with where they came from."""

import csv
import io
import json
import math
from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

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
        From :func:`napari_ldseg.data.match_masks`. Pixels of a reference with the label 255 are left out. A map
        ``<stem>_sd`` beside a prediction ``<stem>_labels`` is used.
    foreground : bool
        Take every value above 0 as class 1, in both masks.
    objects : bool
        Also the object scores of the GlaS challenge.

    Yields
    ------
    Progress
        Before each case, with the name of the prediction.

    Raises
    ------
    InputError
        Naming the files that do not fit each other.
    """
    rows = {}
    for index, (prediction, reference) in enumerate(pairs):
        yield Progress(index, len(pairs), prediction.name)
        found, true = read_labels(prediction), read_labels(reference)
        if found.array.shape != true.array.shape:
            raise InputError(
                f"{prediction.name} has the shape {found.array.shape}, but {reference.name} has {true.array.shape}; "
                "compare masks on the same grid."
            )
        arrays = [np.asarray(mask.array) for mask in (found, true)]
        if max(int(array.max()) for array in arrays) > 255 and not foreground:
            raise InputError(
                f"{prediction.name} or {reference.name} holds more than 255 classes. If these are numbers of objects, "
                "use --foreground (all of them are class 1)."
            )
        names = (prediction.name, reference.name)
        masks = [judged_classes(*each, foreground=foreground) for each in zip(arrays, names, strict=True)]
        sd = _uncertainty(prediction)
        rows[stem(prediction)] = score_case(
            *masks,
            spacing=_spacing(found) or _spacing(true),
            objects=objects,
            sd=None if sd is None else np.asarray(sd.array),
            unlabelled=None if foreground else UNLABELLED,
        )
    return Evaluation(rows, summarize(list(rows.values())))


def evaluation_files(folder: Path, *, plot: bool = False) -> list[Path]:
    """Return where :func:`write_evaluation` writes the table, the summary and the plot."""
    return [folder / name for name in ("cases.csv", "summary.json", "scores.svg")[: 2 + plot]]


def write_evaluation(evaluation: Evaluation, folder: Path, provenance: dict[str, Any], *, plot: bool = False) -> None:
    """Write ``cases.csv`` and ``summary.json`` (and ``scores.svg``) into a folder, which is made if need be."""
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
    """Pixel size along all axes, if all of them are in space."""
    return image.spacing if image.spacing is not None and len(image.spacing) == image.array.ndim else None


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None  # JSON knows no nan
