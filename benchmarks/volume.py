"""Seconds and peak memory of a 3D model on a volume of full size, from the image to the mask.

    python benchmarks/volume.py --model knee --samples 1 20

Each number of samples has a process of its own, so that its peak memory is its own; the first run warms up.
"""

import argparse
import resource
import subprocess
import sys
import time

import torch

from napari_ldseg._follow import follow
from napari_ldseg.checkpoints import load_model
from napari_ldseg.config import SegmentConfig
from napari_ldseg.data import volume_phantom
from napari_ldseg.inference import segment

SHAPE = (240, 104, 160)


def measure(model: str, samples: int, threads: int) -> None:
    """Segment a phantom twice, print the time of the second run and the peak memory."""
    torch.set_num_threads(threads)
    network = load_model(model, "cpu")
    image, _ = volume_phantom(0, SHAPE)
    for _ in range(2):
        start = time.perf_counter()
        follow(segment(network, image, SegmentConfig(samples=samples, device="cpu")))
        seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"N = {samples:3d}, {threads} threads: {seconds:6.2f} s, peak {peak / 2**20:.2f} GB", flush=True)  # noqa: T201


def main() -> None:
    """Start a process for each number of samples."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="knee")
    parser.add_argument("--samples", type=int, nargs="+", default=[1, 20])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.here:
        measure(args.model, args.samples[0], args.threads)
        return
    for samples in args.samples:
        command = [sys.executable, __file__, "--model", args.model, "--samples", str(samples), "--here"]
        subprocess.run([*command, "--threads", str(args.threads)], check=True)


if __name__ == "__main__":
    main()
