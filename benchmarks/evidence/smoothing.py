"""Measure what smoothing in time does to the flicker and the DSC of a noisy, moving phantom.

A gland phantom moves by one pixel a frame, and each frame gets its own noise. Flicker is 1 - DSC between the labels of
one frame and those of the next, moved back by that pixel: a perfect segmentation has none.

    python -m benchmarks.evidence.smoothing --frames 12 --noise 60
"""

import argparse
import sys
from itertools import pairwise

import numpy as np

from napari_ldseg import SegmentConfig, load_model, segment
from napari_ldseg.data import Image
from napari_ldseg.phantoms import phantom


def dice(one: np.ndarray, other: np.ndarray) -> float:
    """Return the DSC of two masks."""
    return 2 * np.count_nonzero(one & other) / max(np.count_nonzero(one) + np.count_nonzero(other), 1)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="glas")
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--side", type=int, default=192)
    parser.add_argument("--noise", type=float, default=60.0, help="SD of the noise, of 255")
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--smoothing", type=float, nargs="+", default=[0, 1, 2, 4])
    args = parser.parse_args()
    model = load_model(args.model, "cpu")
    picture, labels = phantom((args.side, args.side + args.frames), seed=1)
    shown = [slice(t, t + args.side) for t in range(args.frames)]
    truth = np.stack([labels[:, part] > 0 for part in shown])
    rng = np.random.default_rng(0)
    still = np.stack([picture.array[:, part] for part in shown]).astype(float)
    noisy = (still + rng.normal(0, args.noise, still.shape)).clip(0, 255).astype(np.uint8)
    image = Image(noisy, "tyxc", picture.spacing, picture.unit, "moving phantom")
    sys.stdout.write("| smoothing (frames) | DSC | flicker |\n|---|---|---|\n")
    for smoothing in args.smoothing:
        config = SegmentConfig(samples=args.samples, smoothing=smoothing, device="cpu")
        *_, last = segment(model, image, config)
        found = last.preview.labels > 0
        score = np.mean([dice(a, b) for a, b in zip(found, truth, strict=True)])
        flicker = np.mean([1 - dice(a[:, 1:], b[:, :-1]) for a, b in pairwise(found)])
        sys.stdout.write(f"| {smoothing:g} | {score:.3f} | {flicker:.4f} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
