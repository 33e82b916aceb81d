"""Measure seconds, memory and arithmetic of segmentation: by stage, by size, against peers, and at start-up.

    python -m benchmarks.speed.speed stages scaling peers startup targets --out benchmarks/results/speed

prints a table for each experiment. ``--out`` also writes it as ``NAME.md`` and ``NAME.json``, with plots. The model
``paper`` has the paper's own setting (one latent and one embedding channel) with random weights. Run it under
``xvfb-run -a`` where there is no screen. ``--quick`` uses tiny images and few samples, and takes half a minute.
``stages --against FOLDER`` compares ratios with an earlier run on any machine. It fails if a ratio has grown by half.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np
import torch

from napari_ldseg._util import follow
from napari_ldseg.config import SegmentConfig
from napari_ldseg.data import Image
from napari_ldseg.inference import segment
from napari_ldseg.networks import LDSeg
from napari_ldseg.phantoms import colon_gland

from ..publish import publish
from . import peers
from .plots import plot
from .run import FULL, QUICK, Sizes, in_own_process, measure, network, picture, subject, timed, typical
from .startup import IMPORTS, LOADS, OPENS, SHOWS, startup

Row = dict[str, object]
# A ratio that has grown by this factor is a regression.
GROWTH = 1.5
WAITS = {IMPORTS: 0.05, LOADS: 0.3, OPENS: 0.5, SHOWS: 0.3}


@dataclass(frozen=True)
class Setting:
    """Hold what every experiment needs; ``rows`` are those of the experiments before it."""

    sizes: Sizes
    models: list[str]
    samples: list[int]
    threads: list[int]
    device: str
    quick: bool
    rows: dict[str, list[Row]] = field(default_factory=dict)


def stages(given: Setting) -> Iterator[Row]:
    """Measure seconds, memory and FLOP by stage; each model and number of samples and threads has a process."""
    for name in given.models:
        for threads in given.threads:
            for samples in given.samples:
                yield in_own_process(
                    model=name,
                    shape=given.sizes.shapes[name],
                    volume=given.sizes.volume,
                    samples=samples,
                    threads=threads,
                    device=given.device,
                    enough=given.sizes.enough,
                )


def scaling(given: Setting) -> Iterator[Row]:
    """Time against image size, N, K, frames of a cine, and voxels; ``sampling`` is the denoiser."""
    sizes = given.sizes

    def row(what: str, value: float, model: LDSeg, image: Image, samples: int, steps: int | None = None) -> Row:
        config = SegmentConfig(samples=samples, steps=steps, device=given.device)
        found = measure(model, image, config, sizes.enough)
        seconds, sampling = found["seconds"], found["sample"]
        return {"what": what, "value": value, "seconds": seconds, "sampling": sampling, "rest": seconds - sampling}

    glas = network("glas", sizes.shapes["glas"])
    image = subject(glas, sizes.volume)
    for side in sizes.sides:
        yield row("side of the image, N = 1", side, glas, picture((side, side, 3), "yxc"), 1)
    for count in sizes.counts:
        yield row("N", count, glas, image, count)
    for steps in sizes.steps:
        yield row("K, N = 10", steps, glas, image, 10, steps)
    echo = network("echo", sizes.shapes["echo"])
    for frames in sizes.frames:
        cine = picture((frames, *sizes.shapes["echo"]), "tyx")
        found = row("frames, N = 1", frames, echo, cine, 1)
        yield {**found, "frames/s": frames / found["seconds"]}
    for shape in sizes.volumes:
        knee = network("knee", shape)
        voxels = float(np.prod(shape)) / 1e6
        yield row("million voxels, N = 1", voxels, knee, subject(knee, sizes.volume), 1)


def targets(given: Setting) -> Iterator[Row]:
    """List the targets, and whether they were met with the most threads."""
    most, sizes = max(given.threads), given.sizes
    one, many = given.samples[0], given.samples[-1]
    stage = {(row["model"], row["N"]): row for row in given.rows["stages"] if row["threads"] == most}
    cine = [row for row in given.rows["scaling"] if row["what"].startswith("frames")][-1]
    sides = [row for row in given.rows["scaling"] if row["what"].startswith("side")]
    waits = {row["what"]: row["seconds"] for row in given.rows["startup"]}
    paper, glas, glas_many = stage["paper", one], stage["glas", one], stage["glas", many]
    knee, knee_many = stage["knee", one], stage["knee", many]
    ratio = sides[-1]["sampling"] / sides[0]["sampling"]
    for target, sign, limit, value in (
        (f"paper, N = {one}: seconds, a tenth of the authors' release", "<=", 0.078, paper["seconds"]),
        (f"glas, N = {many}: seconds", "<=", 1.0, glas_many["seconds"]),
        (f"glas, N = {many}: times N = {one}", "<=", 15.0, glas_many["seconds"] / glas["seconds"]),
        (f"glas, N = {many}: error of the SD map", "<=", 0.02, sd_error(sizes.shapes["glas"], many)),
        (f"knee, N = {many}: seconds", "<=", 15.0, knee_many["seconds"]),
        (f"knee, N = {many}: GB", "<=", 3.0, knee_many["peak GB"]),
        (f"knee, N = {one}: seconds", "<=", 2.0, knee["seconds"]),
        (f"knee, N = {one}: GB", "<=", 2.0, knee["peak GB"]),
        (f"echo, {cine['value']} frames, N = 1: frames/s", ">=", 10.0, cine["frames/s"]),
        (f"sampling seconds, side {sides[-1]['value']} over {sides[0]['value']}", "<=", 1.3, ratio),
        *((what, "<=", limit, waits[what]) for what, limit in WAITS.items()),
    ):
        met = "not judged"
        if isinstance(value, float) and not given.quick:
            met = "yes" if (value <= limit if sign == "<=" else value >= limit) else "no"
        yield {"target": target, "wanted": f"{sign} {limit:g}", "measured": value, "met": met}


def sd_error(shape: tuple[int, int], samples: int) -> float:
    """Return the mean absolute difference of an SD map from that in float32, as a share of its mean."""
    model, gland = network("glas", shape), colon_gland()
    image = gland.replace(array=gland.array[: shape[0], : shape[1]])
    found, plain = (
        follow(segment(model, image, SegmentConfig(samples=samples, device="cpu", precision=precision))).sd
        for precision in ("auto", "float32")
    )
    return float(np.abs(found - plain).mean() / plain.mean())


def ratios(rows: list[Row]) -> dict[str, float]:
    """Return how many times the seconds of one sample many take; a lost optimisation shows on any machine."""
    first = {(row["model"], row["threads"]): row["seconds"] for row in rows if row["N"] == 1}
    found = {}
    for row in rows:
        model, threads = row["model"], row["threads"]
        if row["N"] > 1 and (model, threads) in first:
            found[f"{model}, threads {threads}, N = {row['N']}"] = row["seconds"] / first[model, threads]
    return found


def grown(rows: list[Row], stored: list[Row]) -> list[str]:
    """Return which ratios have grown by more than half against those stored."""
    before, now = ratios(stored), ratios(rows)
    return [
        f"{name}: {now[name]:.1f} times N = 1, was {before[name]:.1f}"
        for name in now.keys() & before.keys()
        if now[name] > GROWTH * before[name]
    ]


EXPERIMENTS = {
    "stages": stages,
    "scaling": scaling,
    "peers": lambda given: chain(peers.whole(given.sizes), peers.tiled(given.sizes)),
    "startup": lambda given: startup(given.quick),
    "targets": targets,
}
NEEDED = ("stages", "scaling", "startup")
ANYWHERE = ("stages", "scaling")


def machine(given: Setting) -> dict[str, object]:
    """Return facts of the machine, and its rate of matrix multiplication."""
    name = platform.processor() or platform.machine()
    if shutil.which("lscpu"):
        lines = subprocess.run(["lscpu"], capture_output=True, text=True, check=True).stdout.splitlines()
        name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("Model name")), name)
    rates = {}
    for threads in given.threads:
        torch.set_num_threads(threads)
        for dtype in (torch.float32, torch.bfloat16):
            a, b = torch.rand(2, given.sizes.matrix, given.sizes.matrix).to(given.device, dtype)
            took = typical(lambda a=a, b=b: timed(lambda: a @ b, given.device), given.sizes.enough)["seconds"]
            rates[f"{str(dtype).removeprefix('torch.')}, threads {threads}"] = 2e-9 * given.sizes.matrix**3 / took
    return {
        "machine": name,
        "cores": os.cpu_count(),
        "threads": given.threads,
        "device": torch.cuda.get_device_name() if given.device == "cuda" else given.device,
        "torch": torch.__version__,
        "seed": 0,
        "matrix GFLOP/s": rates,
    }


def main() -> None:
    """Run the experiments, print and write their tables, and draw the plots."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[[], *EXPERIMENTS], help="by default all")
    parser.add_argument("--models", nargs="+", choices=list(FULL.shapes), help="of stages; by default all")
    parser.add_argument("--samples", type=int, nargs="+", help="of stages; by default 1 10 100")
    parser.add_argument("--threads", type=int, nargs="+", help="by default 1 2; all but stages take the most")
    parser.add_argument("--device", default="cpu", help="of stages and scaling; the others are about the CPU")
    parser.add_argument("--quick", action="store_true", help="tiny sizes")
    parser.add_argument("--against", type=Path, help="folder of an earlier run, to compare the ratios of stages with")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    names = set(args.names or (EXPERIMENTS if args.device == "cpu" else ANYWHERE))
    if args.device != "cpu" and not names.issubset(ANYWHERE):
        parser.error("only stages and scaling are measured on another device than the CPU")
    if args.against and "stages" not in names:
        parser.error("only stages can be compared with an earlier run")
    if "targets" in names:
        if args.models or args.samples:
            parser.error("the targets are for all models and numbers of samples")
        names.update(NEEDED)
    sizes = QUICK if args.quick else FULL
    given = Setting(
        sizes,
        args.models or (["paper", "glas", "knee"] if args.quick else list(sizes.shapes)),
        args.samples or list(sizes.samples),
        args.threads or ([1] if args.quick else [1, 2]),
        args.device,
        args.quick,
    )
    facts = machine(given)
    print(facts)  # noqa: T201
    torch.set_num_threads(max(given.threads))
    for name, experiment in EXPERIMENTS.items():
        if name not in names:
            continue
        begun = time.perf_counter()
        rows = given.rows[name] = list(experiment(given))
        publish(name, rows, args.out and args.out / name, facts, time.perf_counter() - begun)
        if args.out:
            plot(name, rows, args.out / f"{name}.svg")
    if args.against:
        stored = json.loads((args.against / "stages.json").read_text())["rows"]
        if worse := grown(given.rows["stages"], stored):
            raise SystemExit("\n".join(["Slower than it was:", *worse]))


if __name__ == "__main__":
    main()
