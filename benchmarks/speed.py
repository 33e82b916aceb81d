"""Time from image to mask, on the CPU or a GPU: embedding, K steps, decoding, statistics.

    python benchmarks/speed.py [--models glas paper] [--threads 2] [--size 256] [--samples 1 100]

``paper`` is the paper's own setting (one latent and one embedding channel) with random weights.
"""

import argparse
import platform
import time

import numpy as np
import torch

from napari_ldseg.checkpoints import load_model
from napari_ldseg.config import InputConfig, ModelConfig, SegmentConfig
from napari_ldseg.data import Image
from napari_ldseg.inference import segment
from napari_ldseg.networks import LDSeg


def network(name: str, size: int) -> LDSeg:
    """Return a model that sees ``size`` pixels a side."""
    if name == "paper":
        torch.manual_seed(0)
        return LDSeg(ModelConfig(name="paper", input=InputConfig(shape=(size, size)))).eval().requires_grad_(False)
    model = load_model(name)
    given = model.config.input.replace(mode="fit", shape=(size, size))
    model.config = model.config.replace(input=given.model_dump())
    return model


def seconds(model: LDSeg, image: Image, config: SegmentConfig, repeats: int) -> float:
    """Median time of a whole run after one run to warm up."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        for _progress in segment(model, image, config):
            pass
        times.append(time.perf_counter() - start)
    return float(np.median(times[1:]))


def main() -> None:
    """Print one line per model and number of samples."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["glas", "paper"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--samples", type=int, nargs="+", default=[1, 10, 100])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    pixels = np.random.default_rng(0).integers(0, 255, (args.size, args.size, 3), dtype=np.uint8)
    image = Image(pixels, "yxc")
    print(f"{platform.processor() or platform.machine()}, {args.threads} threads, torch {torch.__version__}")  # noqa: T201
    for name in args.models:
        model = network(name, args.size)
        for samples in args.samples:
            config = SegmentConfig(samples=samples, steps=args.steps, device=args.device)
            took = seconds(model, image, config, args.repeats if samples <= 10 else 1)
            print(f"{name:8s} {args.size} x {args.size}, K = {args.steps}, N = {samples:3d}: {took:7.3f} s", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
