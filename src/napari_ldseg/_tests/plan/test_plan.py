"""The plan: how much memory a run takes, and saying so."""

import os
import subprocess
import sys
from types import SimpleNamespace

import dask.array as da
import numpy as np
import psutil
import pytest

from ...config import SegmentConfig
from ...data import Image
from ...plan import plan_image
from ..builders import make_tiny_config

# How much more memory a process holds during a run than before it; a small run loads what all runs need. Linux keeps
# the highest number itself (and forgets it on request); elsewhere a thread looks, which misses peaks on a busy machine.
SCRIPT = """
import sys, threading, time
from pathlib import Path
import numpy as np
import psutil
from napari_ldseg._tests.builders import make_tiny_model
from napari_ldseg._tests.plan.test_tiles import make_spacing_model
from napari_ldseg._util import follow
from napari_ldseg.config import SegmentConfig
from napari_ldseg.data import Image
from napari_ldseg.inference import segment
from napari_ldseg.plan import _plan, plan_image

kind, folder = sys.argv[1], Path(sys.argv[2])
model = make_tiny_model(2) if kind == "sequence" else make_spacing_model(2)
settings = SegmentConfig(samples=4, steps=1, device="cpu", keep_mb=0, tile=256, overlap=32)
if kind in ("tiles", "disk"):
    settings = settings.replace(tiles="always")
if kind == "disk":
    _plan.MAX_PLANE = 2**18

def picture(*shape):
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    return Image(pixels, "tyxc"[-pixels.ndim :], (1.0, 1.0), "micrometer")

def highest():
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) * 1024
    return psutil.Process().memory_info().rss

def run(image, name):
    plan, ended = plan_image(image, model.config, settings), threading.Event()
    if sys.platform == "linux":
        Path("/proc/self/clear_refs").write_text("5")
    held = [psutil.Process().memory_info().rss]
    def watch():
        while not ended.is_set():
            held.append(highest())
            time.sleep(0.002)
    watcher = threading.Thread(target=watch)
    watcher.start()
    follow(segment(model, plan, into=folder / name if kind == "disk" else None))
    ended.set()
    watcher.join()
    return plan.peak_bytes, max(*held, highest()) - held[0]

small, large = ((2, 64, 64), (80, 256, 256)) if kind == "sequence" else ((64, 64), (900, 900))
run(picture(*small), "small.zarr")
print(*run(picture(*large), "a.zarr"))
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sequence", "one pass", "tiles", "disk"])
def test_the_estimate_of_memory_is_right_within_a_factor_of_two_and_a_half(kind: str, tmp_path: object) -> None:
    # Newer processors get by with half of what a convolution takes on older ones; AVX2 is what all of them have.
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, kind, str(tmp_path)],
        env={**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    expected, measured = map(int, done.stdout.split())
    assert measured / 2.5 < expected < 2.5 * measured


def test_maps_of_a_sequence_are_counted() -> None:
    """1000 frames of 256 x 256: two means, an SD and a label are 13 bytes a pixel, 0.85 GB."""
    image = Image(da.zeros((1000, 256, 256), dtype=np.uint8), "tyx", name="cine")
    settings = SegmentConfig(samples=1, keep_mb=0)
    plan = plan_image(image, make_tiny_config(2), settings)
    assert not plan.on_disk
    more = plan_image(image.replace(array=image.array[:500]), make_tiny_config(2), settings)
    assert plan.peak_bytes - more.peak_bytes == 500 * 256 * 256 * (13 + 1)  # and a byte of each pixel that is read
    kept = plan_image(image, make_tiny_config(2), settings.replace(keep_mb=10_000))
    assert kept.peak_bytes - plan.peak_bytes == 1000 * 32 * 32  # a mask on the networks' grid for each frame


def test_too_little_memory_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    image = Image(da.zeros((1000, 256, 256), dtype=np.uint8), "tyx", name="cine")
    plan = plan_image(image, make_tiny_config(2))
    for free, warnings in ((plan.peak_bytes, 0), (plan.peak_bytes - 1, 1)):
        monkeypatch.setattr(psutil, "virtual_memory", lambda free=free: SimpleNamespace(available=free))
        assert len(plan.warnings()) == warnings
    (said,) = plan.warnings()
    assert "GB of memory" in said
    assert "take a smaller part or batch" in said
