r"""Find out which score puts wrong objects first: the tables of docs/review.md.

    python -m benchmarks.evidence.ranking models/glas --images DIR --labels DIR \
        --split models/glas/evaluation/split.json

segments the validation images and compares each object with the annotated gland (instance) that it overlaps most. An
object is an *error* where their Dice is below 0.8; its *risk* is 1 - Dice. Whole images, or slices of volumes, are
ranked as well, by the scores that exist for them; their risk is 1 - DSC of the foreground.
"""

import argparse
from pathlib import Path

import numpy as np

from napari_ldseg._util import follow
from napari_ldseg.checkpoints import load_model
from napari_ldseg.config import MeasureConfig, SegmentConfig
from napari_ldseg.inference import Segmentation, segment
from napari_ldseg.measure import RANKINGS, Measured, Region, measure_frames, measure_objects
from napari_ldseg.metrics import aurc, auroc, foreground_dice, found_after

from .score import annotated

SHARES = (0.1, 0.2, 0.3)


def risk_of(region: Region, reference: np.ndarray, *, classes: bool) -> float:
    """Return 1 - Dice of an object with its class or the instance that it overlaps most; 1 if there is none."""
    if classes:
        same = reference == region.label
        return 1 - 2 * np.count_nonzero(same[region.box][region.mask]) / (region.pixels + np.count_nonzero(same))
    under = reference[region.box][region.mask]
    counts = np.bincount(under[under > 0]) if (under > 0).any() else np.zeros(1)
    if counts.max() == 0:
        return 1.0
    instance = int(counts.argmax())
    return 1 - 2 * counts[instance] / (region.pixels + np.count_nonzero(reference == instance))


def risk_of_frame(labels: np.ndarray, reference: np.ndarray) -> float:
    """Return 1 - DSC of the foreground; 0 where both masks are empty."""
    return 1 - foreground_dice(labels, reference) if labels.any() or reference.any() else 0.0


def measured(result: Segmentation) -> Measured:
    """Yield the frames of a result."""
    return Measured(
        result.labels,
        result.labels.ndim,
        result.spacing or (1.0,) * result.labels.ndim,
        result.masks,
        result.sd,
        result.mean,
    )


def interval(scores: np.ndarray, errors: np.ndarray, image: np.ndarray) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the AUROC over 1000 draws of the images."""
    rng, found = np.random.default_rng(0), []
    names = np.unique(image)
    rows = {name: np.flatnonzero(image == name) for name in names}
    for _ in range(1000):
        drawn = np.concatenate([rows[name] for name in rng.choice(names, len(names))])
        found.append(auroc(scores[drawn], errors[drawn]))
    return tuple(np.nanquantile(found, [0.025, 0.975]))


def table(title: str, scores: dict[str, np.ndarray], risks: np.ndarray, wrong: float, image: np.ndarray) -> str:
    """Return a Markdown table, the best score first."""
    errors = risks > wrong
    lines = []
    for name, values in scores.items():
        area = auroc(values, errors)
        low, high = interval(values, errors, image)
        found = " | ".join(f"{found_after(values, errors, share):.0%}" for share in SHARES)
        lines.append((area, f"| {name} | {area:.3f} ({low:.2f} to {high:.2f}) | {aurc(values, risks):.4f} | {found} |"))
    lines.sort(key=lambda pair: -pair[0])
    best = " | ".join(f"{found_after(risks, errors, share):.0%}" for share in SHARES)
    head = f"{len(risks)} ranked, {errors.sum()} errors (risk above {wrong:.3g}), mean risk {risks.mean():.3f}"
    return "\n".join(
        [
            f"\n{title}: {head}\n",
            "| score | AUROC (95 %) | AURC | " + " | ".join(f"errors in the first {s:.0%}" for s in SHARES) + " |",
            "|---" * (3 + len(SHARES)) + "|",
            *(line for _, line in lines),
            f"| random order | 0.500 | {risks.mean():.4f} | " + " | ".join(f"{share:.0%}" for share in SHARES) + " |",
            f"| (the risk itself) | 1.000 | {aurc(risks, risks):.4f} | {best} |",
        ]
    )


def main() -> None:
    """Segment, rank, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument(
        "--labels", type=Path, required=True, help="instance numbers, or the classes of a model of several"
    )
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--part", default="validation", choices=("validation", "training"))
    parser.add_argument("--samples", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--wrong", type=float, nargs="+", default=[0.2, 0.5], help="risk above which it is an error")
    args = parser.parse_args()
    model = load_model(args.model)
    classes = model.config.network.classes > 2
    objects, risks, origin = [], [], []
    frames, frame_risks, frame_origin = [], [], []
    for name, picture, reference in annotated(args.images, args.labels, args.split, part=args.part):
        config = SegmentConfig(samples=args.samples, seed=args.seed, keep_mb=1024)
        result = follow(segment(model, picture, config))
        found = follow(measure_objects(measured(result), MeasureConfig(shapes=False)))
        objects += found
        risks += [risk_of(one.region, reference, classes=classes) for one in found]
        origin += [name] * len(found)
        wholes = follow(measure_frames(measured(result)))
        frames += wholes
        frame_origin += [name] * len(wholes)
        places = [one.region.frame for one in wholes]
        frame_risks += [risk_of_frame(result.labels[place], reference[place]) for place in places]
    volumes = model.config.network.ndim == 3
    frame_wrong = args.wrong[0] if volumes else float(np.median(frame_risks))
    for title, ranked, risk, wrong, image in (
        *(("Objects", objects, risks, wrong, origin) for wrong in args.wrong),
        ("Slices" if volumes else "Images", frames, frame_risks, frame_wrong, frame_origin),
    ):
        scores = {name: np.array([one.scores[name] for one in ranked]) for name in RANKINGS}
        # An undefined score (size variation of an object that is in no sample) counts as the most uncertain.
        filled = {name: np.where(np.isfinite(values), values, 1e9) for name, values in scores.items()}
        used = {name: values for name, values in filled.items() if len(set(values)) > 1}
        print(table(title, used, np.array(risk), wrong, np.array(image)), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
