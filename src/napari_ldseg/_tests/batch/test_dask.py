"""Batches on Dask: real worker processes, that die; a scheduler that goes."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dask
import numpy as np
import pytest
import tifffile
from distributed import Client, LocalCluster, WorkerPlugin

from ... import SegmentConfig, save_model, segment_folder
from ..._util import follow
from ...batch import Update, _image, plan_batch, run_batch
from ...batch._dask_cluster import ctrl_c_noted, local_cluster
from ...data import LABELS, Image, read_image, write_image
from ...errors import EngineError
from ...plan import _blocks, _plan
from ..builders import make_ramp, save_picture
from ..plan.test_tiles import make_spacing_model, noise_picture
from .test_batch import start, wait_for

QUICK = SegmentConfig(samples=2, steps=1, device="cpu")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    for index in range(6):
        save_picture(tmp_path / "slides" / f"{index}.png", make_ramp((24, 24, 3)) + index)
    return tmp_path / "slides"


def make_blocks_small(monkeypatch: pytest.MonkeyPatch | None = None) -> None:
    """Let an image of more than 2000 pixels count as large, and have blocks of 64 pixels a side."""
    patch = monkeypatch or pytest.MonkeyPatch()
    patch.setattr(_blocks, "BLOCK_SIDE", {2: 64, 3: 16})
    patch.setattr(_plan, "MAX_PLANE", 2000)


class Prepare(WorkerPlugin):
    """Makes blocks small, and a worker die while it reads an image that is called "poison"."""

    def setup(self, worker: object) -> None:
        del worker
        make_blocks_small()
        read = read_image

        def poisoned(path: Path) -> Image:
            return os._exit(9) if Path(path).stem == "poison" else read(path)

        vars(_image)["read_image"] = poisoned


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """Two workers, in processes of their own; one death is one too many."""
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        client.register_plugin(Prepare())
        yield cluster.scheduler_address


def test_two_workers_write_what_one_process_writes(slides: Path, tmp_path: Path, saved: Path, scheduler: str) -> None:
    (slides / "broken.png").write_bytes(b"no picture")
    alone = segment_folder(slides, tmp_path / "alone", saved, QUICK)
    together = segment_folder(slides, tmp_path / "together", saved, QUICK, scheduler=scheduler)
    assert alone.failed == together.failed
    for path in (tmp_path / "alone").glob("*.tif"):
        # Another number of threads adds up in another order: SD maps differ in the last digit, labels never.
        rounding = 1e-5 if path.stem.endswith("_sd") else 0
        here, there = (tifffile.imread(tmp_path / folder / path.name) for folder in ("alone", "together"))
        np.testing.assert_allclose(here, there, atol=rounding, rtol=0)
    assert together.count("done") == 6
    assert len(list((tmp_path / "together").glob("*.tif"))) == 12


def test_a_large_image_is_shared_by_the_workers_bit_for_bit(
    tmp_path: Path, scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_blocks_small(monkeypatch)
    model = save_model(make_spacing_model(), tmp_path / "tiles.safetensors", "# Tiles\n")
    picture = noise_picture(150, 110)
    write_image(tmp_path / "a.zarr", picture.array, "yxc", spacing=(1.0, 1.0), unit="micrometer", metadata={})
    config = QUICK.replace(tile=32, overlap=8)
    segment_folder(tmp_path / "a.zarr", tmp_path / "alone", model, config)
    run = run_batch(follow(plan_batch([tmp_path / "a.zarr"], model, tmp_path / "out", config)), scheduler=scheduler)
    updates = list(run)
    assert sum("Block" in update.text for update in updates) == 6
    assert updates[-1].state != "failed", updates[-1]
    for folder in ("a_ldseg.zarr", f"a_ldseg.zarr/{LABELS}"):
        alone, shared = (np.asarray(read_image(tmp_path / out / folder).array) for out in ("alone", "out"))
        np.testing.assert_allclose(alone, shared, atol=0 if folder.endswith(LABELS) else 1e-5, rtol=0)
    again = segment_folder(tmp_path / "a.zarr", tmp_path / "out", model, config, scheduler=scheduler)
    assert again.count("earlier") == 1
    # The workers still hold the plan of the folder that is deleted here.
    shutil.rmtree(tmp_path / "out" / "a_ldseg.zarr")
    again = segment_folder(tmp_path / "a.zarr", tmp_path / "out", model, config, scheduler=scheduler)
    assert (again.count("done"), again.failed) == (1, {})


def workers(scheduler: str) -> list[int]:
    """Their process ids."""
    with Client(scheduler, set_as_default=False) as client:
        return list(client.run(os.getpid).values())


def ends(run: Iterator[Update]) -> list[str]:
    return sorted(update.state for update in run if update.state != "running")


def test_a_worker_that_is_killed_costs_no_image(slides: Path, tmp_path: Path, saved: Path, scheduler: str) -> None:
    run = run_batch(follow(plan_batch([slides], saved, tmp_path / "out", QUICK)), scheduler=scheduler)
    next(update for update in run if update.state == "done")
    os.kill(workers(scheduler)[0], signal.SIGKILL)
    assert ends(run) == ["done"] * 5
    assert len(list((tmp_path / "out").glob("*.tif"))) == 12


def test_an_image_that_kills_its_workers_is_reported(slides: Path, tmp_path: Path, saved: Path, scheduler: str) -> None:
    save_picture(slides / "poison.png", make_ramp((24, 24, 3)))
    report = segment_folder(slides, tmp_path / "out", saved, QUICK, scheduler=scheduler)
    assert {path.stem: reason[:60] for path, reason in report.failed.items()} == {
        "poison": "the process that worked on it died each time (out of memory,"
    }
    assert report.count("done") == 6


def test_a_lost_scheduler_ends_the_run_in_words(slides: Path, tmp_path: Path, saved: Path) -> None:
    code = (
        "import asyncio, distributed\n"
        "async def main():\n"
        "    async with distributed.Scheduler(dashboard=False) as scheduler:\n"
        "        print(scheduler.address, flush=True)\n"
        "        await scheduler.finished()\n"
        "asyncio.run(main())"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    with process.stdout:
        address = process.stdout.readline().decode().strip()
    run = run_batch(follow(plan_batch([slides], saved, tmp_path / "out", QUICK)), scheduler=address)
    assert any(update.text == "Waiting for workers" for update in run)
    process.kill()
    process.wait()
    with pytest.raises(EngineError, match="connection to the Dask scheduler is lost"):
        list(run)
    assert json.loads((tmp_path / "out" / "report.json").read_text())["counts"]["waiting"] == 6


def test_no_scheduler_is_said(slides: Path, tmp_path: Path, saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_ldseg.batch._dask_cluster.CONNECTING", 0.5)
    with pytest.raises(EngineError, match="No Dask scheduler answers at tcp"):
        segment_folder(slides, tmp_path / "out", saved, QUICK, scheduler="tcp://127.0.0.1:9")


def test_workers_of_its_own_start_and_end_with_the_batch(slides: Path, tmp_path: Path, saved: Path) -> None:
    plan = follow(plan_batch([slides], saved, tmp_path / "out", QUICK))
    seen = {update.text for update in run_batch(plan, workers=2)}
    assert "Starting the workers" in seen
    assert "2 workers" in seen
    assert len(list((tmp_path / "out").glob("*.tif"))) == 12


def test_workers_of_its_own_keep_freed_memory() -> None:
    with local_cluster(1) as cluster, Client(cluster, set_as_default=False) as client:
        (variables,) = client.run(lambda: dict(os.environ)).values()
    assert int(variables["MALLOC_TRIM_THRESHOLD_"]) > 1e9
    assert variables["OMP_NUM_THREADS"] == "1"


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="a terminal's Ctrl-C goes to a process group, which POSIX has")
def test_ctrl_c_ends_its_workers_in_words(tmp_path: Path, saved: Path) -> None:
    for index in range(200):
        save_picture(tmp_path / "many" / f"{index}.png", make_ramp((24, 24, 3)) + index % 100)
    out = tmp_path / "out"
    process = start(tmp_path / "many", saved, out, "--workers", "2", said=subprocess.PIPE)
    wait_for(process, out, 3)
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=60)[0].decode()
    assert process.returncode == 130, said
    assert "Interrupted; finished images are written." in said
    assert "Traceback" not in said
    assert json.loads((out / "report.json").read_text())["counts"]["failed"] == 0


def test_ctrl_c_is_noted_and_a_second_one_interrupts() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with ctrl_c_noted() as interrupted:
            assert not interrupted.is_set()
            signal.raise_signal(signal.SIGINT)
            assert interrupted.is_set()
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_ctrl_c_that_means_something_else_is_left_alone() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with ctrl_c_noted():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
