"""Score a model of the heart on held-out patients: masks by view, phase and quality, and the ejection fraction.

    python -m benchmarks.evidence.echo --data DIR --model runs/echo --split runs/echo/split.json

DIR holds ``images``, ``labels`` and ``frames.csv`` (patient, view, phase, pixel size, image quality). Every frame is
segmented at its own resolution, the two phases of a view as a cine of two frames. The ejection fraction (EF) is that of
Simpson's biplane method on the model's masks, and the reference is the same method on the reference's masks, of the
patients whose pixel sizes are known in both views. Limits of agreement are those of Bland and Altman (Lancet 1986): the
mean difference and 1.96 SD to both sides. The share of intervals that hold the reference is printed as drawn, and after
their widths were multiplied by the factor that gives 95 % on the other half of the patients.
"""

import argparse
import csv
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from benchmarks.evidence.figures import BLUE, GREY, ORANGE, STYLE
from benchmarks.evidence.score import guess_probabilities
from napari_ldseg._util import follow
from napari_ldseg.cardiac import LIGHTS, Cardiac, light_of, measure_cardiac
from napari_ldseg.checkpoints import load_model
from napari_ldseg.config import CardiacConfig, SegmentConfig
from napari_ldseg.data import Image, read_image, read_labels
from napari_ldseg.inference import Segmentation, segment
from napari_ldseg.measure import Measured, SampleMasks
from napari_ldseg.metrics import dice
from napari_ldseg.networks import LDSeg

PHASES, VIEWS = ("ED", "ES"), ("4CH", "2CH")
STRUCTURES = ("left ventricle", "myocardium", "left atrium")
LEVEL = 0.95


@dataclass
class View:
    """Both phases of one view: reference labels, and what the model made of the frames."""

    references: list[np.ndarray]
    found: list[Segmentation]
    spacing: tuple[float, ...] | None


def rows_of(folder: Path, names: set[str] | None) -> dict[str, dict[str, dict[str, dict[str, str]]]]:
    """Return the rows of frames.csv by patient, view and phase; of the frames in ``names`` alone."""
    found: dict[str, dict[str, dict[str, dict[str, str]]]] = defaultdict(lambda: defaultdict(dict))
    with (folder / "frames.csv").open(newline="") as stream:
        for row in csv.DictReader(stream):
            if names is None or Path(row["file"]).stem in names:
                found[row["patient"]][row["view"]][row["phase"]] = row
    return found


def read(folder: Path, row: dict[str, str]) -> tuple[Image, np.ndarray]:
    """Return a frame with its pixel size, where that is known, and its reference."""
    image = read_image(folder / "images" / row["file"])
    sizes = (row["spacing_y_mm"], row["spacing_x_mm"])
    spacing = (float(sizes[0]), float(sizes[1])) if all(sizes) else None
    unit = "millimeter" if spacing else "pixel"
    return Image(image.array, image.axes, spacing, unit, row["file"]), read_labels(
        folder / "labels" / row["file"]
    ).array


def segmented(model: LDSeg, frames: list[Image], config: SegmentConfig) -> list[Segmentation]:
    """Segment each frame with the same noise for each sample."""
    return [follow(segment(model, frame, config)) for frame in frames]


def cardiac(views: dict[str, View], *, reference: bool) -> Cardiac:
    """Measure both views of a patient."""
    measured = []
    for name in VIEWS:
        view = views[name]
        labels = [view.references[i] if reference else np.asarray(view.found[i].labels) for i in range(2)]
        masks = None
        kept = [each.masks for each in view.found]
        if not reference and all(kept) and labels[0].shape == labels[1].shape:
            arrays = [each.array for each in kept if each is not None]
            masks = SampleMasks(np.stack(arrays), labels[0].shape)
        shape = tuple(np.max([each.shape for each in labels], axis=0))
        padded = [np.pad(each, [(0, a - b) for a, b in zip(shape, each.shape, strict=True)]) for each in labels]
        measured.append(Measured(np.stack(padded), 2, view.spacing, masks))
    return follow(measure_cardiac(*measured, config=CardiacConfig(widen=1.0))).at(0, 1)


def errors_by_light(fractions: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return the mean absolute error of the ejection fraction by the worst light of a patient's frames."""
    groups: dict[str, list[float]] = defaultdict(list)
    for row in fractions:
        groups[row["light"]].append(abs(row["values"][0] - row["values"][3]))
    return {key: {"patients": len(each), "mean absolute error": float(np.mean(each))} for key, each in groups.items()}


def patients(
    model: LDSeg, folder: Path, names: set[str] | None, config: SegmentConfig, limit: int | None
) -> Iterator[tuple[str, list[dict[str, Any]], Cardiac | None, Cardiac | None]]:
    """Yield a patient's name, a row of scores for each frame, and what model and reference measure of the heart."""
    for patient, by_view in list(rows_of(folder, names).items())[:limit]:
        scores, views = [], {}
        for name, by_phase in by_view.items():
            pairs = [read(folder, by_phase[phase]) for phase in PHASES if phase in by_phase]
            found = segmented(model, [image for image, _ in pairs], config)
            for (image, reference), each, phase in zip(pairs, found, by_phase, strict=True):
                row = by_phase[phase]
                values = dice(np.asarray(each.labels), reference, 4)[1:]
                guess = dice(guess_probabilities(model, image).argmax(axis=0), reference, 4)[1:]
                keys = {"view": name, "phase": phase, "quality": row["image_quality"], "ef": row["ef_percent"]}
                limits = each.provenance.get("ood_limits")
                keys["light"] = "unknown" if limits is None else light_of(float(np.max(each.ood)), limits)
                of_guess = {f"guess: {key}": float(value) for key, value in zip(STRUCTURES, guess, strict=True)}
                scores.append(keys | dict(zip(STRUCTURES, map(float, values), strict=True)) | of_guess)
            views[name] = View([reference for _, reference in pairs], found, pairs[0][0].spacing)
        whole = set(views) == set(VIEWS) and all(len(view.found) == 2 and view.spacing for view in views.values())
        both = (cardiac(views, reference=False), cardiac(views, reference=True)) if whole else (None, None)
        yield patient, scores, *both


def coverage(table: np.ndarray, factor: np.ndarray | float) -> float:
    """Return the share of references in intervals whose ends were moved away from the value by ``factor``.

    Parameters
    ----------
    table : float array, shape (patients, 4)
        Value, lower end, upper end, reference.
    factor : float array, shape (patients,), or float
    """
    value, low, high, truth = table.T
    return float(np.mean((truth >= value - factor * (value - low)) & (truth <= value + factor * (high - value))))


def widened(table: np.ndarray) -> float:
    """Return the factor by which intervals must be widened to hold the share ``LEVEL`` of the references."""
    value, low, high, truth = table.T
    side = np.where(truth < value, value - low, high - value)
    needed = np.sort(np.abs(truth - value) / np.maximum(side, 1e-6))
    return float(needed[min(len(needed) - 1, int(np.ceil(LEVEL * (len(needed) + 1))) - 1)])


def agreement(table: np.ndarray) -> dict[str, float]:
    """Return how values agree with references: see the module."""
    difference = table[:, 0] - table[:, 3]
    half = np.arange(len(table)) % 2 == 0
    factors = np.where(half, widened(table[~half]), widened(table[half]))
    return {
        "patients": len(table),
        "mean absolute error": float(np.abs(difference).mean()),
        "bias": float(difference.mean()),
        "lower limit of agreement": float(difference.mean() - 1.96 * difference.std(ddof=1)),
        "upper limit of agreement": float(difference.mean() + 1.96 * difference.std(ddof=1)),
        "correlation": float(np.corrcoef(table[:, 0], table[:, 3])[0, 1]),
        "coverage as drawn": coverage(table, 1.0),
        "coverage, widths of the other half": coverage(table, factors),
        "coverage, widths of the default": coverage(table, CardiacConfig().widen),
        "factor of the widths": widened(table),
    }


def plot(table: np.ndarray) -> Figure:
    """Draw the differences from the reference (Bland and Altman), and the share of intervals that hold it."""
    found, difference = agreement(table), table[:, 0] - table[:, 3]
    with matplotlib.rc_context(STYLE):
        figure = Figure((8, 3.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        left.plot((table[:, 0] + table[:, 3]) / 2, difference, "o", color=BLUE)
        for key, style in (("bias", "-"), ("lower limit of agreement", "--"), ("upper limit of agreement", "--")):
            left.axhline(found[key], color=ORANGE, linestyle=style)
            left.annotate(
                f"{key} {found[key]:+.1f}",
                (1, found[key]),
                xycoords=("axes fraction", "data"),
                ha="right",
                va="bottom",
                color=ORANGE,
            )
        left.set(xlabel="mean of model and reference, EF in %", ylabel="model - reference, points")
        factors = np.linspace(0.5, 4, 71)
        right.plot(factors, [coverage(table, float(factor)) for factor in factors], color=BLUE)
        right.axhspan(0.9, 0.98, color=GREY, alpha=0.3, linewidth=0)
        right.axvline(CardiacConfig().widen, color=ORANGE, linestyle="--", label="the default")
        right.set(xlabel="interval widened by", ylabel="share that holds the reference", ylim=(0, 1.02))
        right.legend(loc="lower right")
    return figure


def table_of(rows: list[dict[str, Any]], key: str) -> dict[str, dict[str, float]]:
    """Return the mean scores by one property of the frames."""
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[str(row[key])].append(row)
    return {name: means(group) for name, group in sorted(groups.items())}


def means(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Return the mean scores, and how many frames they stand on."""
    columns = [*STRUCTURES, *(f"guess: {name}" for name in STRUCTURES)]
    found = {name: round(float(np.nanmean([row[name] for row in rows])), 4) for name in columns}
    return {"frames": len(rows), **found}


def main() -> None:
    """Score, print the tables, and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--split", type=Path, help="split.json of the training; default: all frames")
    parser.add_argument("--samples", type=int, default=20)
    parser.add_argument("--limit", type=int, help="how many patients")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="JSON file with the tables and all rows")
    parser.add_argument("--plot", type=Path, help="SVG file for the ejection fraction's agreement and coverage")
    args = parser.parse_args()
    names = set(json.loads(args.split.read_text())["validation"]) if args.split else None
    model, config = load_model(args.model, "cpu"), SegmentConfig(samples=args.samples, seed=args.seed)
    rows: list[dict[str, Any]] = []
    fractions = []
    for patient, scores, found, truth in patients(model, args.data, names, config, args.limit):
        rows += [{"patient": patient, **row} for row in scores]
        if found is not None and truth is not None:
            fraction, reference = found.ejection_fraction, truth.ejection_fraction
            parts = (fraction.value, fraction.low, fraction.high, reference.value)
            light = max((row["light"] for row in scores), key=("unknown", *LIGHTS).index)
            values = [100 * part for part in parts]
            fractions.append({"patient": patient, "stated": scores[0]["ef"], "light": light, "values": values})
            print(patient, [round(100 * part, 1) for part in parts], flush=True)  # noqa: T201
    values = np.array([row["values"] for row in fractions])
    values = values[np.isfinite(values).all(axis=1)]
    report = {
        "samples": args.samples,
        "seed": args.seed,
        "sha256": model.sha256,
        "all": means(rows),
        **{key: table_of(rows, key) for key in ("view", "phase", "quality", "light")},
        "ejection fraction (points)": {key: round(value, 3) for key, value in agreement(values).items()},
        "ejection fraction by light": errors_by_light(fractions),
    }
    print(json.dumps(report, indent=1))  # noqa: T201
    if args.plot:
        with matplotlib.rc_context(STYLE):
            plot(values).savefig(args.plot, metadata={"Date": None})
    if args.out:
        args.out.write_text(json.dumps(report | {"fractions": fractions, "frames": rows}, indent=1))


if __name__ == "__main__":
    main()
