"""Batches on Dask: real worker processes, that die; a scheduler that goes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import tifffile
from distributed import Client, LocalCluster

from napari_ldseg import SegmentConfig, segment_folder
from napari_ldseg.batch import Update, plan_batch, run_batch
from napari_ldseg.errors import EngineError

from .builders import make_ramp, save_picture

QUICK = SegmentConfig(samples=2, steps=1, device="cpu")
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    for index in range(6):
        save_picture(tmp_path / "slides" / f"{index}.png", make_ramp((24, 24, 3)) + index)
    return tmp_path / "slides"


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """Two workers, one of which dies with an image that is called "poison"."""
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as cluster:
        yield cluster.scheduler_address


def test_two_workers_write_what_one_process_writes(slides: Path, tmp_path: Path, saved: Path, scheduler: str) -> None:
    (slides / "broken.png").write_bytes(b"no picture")
    alone = segment_folder(slides, tmp_path / "alone", saved, QUICK)
    together = segment_folder(slides, tmp_path / "together", saved, QUICK, scheduler=scheduler)
    assert alone.failed == together.failed
    for path in (tmp_path / "alone").glob("*.tif"):
        np.testing.assert_array_equal(tifffile.imread(path), tifffile.imread(tmp_path / "together" / path.name))
    assert together.count("done") == 6
    assert len(list((tmp_path / "together").glob("*.tif"))) == 12


def workers(scheduler: str) -> list[int]:
    with Client(scheduler, set_as_default=False) as client:
        return list(client.run(os.getpid).values())


def test_a_worker_that_is_killed_costs_no_image(slides: Path, tmp_path: Path, saved: Path, scheduler: str) -> None:
    run = run_batch(plan_batch([slides], saved, tmp_path / "out", QUICK), scheduler=scheduler)
    for update in run:
        if update.state == "done":
            os.kill(workers(scheduler)[0], signal.SIGKILL)
            break
    assert [update.state for update in run if update.state != "running"] == ["done"] * 5
