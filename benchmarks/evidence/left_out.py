r"""Score a few-shot recipe by leave-one-out: train on phantoms, fine-tune on all groups but one, score that group.

    python scripts/datasets/knee_phantoms.py --count 40 --out P
    python -m benchmarks.evidence.left_out models/knee/recipe/*.json --images D/images --labels D/labels \
        --phantoms P --out runs/knee

The first settings train a model on the phantoms. The next ones fine-tune it on the real images, each taken
``--copies`` times, and on ``--keep`` of the phantoms, so that the model does not forget them. A step that trains the
decoder alone uses the real images only. Each group (patient, with ``--groups``; otherwise image) is left out in turn,
and scored by the model before and after fine-tuning. ``--release`` leaves out nothing and scores nothing: this is how
the released model is made. Finished runs are not repeated.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from napari_ldseg._util import follow, write_text
from napari_ldseg._version import __version__
from napari_ldseg.config import ModelConfig, TrainConfig
from napari_ldseg.data import read_image, read_labels
from napari_ldseg.datasets import Pair, find_pairs
from napari_ldseg.metrics import dice
from napari_ldseg.networks import LDSeg
from napari_ldseg.training import fine_tune, train

from .score import scores_of, segmentation

Row = dict[str, object]


def tuned(parent: LDSeg, real: list[Pair], kept: list[Pair], steps: list[dict], copies: int, out: Path) -> LDSeg:
    """Run all steps of fine-tuning."""
    for number, settings in enumerate(steps, 2):
        config = TrainConfig.parse(settings["train"])
        pairs = real if config.learn == "decoder" else [*real * copies, *kept]
        folder = out / str(number)
        parent = follow(fine_tune(parent, pairs, config, folder, name=parent.config.name))
    return parent


def scored(parent: LDSeg, model: LDSeg, pair: Pair, samples: int) -> Row:
    """Score one image: mean of the samples, each class, one sample, first guess; and the parent model."""
    image, reference = read_image(pair.image), read_labels(pair.labels).array
    found = scores_of(model, image, reference, samples)
    names = {"mean": "dsc_mean", **{name: f"dsc_{name}" for name in model.config.class_names[1:]}}
    names |= {"one sample": "dsc_single", "first guess": "dsc_guess"}
    row: Row = {"image": pair.image.name, "group": pair.group}
    row |= {name: found[key] for name, key in names.items() if key in found}
    before = dice(segmentation(parent, image, samples, 0), reference, model.config.network.classes)[1:]
    return {**row, "phantoms alone": float(np.nanmean(before))}


def main() -> None:
    """Train and score, then print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("settings", type=Path, nargs="+", help="JSON files, the first with the model")
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--groups", type=Path)
    parser.add_argument("--phantoms", type=Path, required=True, help="folder with images and labels")
    parser.add_argument("--pretrained", type=Path, help="weights that the image encoder's backbone starts from")
    parser.add_argument("--copies", type=int, default=6)
    parser.add_argument("--keep", type=int, default=12)
    parser.add_argument("--only", nargs="+", help="groups")
    parser.add_argument("--release", action="store_true")
    parser.add_argument("--samples", type=int, default=5)
    parser.add_argument("--minutes", type=float, help="of each step, instead of those in its settings")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    first, *steps = [json.loads(path.read_text()) for path in args.settings]
    for settings in (first, *steps) if args.minutes else ():
        settings["train"]["minutes"] = args.minutes
    phantoms = find_pairs(args.phantoms / "images", args.phantoms / "labels")
    real = find_pairs(args.images, args.labels, groups=args.groups)
    config, folder = TrainConfig.parse(first["train"]), args.out / "phantoms"
    model = ModelConfig.parse(first["model"])
    parent = follow(train(phantoms, model, config, folder, pretrained=args.pretrained))
    kept = phantoms[:: max(1, len(phantoms) // max(args.keep, 1))][: args.keep]
    if args.release:
        tuned(parent, real, kept, steps, args.copies, args.out / "all")
        return
    rows: list[Row] = []
    for group in args.only or sorted({pair.group for pair in real}):
        rest = [pair for pair in real if pair.group != group]
        last = tuned(parent, rest, kept, steps, args.copies, args.out / f"without_{group}")
        rows += [scored(parent, last, pair, args.samples) for pair in real if pair.group == group]
        print(json.dumps(rows[-1]), flush=True)  # noqa: T201
        keys = [key for key in rows[0] if key not in ("image", "group")]
        means = {key: round(float(np.mean([row[key] for row in rows])), 4) for key in keys}
        report = {"version": __version__, "samples": args.samples, "means": means, "images": rows}
        write_text(args.out / "scores.json", json.dumps(report, indent=1))
    print(f"mean of {len(rows)} images: {means}")  # noqa: T201


if __name__ == "__main__":
    main()
