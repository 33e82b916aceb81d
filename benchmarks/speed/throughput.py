"""Compare images per second and core of a batch with those of ``segment()`` in a plain loop.

    python -m benchmarks.speed.throughput [--images 24] [--rounds 3] [--model glas] [--samples 4]

A plain loop (read, segment, write; one thread), a batch in one process (one thread) and a batch on two workers (one
thread each) take turns, so that other load on the machine affects all alike. The ratios are medians over the rounds.
Starting the workers and loading the model do not count: the clock runs from the first image to the last.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from napari_ldseg import SegmentConfig, load_model, read_image, segment
from napari_ldseg._tests.builders import save_picture
from napari_ldseg._util import follow
from napari_ldseg.batch import plan_batch, run_batch
from napari_ldseg.batch._dask_cluster import local_cluster
from napari_ldseg.batch._outputs import plan_outputs, write_outputs

KINDS = ("labels", "sd")


def plain(images: list[Path], out: Path, model: str, config: SegmentConfig) -> float:
    """Return the images per second of the plain loop."""
    loaded = load_model(model)
    start = time.perf_counter()
    for task in plan_outputs(images, out, KINDS):
        write_outputs(follow(segment(loaded, read_image(task.image), config)), task)
    return len(images) / (time.perf_counter() - start)


def batch(images: list[Path], out: Path, model: str, config: SegmentConfig, scheduler: str | None) -> float:
    """Return the images per second of a batch, from its first image on."""
    plan = follow(plan_batch(images, model, out, config, KINDS))
    start = None
    for update in run_batch(plan, scheduler=scheduler):
        if start is None and update.index >= 0:
            start = time.perf_counter()
        assert update.state != "failed", update.text
    return len(images) / (time.perf_counter() - (start or 0))


def main() -> None:
    """Print the rates and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", default="glas")
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--side", type=int, default=512)
    args = parser.parse_args()
    torch.set_num_threads(1)
    config = SegmentConfig(samples=args.samples, device="cpu")
    rng = np.random.default_rng(0)
    rates: dict[str, list[float]] = {"plain loop": [], "batch, 1 process": [], "batch, 2 workers": []}
    with (
        tempfile.TemporaryDirectory() as folder,
        local_cluster(2) as cluster,
    ):
        paths = [
            save_picture(Path(folder) / f"{i}.png", rng.integers(0, 255, (args.side,) * 2 + (3,), dtype=np.uint8))
            for i in range(args.images)
        ]
        address = cluster.scheduler_address
        batch(paths[:2], Path(folder) / "warm", args.model, config, address)  # workers load torch and the model
        for number in range(args.rounds):
            out = Path(folder) / str(number)
            rates["plain loop"].append(plain(paths, out / "plain", args.model, config))
            rates["batch, 1 process"].append(batch(paths, out / "one", args.model, config, None))
            rates["batch, 2 workers"].append(batch(paths, out / "two", args.model, config, address))
    base = np.array(rates["plain loop"])
    for (name, values), cores in zip(rates.items(), (1, 1, 2), strict=True):
        ratio = np.median(np.array(values) / base) / cores
        print(f"{name:18s} {np.median(values):7.3f} images/s, for each core {ratio:.2f} of the plain loop")  # noqa: T201


if __name__ == "__main__":
    main()
