"""Batches with Dask workers of their own on this computer."""

import os
from pathlib import Path

import pytest
from distributed import Client

from napari_ldseg import SegmentConfig
from napari_ldseg.batch import _dask, plan_batch, run_batch

from .builders import make_ramp, save_picture

QUICK = SegmentConfig(samples=2, steps=1, device="cpu")
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    for index in range(6):
        save_picture(tmp_path / "slides" / f"{index}.png", make_ramp((24, 24, 3)) + index)
    return tmp_path / "slides"


def test_workers_of_its_own_start_and_end_with_the_batch(slides: Path, tmp_path: Path, saved: Path) -> None:
    plan = plan_batch([slides], saved, tmp_path / "out", QUICK)
    seen = {update.stage for update in run_batch(plan, workers=2)}
    assert "Starting the workers" in seen
    assert "2 workers" in seen
    assert len(list((tmp_path / "out").glob("*.tif"))) == 12


def test_workers_of_its_own_keep_freed_memory() -> None:
    with _dask.local_cluster(1) as cluster, Client(cluster, set_as_default=False) as client:
        (variables,) = client.run(lambda: dict(os.environ)).values()
    assert int(variables["MALLOC_TRIM_THRESHOLD_"]) > 1e9
    assert variables["OMP_NUM_THREADS"] == "1"
