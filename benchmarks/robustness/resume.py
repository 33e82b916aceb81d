"""Kill a batch at random moments, resume it, and compare the outcome with an undisturbed run.

    python -m benchmarks.robustness.resume [--images 500] [--kills 10] [--seed 0]

The model is tiny and untrained, the pictures have 24 x 24 pixels. The batch runs in a child process that gets SIGKILL
after a random number of finished images plus a random part of a second, so that it dies anywhere within an image.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile

from napari_ldseg import SegmentConfig, save_model, segment_folder
from napari_ldseg._tests.builders import make_tiny_model, save_picture

RUN = """
import sys
from napari_ldseg import SegmentConfig, segment_folder
segment_folder(sys.argv[1], sys.argv[3], sys.argv[2], SegmentConfig(samples=2, steps=1, device="cpu"))
"""


def finished(out: Path) -> int:
    """Return how many images have a record."""
    return len(list(out.glob(".napari-ldseg/*.json")))


def killed(images: Path, model: Path, out: Path, more: int, pause: float) -> bool:
    """Start the run and kill it after so many more images; return whether it was still alive."""
    wanted = finished(out) + more
    process = subprocess.Popen([sys.executable, "-c", RUN, str(images), str(model), str(out)])
    while process.poll() is None and finished(out) < wanted:
        time.sleep(0.01)
    time.sleep(pause)
    process.kill()
    return process.wait() < 0


def main() -> None:
    """Kill, resume, and print how the result compares with an undisturbed run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        images, out, whole = (Path(folder) / name for name in ("images", "killed", "whole"))
        model = save_model(make_tiny_model(2), Path(folder) / "tiny.safetensors", "# Tiny")
        for index in range(args.images):
            save_picture(images / f"{index}.png", rng.integers(0, 255, (24, 24, 3), dtype=np.uint8))
        kills = 0
        for _ in range(args.kills):
            more = int(rng.integers(1, max(2, 2 * args.images // (3 * args.kills))))
            kills += killed(images, model, out, more, float(rng.uniform(0, 0.1)))
            print(f"killed with {finished(out)} of {args.images} images done", flush=True)  # noqa: T201
        settings = SegmentConfig(samples=2, steps=1, device="cpu")
        report = segment_folder(images, out, model, settings)
        segment_folder(images, whole, model, settings)
        names = sorted(path.name for path in whole.glob("*.tif"))
        same = [np.array_equal(tifffile.imread(out / name), tifffile.imread(whole / name)) for name in names]
        extra = {path.name for path in out.glob("*.tif")} - set(names)
        left = list((out / ".napari-ldseg" / "partial").glob("*"))
    print(  # noqa: T201
        f"{kills} kills; {report.count('earlier')} images kept, {report.count('done')} done after the last kill, "
        f"{report.count('failed')} failed; {sum(same)} of {len(names)} outputs equal, {len(extra)} extra, "
        f"{len(left)} left half written"
    )
    if not all(same) or extra or left or kills != args.kills or len(names) != 2 * args.images:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
