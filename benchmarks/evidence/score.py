r"""Score a model on the validation images of its split: single samples, their mean, and the first guess.

    python -m benchmarks.evidence.score models/glas --images DIR --labels DIR --foreground \
        --split models/glas/evaluation/split.json

prints one line per image and the means. ``--out FILE`` writes them as JSON.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from napari_ldseg._util import follow
from napari_ldseg._version import __version__
from napari_ldseg.checkpoints import load_model
from napari_ldseg.config import SegmentConfig
from napari_ldseg.data import Image, convert_spacing, read_image, read_labels
from napari_ldseg.data._names import stem
from napari_ldseg.datasets import find_pairs
from napari_ldseg.inference import segment
from napari_ldseg.inference._preprocess import prepare, restore
from napari_ldseg.metrics import dice, iou
from napari_ldseg.networks import LDSeg
from napari_ldseg.plan import frames, plan_grid


def segmentation(model: LDSeg, image: Image, samples: int, seed: int, views: int | None = None) -> np.ndarray:
    """Return the labels of the mean of ``samples`` samples."""
    return follow(segment(model, image, SegmentConfig(samples=samples, seed=seed, views=views))).labels


def first_guess(model: LDSeg, image: Image) -> np.ndarray:
    """Return the labels of the deterministic first guess, without diffusion."""
    return guess_probabilities(model, image).argmax(axis=0)


@torch.no_grad()
def guess_probabilities(model: LDSeg, image: Image) -> np.ndarray:
    """Return the class probabilities of the first guess, (classes, *S)."""
    ((_, pixels),) = frames(image, model.config)
    spacing = convert_spacing(image.spacing, image.unit, model.config.input.unit)
    grid = plan_grid(image.shape, spacing, model.config)
    _, logits = model.embed(prepare(pixels, grid, model.config).to(next(model.parameters()).device))
    return restore(logits.softmax(dim=1).cpu(), grid)[0].numpy()


def annotated(
    images: Path, labels: Path, split: Path | None, *, part: str = "validation", foreground: bool = False
) -> Iterator[tuple[str, Image, np.ndarray]]:
    """Yield name, image and reference of one part of a split, or of all images.

    With ``foreground`` every label above 0 becomes 1.
    """
    names = json.loads(split.read_text())[part] if split else None
    for pair in find_pairs(images, labels):
        name = stem(pair.image)
        if names is None or name in names:
            reference = read_labels(pair.labels).array
            yield name, read_image(pair.image), (reference > 0).astype(np.uint8) if foreground else reference


def scores_of(
    model: LDSeg, image: Image, reference: np.ndarray, samples: int, seed: int = 0, views: int | None = None
) -> dict[str, float]:
    """Return DSC and IoU of one image: single samples, their mean, the first guess, and each of several classes."""
    singles = [segmentation(model, image, 1, seed + 1 + i, 1) for i in range(samples)]
    found = {"mean": segmentation(model, image, samples, seed, views)}
    if model.config.network.guess:
        found["guess"] = first_guess(model, image)
    classes = model.config.network.classes
    row = {"dsc_single": float(np.mean([np.nanmean(dice(s, reference, classes)[1:]) for s in singles]))}
    scores = {key: dice(labels, reference, classes)[1:] for key, labels in found.items()}
    for key, labels in found.items():
        row[f"dsc_{key}"] = float(np.nanmean(scores[key]))
        row[f"iou_{key}"] = float(np.nanmean(iou(labels, reference, classes)[1:]))
    if classes > 2:
        names_of = model.config.class_names[1:]
        row |= {f"dsc_{key}": float(value) for key, value in zip(names_of, scores["mean"], strict=True)}
    return row


def main() -> None:
    """Score every image, then print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--split", type=Path, help="split.json of the training; default: all images")
    parser.add_argument("--part", default="validation", choices=("validation", "training"))
    parser.add_argument("--foreground", action="store_true", help="every label above 0 is class 1")
    parser.add_argument("--samples", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--views", type=int, help="mirror images that the samples take turns with; default: the model's"
    )
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    model = load_model(args.model)
    rows = []
    cases = annotated(args.images, args.labels, args.split, part=args.part, foreground=args.foreground)
    for name, image, reference in cases:
        row = {"image": name, **scores_of(model, image, reference, args.samples, args.seed, args.views)}
        rows.append(row)
        print(json.dumps(row), flush=True)  # noqa: T201
    keys = [key for key in rows[0] if key != "image"]
    means = {key: round(float(np.nanmean([row[key] for row in rows])), 4) for key in keys}
    print(f"mean of {len(rows)} images: {means}")  # noqa: T201
    if args.out:
        report = {
            "version": __version__,
            "model": model.config.name,
            "sha256": model.sha256,
            "samples": args.samples,
            "seed": args.seed,
            "means": means,
            "images": rows,
        }
        args.out.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
