"""Clicks of a simulated annotator: how many it takes, what each is worth, and whether the rest holds still.

    python -m benchmarks.evidence.prompts models/glas/evaluation/split.safetensors --images DIR --labels DIR \
        --split models/glas/evaluation/split.json --foreground --clicks 20 --out benchmarks/results/prompts.json

Each click falls into the middle of the largest error and says what is true of a disk (ball) that stays in its class.
It is told to the model, and, as the baseline, painted into the result without telling the model. Both are scored on the
networks' grid: mean number of clicks until a DSC of 0.90 and of 0.95 (NoC, at most ``--clicks``), DSC after each number
of clicks, seconds a click, and the DSC of what lies far from a click before and after it. A model that takes no prompts
is only painted on.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from scipy import ndimage

from napari_ldseg import __version__
from napari_ldseg.checkpoints import load_model
from napari_ldseg.config import TrainConfig
from napari_ldseg.datasets import find_pairs
from napari_ldseg.networks import LDSeg
from napari_ldseg.training._dataset import Case, load_cases
from napari_ldseg.training._steering import Steered, click_through, clicks_needed, subject_of
from napari_ldseg.training._validate import mean_dice

SHOWN = (0, 1, 2, 3, 5, 10, 15, 20)
WANTED = (0.90, 0.95)


def cases_of(args: argparse.Namespace, model: LDSeg) -> list[Case]:
    """Read the images of a part of a split, or all."""
    names = json.loads(args.split.read_text())[args.part] if args.split else None
    pairs = find_pairs(args.images, args.labels)
    cases = load_cases(pairs, model.config, TrainConfig(foreground=args.foreground))
    return [case for case in cases if names is None or case.name in names][: args.limit]


def stability(steered: Steered, far: float, classes: int) -> list[float]:
    """DSC between the labels before and after each click, of the pixels farther than ``far`` from it."""
    found = []
    for click, before, after in zip(steered.clicks, steered.labels, steered.labels[1:], strict=False):
        away = np.ones(before.shape, bool)
        away[click.centre] = False
        away = ndimage.distance_transform_edt(away) > far
        found.append(mean_dice(after[away], before[away], classes))
    return [score for score in found if not np.isnan(score)]


def row_of(model: LDSeg, case: Case, args: argparse.Namespace, radius: float, far: float) -> dict[str, object]:
    """Click through one image, once told and once painted."""
    subject = subject_of(model, case)
    options = {"radius": radius, "samples": args.samples, "seed": args.seed}
    row: dict[str, object] = {"image": case.name}
    row["painted"] = click_through(model, subject, args.clicks, way="painted", **options).scores
    if model.prompt_encoder is not None:
        begun = time.perf_counter()
        told = click_through(model, subject, args.clicks, **options)
        row["seconds"] = (time.perf_counter() - begun) / (1 + len(told.clicks))
        row["told"] = told.scores
        row["stability"] = float(np.mean(stability(told, far, model.config.network.classes) or [np.nan]))
    return row


def summary(rows: list[dict[str, object]], most: int) -> dict[str, object]:
    """Means over the images."""
    found: dict[str, object] = {}
    for way in ("painted", "told"):
        scores = [row[way] for row in rows if way in row]
        if not scores:
            continue
        found[way] = {
            **{f"NoC@{wanted:.2f}": np.mean([clicks_needed(s, wanted, most) for s in scores]) for wanted in WANTED},
            **{f"DSC {number}": np.nanmean([s[number] for s in scores]) for number in SHOWN if number <= most},
        }
    for key in ("seconds", "stability"):
        if any(key in row for row in rows):
            found[key] = float(np.nanmean([row[key] for row in rows]))
    return found


def main() -> None:
    """Click through every image, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--split", type=Path, help="split.json of the training; default: all images")
    parser.add_argument("--part", default="validation", choices=("validation", "training"))
    parser.add_argument("--foreground", action="store_true", help="every label above 0 is class 1")
    parser.add_argument("--limit", type=int, help="the first images only")
    parser.add_argument("--clicks", type=int, default=20)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--radius", type=float, help="of a click, in pixels of the networks; default: half a cell")
    parser.add_argument("--far", type=float, help="in pixels of the networks; default: six cells (100 um for glas)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    model = load_model(args.model)
    factor = model.config.network.factor
    radius, far = args.radius or factor / 2, args.far or 6.25 * factor
    rows = []
    for case in cases_of(args, model):
        rows.append(row_of(model, case, args, radius, far))
        print(json.dumps(rows[-1]), flush=True)  # noqa: T201
    means = summary(rows, args.clicks)
    print(f"mean of {len(rows)} images: {json.dumps(means)}")  # noqa: T201
    if args.out:
        settings = {"samples": args.samples, "seed": args.seed, "radius": radius, "far": far, "clicks": args.clicks}
        report = {
            "version": __version__,
            "model": model.config.name,
            "sha256": model.sha256,
            **settings,
            "means": means,
            "images": rows,
        }
        args.out.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
