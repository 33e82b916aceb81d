"""Processes of ours that compute at the same time share the cores."""

import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from ..._util import follow
from ...checkpoints import _cores, computing, share_cores
from ...config import SegmentConfig
from ...data import Image
from ...inference import segment
from ...networks import LDSeg

CPU = torch.device("cpu")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of marks, on a computer of eight cores all of which this process may take."""
    before = torch.get_num_threads()
    monkeypatch.setenv("NAPARI_LDSEG_COMPUTING", str(tmp_path / "computing"))
    monkeypatch.setattr(_cores, "available_cores", lambda: 8)
    monkeypatch.setattr(_cores, "_limit", 8)
    monkeypatch.setattr(_cores, "LOOK_SECONDS", 0.0)
    torch.set_num_threads(8)
    (tmp_path / "computing").mkdir()
    yield tmp_path / "computing"
    torch.set_num_threads(before)


def mark(folder: Path, pid: int) -> Path:
    path = folder / f"{platform.node()}-{pid}"
    path.touch()
    return path


@pytest.mark.parametrize(("others", "threads"), [(0, 8), (1, 4), (2, 2), (9, 1)])
def test_cores_are_shared_with_those_that_compute_and_taken_back(folder: Path, others: int, threads: int) -> None:
    running = [subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) for _ in range(others)]
    try:
        for each in running:
            mark(folder, each.pid)
        with computing(CPU):
            assert torch.get_num_threads() == threads
            for path in folder.iterdir():
                if not path.name.endswith(f"-{os.getpid()}"):
                    path.unlink()
            share_cores()
            assert torch.get_num_threads() == 8
        assert list(folder.iterdir()) == []
    finally:
        for each in running:
            each.communicate(b"\n")


def test_marks_of_dead_paused_and_distant_processes_do_not_count(folder: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    gone = mark(folder, dead.pid)
    paused = mark(folder, os.getppid())
    long_ago = time.time() - 2 * _cores.FRESH_SECONDS
    os.utime(paused, (long_ago, long_ago))
    (folder / f"another-computer-{os.getppid()}").touch()
    with computing(CPU):
        assert torch.get_num_threads() == 8
    assert not gone.exists()
    assert paused.exists()


def test_a_limit_holds_when_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_cores, "_limit", 3)
    with computing(CPU):
        assert torch.get_num_threads() == 3
        mark(folder, os.getppid())
        with computing(CPU):
            assert torch.get_num_threads() == 3
    assert torch.get_num_threads() == 3


def test_nothing_is_marked_for_a_gpu_or_where_the_folder_cannot_be_written(folder: Path) -> None:
    with computing(torch.device("meta")):
        assert list(folder.iterdir()) == []
    folder.rmdir()
    folder.write_text("a file in the way")
    with computing(CPU):
        assert torch.get_num_threads() == 8


def test_a_run_shares_the_cores_and_gives_the_same_result(folder: Path, tiny_model: LDSeg) -> None:
    side = 64 if tiny_model.config.network.ndim == 2 else 16
    pixels = np.random.default_rng(0).integers(0, 256, (side,) * tiny_model.config.network.ndim + (3,), dtype=np.uint8)
    axes = "zyxc"[-pixels.ndim :]
    image, settings = Image(pixels, axes), SegmentConfig(samples=3, device="cpu", precision="float32")
    alone = follow(segment(tiny_model, image, settings))
    mark(folder, os.getppid())
    seen = set()
    run = segment(tiny_model, image, settings)
    try:
        while True:
            next(run)
            seen.add(torch.get_num_threads())
    except StopIteration as end:
        shared = end.value
    assert 4 in seen
    assert torch.get_num_threads() == 8
    # Another number of threads adds up in another order: a class may change where both are equally probable.
    assert alone.mean is not None
    assert shared.mean is not None
    np.testing.assert_allclose(shared.mean, alone.mean, atol=1e-5)
    changed = shared.labels != alone.labels
    highest = np.sort(alone.mean, axis=0)[-2:, changed]
    np.testing.assert_allclose(highest[1], highest[0], atol=2e-5)
    np.testing.assert_allclose(shared.sd, alone.sd, atol=1e-6)
