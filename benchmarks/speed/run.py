"""Time one model stage by stage. Run as a module, it measures in its own process, for ``speed.py stages``."""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from napari_ldseg._util import follow
from napari_ldseg.checkpoints import load_model
from napari_ldseg.config import InputConfig, ModelConfig, SegmentConfig
from napari_ldseg.data import Image
from napari_ldseg.inference import segment
from napari_ldseg.networks import LDSeg
from napari_ldseg.phantoms import volume_phantom

Row = dict[str, float]
# The stage that each method of the model belongs to.
STAGES = {"embed": "embed", "condition": "embed", "predict": "sample", "decode": "decode"}
PARTS = ("embed", "sample", "decode")
REPEATS = 5


@dataclass(frozen=True)
class Sizes:
    """Hold all sizes, and the seconds after which something was timed often ``enough``."""

    shapes: dict[str, tuple[int, ...]]
    volume: tuple[int, int, int]
    samples: tuple[int, ...]
    sides: tuple[int, ...]
    counts: tuple[int, ...]
    steps: tuple[int, ...]
    frames: tuple[int, ...]
    volumes: tuple[tuple[int, int, int], ...]
    tiled: int
    tiles: SegmentConfig
    matrix: int
    enough: float


FULL = Sizes(
    shapes={"paper": (256, 256), "glas": (256, 256), "echo": (256, 384), "knee": (128, 128, 256)},
    volume=(240, 104, 160),
    samples=(1, 10, 100),
    sides=(256, 512, 1024, 2048),
    counts=(1, 2, 5, 10, 20, 50, 100),
    steps=(2, 5, 10, 25, 50),
    frames=(1, 10, 50, 100),
    volumes=((64, 64, 128), (96, 96, 192), (128, 128, 256)),
    tiled=1152,
    tiles=SegmentConfig(tiles="always", device="cpu"),
    matrix=2048,
    enough=10.0,
)
QUICK = Sizes(
    shapes={"paper": (64, 64), "glas": (64, 64), "echo": (64, 96), "knee": (32, 32, 64)},
    volume=(60, 26, 40),
    samples=(1, 3),
    sides=(64, 128),
    counts=(1, 3),
    steps=(2, 5),
    frames=(1, 3),
    volumes=((32, 32, 32), (32, 32, 64)),
    tiled=160,
    tiles=SegmentConfig(tiles="always", tile=96, overlap=32, device="cpu"),
    matrix=256,
    enough=0.0,
)


def network(name: str, shape: tuple[int, ...]) -> LDSeg:
    """Return a model that sees whole images of this shape: a released one, or ``paper`` with random weights."""
    if name == "paper":
        torch.manual_seed(0)
        return LDSeg(ModelConfig(name="paper", input=InputConfig(shape=shape))).eval().requires_grad_(False)
    model = load_model(name)
    given = model.config.input.replace(mode="fit", shape=shape)
    # Other scales of the first guess are for images that are cut into tiles.
    trust = model.config.trust.replace(guess_scales=())
    model.config = model.config.replace(input=given.model_dump(), trust=trust.model_dump())
    return model


def picture(shape: tuple[int, ...], axes: str) -> Image:
    """Return noise; time does not depend on content."""
    return Image(np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8), axes)


def subject(model: LDSeg, volume: tuple[int, ...]) -> Image:
    """Return an image for a model, as large as the networks see it; or a phantom of the shape ``volume``."""
    shape = model.config.input.shape
    if len(shape) == 3:
        return volume_phantom(0, volume)[0]
    return picture((*shape, 3), "yxc") if model.config.network.image_channels == 3 else picture(shape, "yx")


def clock(device: str) -> float:
    """Return the time in seconds once the device has finished its work."""
    if device != "cpu":
        torch.accelerator.synchronize()
    return time.perf_counter()


@contextmanager
def metered(model: LDSeg, read: Callable[[], float]) -> Iterator[Counter[str]]:
    """Measure seconds or FLOP while the networks of each stage run."""
    spent: Counter[str] = Counter()

    def meter(name: str) -> Callable[..., object]:
        method = getattr(model, name)

        def run(*given: object) -> object:
            begun = read()
            result = method(*given)
            spent[STAGES[name]] += read() - begun
            return result

        return run

    for name in STAGES:
        setattr(model, name, meter(name))
    try:
        yield spent
    finally:
        for name in STAGES:
            delattr(model, name)


def typical(run: Callable[[], Row], enough: float) -> Row:
    """Return the run of median ``seconds`` after a warm-up: of five, or fewer once they took ``enough``."""
    run()
    rows = [run()]
    while len(rows) < REPEATS and sum(row["seconds"] for row in rows) < enough:
        rows.append(run())
    return sorted(rows, key=lambda row: row["seconds"])[len(rows) // 2]


def timed(call: Callable[[], object], device: str = "cpu") -> Row:
    """Run once."""
    begun = clock(device)
    call()
    return {"seconds": clock(device) - begun}


def staged(model: LDSeg, image: Image, config: SegmentConfig) -> Row:
    """Segment once; ``rest`` is resizing, the sampler's own sums, the softmax and the statistics."""
    with metered(model, partial(clock, config.device)) as spent:
        row = timed(lambda: follow(segment(model, image, config)), config.device)
    parts = {part: spent[part] for part in PARTS}
    return {**row, **parts, "rest": row["seconds"] - sum(parts.values())}


def measure(model: LDSeg, image: Image, config: SegmentConfig, enough: float) -> Row:
    """Return the seconds of a typical run, in all and by stage."""
    return typical(lambda: staged(model, image, config), enough)


def gflop(model: LDSeg, image: Image, config: SegmentConfig) -> Row:
    """Count the arithmetic of one sample, and scale it: the image is embedded once for each view."""
    counter = FlopCounterMode(display=False)
    # PyTorch counts nothing in the CPU's fused attention.
    with counter, sdpa_kernel(SDPBackend.MATH), metered(model, counter.get_total_flops) as spent:
        follow(segment(model, image, config.replace(samples=1)))
    times = {"embed": min(config.samples, model.config.views), "sample": config.samples, "decode": config.samples}
    return {part: spent[part] * times[part] / 1e9 for part in PARTS}


def peak(device: str) -> float:
    """Return the peak memory (GB) of this process; getrusage would start from its parent's."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**30
    status = Path("/proc/self/status")
    if status.exists():
        (held,) = (line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(held) / 2**20
    memory = psutil.Process().memory_info()
    return getattr(memory, "peak_wset", memory.rss) / 2**30


def in_own_process(**job: object) -> dict[str, object]:
    """Measure in a new process, whose peak memory is its own: see :func:`main`."""
    command = [sys.executable, "-m", __name__, json.dumps(job)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, object] = json.loads(done.stdout)
    return found


def main() -> None:
    """Print the row of one model, number of samples and number of threads."""
    job = json.loads(sys.argv[1])
    torch.set_num_threads(job["threads"])
    model = network(job["model"], tuple(job["shape"]))
    image = subject(model, tuple(job["volume"]))
    config = SegmentConfig(samples=job["samples"], device=job["device"])
    row, memory = measure(model, image, config, job["enough"]), peak(job["device"])
    count = gflop(model, image, config)
    total = sum(count.values())
    found = {
        "model": job["model"],
        "threads": job["threads"],
        "K": model.config.steps,
        "N": job["samples"],
        **row,
        "peak GB": memory,
        **{f"GFLOP {part}": value for part, value in count.items()},
        "GFLOP": total,
        "GFLOP/s": total / row["seconds"],
    }
    print(json.dumps(found))  # noqa: T201


if __name__ == "__main__":
    main()
