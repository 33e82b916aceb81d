"""Segment a lazy 40,000 x 40,000 RGB pyramid into an OME-Zarr, kill the process, resume, and watch time and memory.

The slide (0.25 um/pixel, seven levels) is the sample image of scikit-image, mirrored side by side. Nothing of it is on
disk or in memory. A child process segments it, and is killed (SIGKILL) in the middle of a block once ``--kill`` blocks
are done. Another process resumes until ``--blocks`` are done.

    python -m benchmarks.robustness.large --out /tmp/slide.zarr --kill 1 --blocks 2     # 25: the whole slide

A block takes a while. ``--block 512`` makes small blocks, to watch killing and resuming. ``--dry`` draws random
probabilities in place of the networks, to time reading, blending and writing of whole blocks alone.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import dask.array as da
import numpy as np
import torch
from skimage import transform

from napari_ldseg import SegmentConfig, load_model
from napari_ldseg._util import partial_of
from napari_ldseg.data import Image
from napari_ldseg.inference import Runner, SegmentRun
from napari_ldseg.phantoms import colon_gland
from napari_ldseg.plan import _blocks, plan_image

CHUNK = 1024


def slide(side: int, levels: int = 7, spacing: float = 0.25) -> Image:
    """Return a pyramid whose pixels are computed when they are read."""
    gland = colon_gland().array
    every = []
    for level in range(levels):
        texture = transform.resize(gland, (gland.shape[0] >> level,) * 2, anti_aliasing=True, preserve_range=True)
        size = side >> level
        array = da.map_blocks(
            _texture,
            texture=texture.round().astype(np.uint8),
            chunks=(*(da.core.normalize_chunks(CHUNK, (size,))) * 2, (3,)),
            dtype=np.uint8,
            meta=np.empty((0, 0, 0), np.uint8),
        )
        every.append(Image(array, "yxc", (spacing * 2**level,) * 2, "micrometer", f"slide {side}"))
    return every[0].replace(levels=tuple(every[1:]))


def _texture(texture: np.ndarray, block_info=None) -> np.ndarray:
    n = len(texture)
    places = [np.arange(*side) % (2 * n) for side in block_info[None]["array-location"][:2]]
    rows, columns = (np.where(at < n, at, 2 * n - 1 - at) for at in places)
    return texture[rows][:, columns]


def child(args: argparse.Namespace) -> None:
    """Segment blocks until enough are done, and print a line of JSON for each."""
    model = load_model(args.model, "cpu")
    if args.block:
        _blocks.BLOCK_SIDE = {2: args.block}
    if args.dry:
        Runner.draw = random_probabilities
    config = SegmentConfig(samples=args.samples, steps=args.steps, views=args.views, device="cpu")
    run = SegmentRun(model, plan_image(slide(args.side), model.config, config), into=args.out)
    say(f"{run.blocks} blocks, {len(run.todo())} to do, {run.progress('-').total} steps")
    for number in run.todo():
        if run.blocks - len(run.todo()) >= args.blocks:
            break
        started = time.perf_counter()
        before = run.progress("-").done
        for _ in run.segment_block(number):
            pass
        rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        seconds = time.perf_counter() - started
        note = {
            "block": number,
            "seconds": round(seconds, 1),
            "share": round((run.progress("-").done - before) / run.progress("-").total, 4),
        }
        say(json.dumps({**note, "peak_gib": round(rss, 2)}))
    if not run.todo():
        started = time.perf_counter()
        run.finish()
        rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        say(f"the whole slide is done; finished in {time.perf_counter() - started:.0f} s, peak {rss:.2f} GiB")


def random_probabilities(self, condition: torch.Tensor, noise, samples: range, images: int):
    """Replace sampler and decoder."""
    self.done += self.steps * images
    yield self.progress("sampling")
    sides = [side * self.model.config.network.factor for side in condition.shape[2:]]
    return torch.rand(len(condition), self.model.config.network.classes, *sides)


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def start(argv: list[str]) -> subprocess.Popen:
    """Start a process that segments."""
    return subprocess.Popen([sys.executable, "-m", __spec__.name, *argv, "--child"])


def main() -> None:
    """Start, kill, start again."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="glas")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--side", type=int, default=40_000)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--views", type=int)
    parser.add_argument("--block", type=int, help="side of a block on the networks' grid; default 2048")
    parser.add_argument("--dry", action="store_true")
    parser.add_argument("--kill", type=int, default=1)
    parser.add_argument("--blocks", type=int, default=2)
    parser.add_argument("--child", action="store_true")
    args = parser.parse_args()
    if args.child:
        child(args)
        return
    folder = partial_of(args.out)
    shutil.rmtree(folder, ignore_errors=True)
    process = start(sys.argv[1:])
    while len(list(folder.glob("done/*.json"))) < args.kill:
        time.sleep(1)
        if process.poll() is not None:
            raise SystemExit("the process ended before it could be killed")
    time.sleep(5)
    process.kill()
    process.wait()
    say("killed in the middle of a block; another process goes on")
    start(sys.argv[1:]).wait()
    written = folder if folder.exists() else args.out
    size = sum(file.stat().st_size for file in written.rglob("*") if file.is_file()) / 2**20
    say(f"{size:.1f} MiB on disk")


if __name__ == "__main__":
    main()
