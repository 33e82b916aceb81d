"""Measure what runs of ours cost each other on one computer, with and without sharing the cores.

    python -m benchmarks.speed.together [--model glas] [--samples 10] [--seconds 20]

Each process segments one phantom slide again and again, or fine-tunes on it. The table holds the median seconds of a
run, the mean seconds of a training step, and both as ratios to the same process alone. Where the cores are *not shared*
the processes do not know of each other, and each takes all of them, as PyTorch does by itself.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import skimage.io

SHAPE = (522, 775)
CASES = (("segment",), ("train",), ("segment",) * 2, ("segment",) * 4, ("segment", "train"))


def segmenting(folder: Path, model: str, samples: int, seconds: float) -> float:
    """Return the median seconds of a run, after one that does not count."""
    from napari_ldseg import SegmentConfig, load_model, read_image, segment
    from napari_ldseg._util import follow

    image, config = read_image(folder / "slide.png"), SegmentConfig(samples=samples, device="cpu")
    network, found = load_model(model), []
    follow(segment(network, image, config))
    wait()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or not found:
        start = time.perf_counter()
        follow(segment(network, image, config))
        found.append(time.perf_counter() - start)
    return statistics.median(found)


def training(folder: Path, model: str, seconds: float) -> float:
    """Return the mean seconds of a step of fine-tuning."""
    from napari_ldseg import TrainConfig, fine_tune, load_model
    from napari_ldseg.datasets import find_pairs

    config = TrainConfig.for_fine_tuning().replace(
        denoiser_steps=100_000, minutes=None, device="cpu", learn="denoiser", validate_every=100_000, validation=0.0
    )
    pairs = find_pairs(folder / "slide.png", folder / "slide_mask.png")
    started: tuple[int, float] | None = None
    with tempfile.TemporaryDirectory() as out:
        for progress in fine_tune(load_model(model), pairs, config, Path(out) / "run"):
            now = time.perf_counter()
            if progress.stage == "denoiser" and progress.done >= 2 and started is None:
                wait()
                started = (progress.done, time.perf_counter())
            elif started is not None and now - started[1] >= seconds:
                return (now - started[1]) / (progress.done - started[0])
    raise AssertionError("the training ended early")


def wait() -> None:
    """Say that this process is warm, and wait until all are."""
    print("warm", flush=True)  # noqa: T201
    sys.stdin.readline()


def run_case(kinds: tuple[str, ...], folder: Path, args: argparse.Namespace, *, shared: bool) -> list[float]:
    """Run these processes at the same time; return the seconds of a run or a step of each."""
    running = []
    for number, kind in enumerate(kinds):
        marks = folder / ("marks" if shared else f"marks-{number}")
        command = [sys.executable, "-m", "benchmarks.speed.together", "--child", kind, "--folder", str(folder)]
        command += ["--model", args.model, "--samples", str(args.samples), "--seconds", str(args.seconds)]
        environment = {**os.environ, "NAPARI_LDSEG_COMPUTING": str(marks)}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        running.append(subprocess.Popen(command, env=environment, **pipes))
    for each in running:
        assert each.stdout is not None
        assert each.stdout.readline() == "warm\n", "a process has failed"
    for each in running:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    return [float(json.loads(each.communicate()[0])) for each in running]


def main() -> None:
    """Print the table, or be one of the processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="glas")
    parser.add_argument("--samples", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--child", choices=("segment", "train"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child == "segment":
        print(json.dumps(segmenting(args.folder, args.model, args.samples, args.seconds)))  # noqa: T201
        return
    if args.child == "train":
        print(json.dumps(training(args.folder, args.model, args.seconds)))  # noqa: T201
        return
    from napari_ldseg.phantoms import phantom

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        image, mask = phantom(SHAPE, seed=0)
        skimage.io.imsave(folder / "slide.png", image.array, check_contrast=False)
        skimage.io.imsave(folder / "slide_mask.png", mask, check_contrast=False)
        alone = {}
        print("| at the same time | cores | seconds | times alone |\n|---|---|---|---|")  # noqa: T201
        for kinds in CASES:
            for shared in (True, False) if len(kinds) > 1 else (True,):
                seconds = run_case(kinds, folder, args, shared=shared)
                if len(kinds) == 1:
                    alone[kinds[0]] = seconds[0]
                ratios = [f"{each / alone[kind]:.2f}" for kind, each in zip(kinds, seconds, strict=True)]
                cores = "shared" if shared else "not shared"
                row = (", ".join(kinds), cores, ", ".join(f"{each:.2f}" for each in seconds), ", ".join(ratios))
                print(f"| {' | '.join(row)} |", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
