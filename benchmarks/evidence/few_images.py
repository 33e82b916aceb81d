r"""Compare fine-tuning on a few images with training from scratch, at equal minutes.

    python -m benchmarks.evidence.few_images MODEL --images DIR --labels DIR --groups CSV --hold patient0001 \
        --counts 2 4 8 --learn auto scratch --minutes 5

Images of the groups in ``--hold`` are never used for training: they give the mean DSC per image before and after. Of
the others, the first ``--counts`` of a shuffled list are used, with the defaults of ``napari-ldseg fine-tune``.
``--shift stain`` changes hue and gamma of every image by the same large amount, as another laboratory would.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from skimage import color

from napari_ldseg._version import __version__
from napari_ldseg.checkpoints import load_model
from napari_ldseg.config import TrainConfig
from napari_ldseg.data import read_image, read_labels, write_image
from napari_ldseg.datasets import Pair, find_pairs
from napari_ldseg.metrics import dice
from napari_ldseg.networks import LDSeg
from napari_ldseg.training import fine_tune

from .score import segmentation

HUE, GAMMA = 0.33, 1.6


def shift_stain(rgb: np.ndarray) -> np.ndarray:
    """Turn the hue by a third of the circle and darken."""
    hsv = color.rgb2hsv(rgb[..., :3])
    hsv[..., 0] = (hsv[..., 0] + HUE) % 1
    return (255 * color.hsv2rgb(hsv) ** GAMMA).round().astype(np.uint8)


def shifted(pairs: list[Pair], folder: Path) -> list[Pair]:
    """Write the images in changed colours."""
    found = []
    for pair in pairs:
        image = read_image(pair.image)
        path = folder / f"{pair.image.stem}.tif"
        geometry = {"spacing": image.spacing, "unit": image.unit, "metadata": {}}
        write_image(path, shift_stain(image.array), image.axes, **geometry)
        found.append(Pair(path, pair.labels, pair.group))
    return found


def score(model: LDSeg, pairs: list[Pair], *, foreground: bool) -> float:
    """Return the mean foreground DSC per image, from the mean of four samples."""
    scores = []
    for pair in pairs:
        reference = read_labels(pair.labels).array
        reference = (reference > 0).astype(np.uint8) if foreground else reference
        labels = segmentation(model, read_image(pair.image), 4, 0)
        scores.append(np.nanmean(dice(labels, reference, model.config.network.classes)[1:]))
    return round(float(np.mean(scores)), 4)


def main() -> None:
    """Train with each number of images in each way, and print one line of JSON each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--groups", type=Path)
    parser.add_argument("--hold", nargs="+", required=True, help="groups that are scored on")
    parser.add_argument("--counts", nargs="+", type=int, default=[2, 4, 8])
    parser.add_argument("--learn", nargs="+", default=["auto", "scratch"])
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--shift", choices=("none", "stain"), default="none")
    parser.add_argument("--foreground", action="store_true")
    parser.add_argument("--limit", type=int, help="score on so many of the held-out images only")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    base = load_model(args.model)
    with tempfile.TemporaryDirectory() as scratch:
        pairs = find_pairs(args.images, args.labels, groups=args.groups)
        pairs = shifted(pairs, Path(scratch)) if args.shift == "stain" else pairs
        held = [pair for pair in pairs if pair.group in args.hold][: args.limit]
        rest = [pair for pair in pairs if pair.group not in args.hold]
        order = np.random.default_rng(args.seed).permutation(len(rest))
        common = {"version": __version__, "model": base.config.name, "sha256": base.sha256, "held": len(held)}
        before = score(base, held, foreground=args.foreground)
        print(json.dumps({**common, "count": 0, "learn": "nothing", "dsc": before}), flush=True)  # noqa: T201
        for count in args.counts:
            for learn in args.learn:
                config = TrainConfig.for_fine_tuning(
                    minutes=args.minutes, foreground=args.foreground, learn=learn, seed=args.seed
                )
                run = Path(scratch) / f"{count}-{learn}"
                for epoch in fine_tune(base, [rest[i] for i in order[:count]], config, run):
                    if epoch.validation is not None:
                        print(f"  step {epoch.done}: {epoch.validation:.3f}", flush=True)  # noqa: T201
                tuned = score(load_model(run / "model.safetensors"), held, foreground=args.foreground)
                row = {**common, "count": count, "learn": learn, "minutes": args.minutes, "dsc": tuned}
                print(json.dumps(row), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
