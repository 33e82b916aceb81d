"""What smoothing in time is worth on whole beats: DSC, flicker, how smooth the area of the ventricle runs, and the EF.

    python -m benchmarks.evidence.cine models/echo --phantoms 6 --cine cine.dcm

Phantoms (docs/phantoms.md) with seeds that no training has used have a true mask in every frame. Flicker is the mean of
1 - DSC of neighbouring frames, less that of the true masks, which move. Roughness is the SD of the second difference of
the ventricle's area along time, in percent of its mean, less that of the truth in quadrature; spikes are frames whose
area differs by more than 5 % from the mean of their neighbours. Of a real cine there is no truth, so that its numbers
include the motion.
"""

import argparse
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np

from napari_ldseg import SegmentConfig, load_model, segment
from napari_ldseg._util import follow
from napari_ldseg.cardiac import measure_cardiac
from napari_ldseg.data import Image, read_image
from napari_ldseg.measure import Measured
from napari_ldseg.metrics import dice
from napari_ldseg.networks import LDSeg
from napari_ldseg.phantoms import echo_cine

SEED = 7000
SPIKE = 0.05


def flicker(labels: np.ndarray) -> float:
    """Return the mean of 1 - DSC of neighbouring frames."""
    return float(np.mean([1 - np.nanmean(dice(a, b, 4)[1:]) for a, b in pairwise(labels)]))


def bend(labels: np.ndarray) -> np.ndarray:
    """Return the second difference of the ventricle's area along time, halved, as a share of its mean."""
    area = (labels == 1).sum(axis=(1, 2)).astype(float)
    return (area[1:-1] - (area[:-2] + area[2:]) / 2) / max(area.mean(), 1)


def fraction(labels: np.ndarray, spacing: tuple[float, ...] | None) -> float:
    """Return the ejection fraction in percent."""
    return 100 * follow(measure_cardiac(Measured(labels, 2, spacing))).ejection_fraction.value


def row_of(model: LDSeg, image: Image, truth: np.ndarray | None, smoothing: float, samples: int) -> list[float]:
    """Return DSC, flicker, roughness in percent, spikes and the error of the EF."""
    config = SegmentConfig(samples=samples, smoothing=smoothing, device="cpu", keep_mb=0)
    labels = follow(segment(model, image, config)).labels
    rough = float(bend(labels).std())
    spikes = int((np.abs(bend(labels)) > SPIKE).sum())
    if truth is None:
        return [np.nan, flicker(labels), 100 * rough, spikes, np.nan]
    score = float(np.mean([np.nanmean(dice(a, b, 4)[1:]) for a, b in zip(labels, truth, strict=True)]))
    excess = np.sqrt(max(rough**2 - float(bend(truth).std()) ** 2, 0))
    error = abs(fraction(labels, image.spacing) - fraction(truth, image.spacing))
    return [score, flicker(labels) - flicker(truth), 100 * excess, spikes, error]


def main() -> None:
    """Print a table for the phantoms, and one for each cine."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--phantoms", type=int, default=6)
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--cine", type=Path, nargs="*", default=[])
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--smoothing", type=float, nargs="+", default=[0, 0.5, 1, 1.5, 2, 3])
    args = parser.parse_args()
    model = load_model(args.model, "cpu")
    hearts = [echo_cine(SEED + number, frames=args.frames) for number in range(args.phantoms)]
    sets = [("phantoms", [(heart.image, np.asarray(heart.labels)) for heart in hearts])] if hearts else []
    sets += [(path.name, [(read_image(path), None)]) for path in args.cine]
    for name, cases in sets:
        sys.stdout.write(
            f"{name}\n| smoothing | DSC | flicker | roughness (%) | spikes | EF error |\n|---|---|---|---|---|---|\n"
        )
        for smoothing in args.smoothing:
            rows = [row_of(model, image, truth, smoothing, args.samples) for image, truth in cases]
            score, change, rough, spikes, error = np.mean(rows, axis=0)
            sys.stdout.write(
                f"| {smoothing:g} | {score:.3f} | {change:.4f} | {rough:.2f} | {spikes:.1f} | {error:.1f} |\n"
            )
            sys.stdout.flush()


if __name__ == "__main__":
    main()
