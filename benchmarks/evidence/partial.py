"""Fine-tune on partly annotated images: honour unlabelled pixels, take them for background, or label everything.

    python -m benchmarks.evidence.partial glas --images DIR --labels DIR

The first images are for training, the next ones for scoring, all in colours that the model does not know (channels
exchanged, gamma 1.6). Each training image has one brushed region of annotation, about 20 % of its pixels. The script
prints the mean DSC per scored image before training, and after each of the three trainings.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from scipy import ndimage

from napari_ldseg._util import follow
from napari_ldseg.checkpoints import load_model
from napari_ldseg.config import SegmentConfig, TrainConfig
from napari_ldseg.data import Image, read_image, read_labels
from napari_ldseg.datasets import UNLABELLED, TrainingSet, find_pairs
from napari_ldseg.inference import segment
from napari_ldseg.metrics import foreground_dice
from napari_ldseg.networks import LDSeg
from napari_ldseg.training import fine_tune

SHARE = 0.2


def other_colours(image: Image) -> Image:
    """Exchange the channels and darken."""
    shifted = 255 * (image.array[..., [1, 2, 0]] / 255.0) ** 1.6
    return image.replace(array=shifted.round().astype(np.uint8))


def brushed(labels: np.ndarray, seed: int) -> np.ndarray:
    """Keep the labels under a smooth random brush that covers a fifth of the image; the rest is unlabelled."""
    paint = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(labels.shape), 40)
    return np.where(paint > np.quantile(paint, 1 - SHARE), labels, UNLABELLED)


def score(model: LDSeg, cases: list, samples: int) -> float:
    """Return the mean DSC per image."""
    scores = []
    for image, labels in cases:
        *_, last = segment(model, image, SegmentConfig(samples=samples))
        scores.append(foreground_dice(last.preview.labels, labels))
    return float(np.mean(scores))


def tuned(model: LDSeg, cases: list, config: TrainConfig) -> LDSeg:
    """Fine-tune on these images and labels."""
    with tempfile.TemporaryDirectory() as folder:
        found = TrainingSet.create(Path(folder) / "set", ("background", "gland"))
        for index, (image, labels) in enumerate(cases):
            found.add(image, labels, source=f"{index}")
        return follow(fine_tune(model, found.pairs(), config, Path(folder) / "run"))


def main() -> None:
    """Train three times and print the scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--train", type=int, default=4, help="images to train on")
    parser.add_argument("--score", type=int, default=6, help="images to score")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--samples", type=int, default=2)
    args = parser.parse_args()
    pairs = find_pairs(args.images, args.labels)
    pairs = pairs[:: len(pairs) // (args.train + args.score)][: args.train + args.score]
    read = [
        (other_colours(read_image(pair.image)), (read_labels(pair.labels).array > 0).astype(np.uint8)) for pair in pairs
    ]
    training, held = read[: args.train], read[args.train :]
    parts = [brushed(labels, index) for index, (_, labels) in enumerate(training)]
    arms = {
        "unlabelled is honoured": parts,
        "unlabelled is background": [np.where(part == UNLABELLED, 0, part) for part in parts],
        "everything is labelled": [labels for _, labels in training],
    }
    model = load_model(args.model)
    config = TrainConfig.for_fine_tuning(
        denoiser_steps=args.steps, warmup=10, validation=0.0, validate_every=10_000, batch=4, crop=(112, 112),
        validation_samples=1, learn="denoiser", device="cpu",
    )  # fmt: skip
    print(json.dumps({"before": round(score(model, held, args.samples), 3)}), flush=True)  # noqa: T201
    for name, labels in arms.items():
        cases = [(image, label) for (image, _), label in zip(training, labels, strict=True)]
        new = tuned(model, cases, config)
        print(json.dumps({name: round(score(new, held, args.samples), 3)}), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
