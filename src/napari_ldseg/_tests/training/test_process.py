"""Training in a real process of its own: done, paused, stopped, killed, orphaned, failed, and resumed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open

from ...checkpoints import load_model, read_header
from ...config import TrainJob
from ...errors import InputError
from ...training import TrainProcess, unfinished_runs
from ..training_builders import make_job

pytestmark = pytest.mark.slow

PATIENCE = 120.0
LONG = 100_000


@pytest.fixture
def started() -> Iterator[Callable[[TrainJob], TrainProcess]]:
    """Start a run; whatever is left of it at the end of the test is killed."""
    runs: list[TrainProcess] = []

    def start(job: TrainJob) -> TrainProcess:
        runs.append(TrainProcess.prepare(job))
        runs[-1].start()
        return runs[-1]

    yield start
    for run in runs:
        run.kill()


def wait_for(condition: Callable[[], Any]) -> Any:
    """Wait until something holds; a process takes seconds to load torch."""
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)
    return found


def validated(run: TrainProcess, seen: list[dict[str, Any]], times: int = 2) -> bool:
    """Whether the run has been validated that often since it was first asked; fails if it ended."""
    seen += run.news()
    assert run.is_running(), run.outcome()
    return sum(row["validation"] is not None for row in seen) >= times


def steps_of(run: TrainProcess) -> int:
    with safe_open(run.folder / "state.safetensors", framework="pt") as file:
        return int((file.metadata() or {})["stages"].split("[")[1].split(",")[0])


def test_a_run_ends_with_a_model_that_names_its_parent(
    started: Callable[[TrainJob], TrainProcess], tmp_path: Path
) -> None:
    job = make_job(tmp_path)
    run = started(job)
    assert [one.folder for one in unfinished_runs()] in ([], [run.folder])  # until it holds the lock
    wait_for(lambda: not run.is_running())
    assert run.outcome().state == "done"
    rows = [row for row in run.news() if not row["note"]]
    assert [row["step"] for row in rows if row["validation"] is not None] == [0, 4, 8, 12]
    assert run.news() == []
    header = read_header(run.folder / "model.safetensors")
    assert header.config.name == "taught"
    assert "tiny-2d" in header.card
    assert read_header(tmp_path / "tiny.safetensors").card == "# Tiny"
    assert run.job() == job


def test_kill_9_leaves_the_last_state_and_the_run_goes_on_from_it(
    started: Callable[[TrainJob], TrainProcess], tmp_path: Path
) -> None:
    run = started(make_job(tmp_path, steps=LONG))
    seen: list[dict[str, Any]] = []
    wait_for(lambda: validated(run, seen))
    assert unfinished_runs() == []  # somebody works on it
    assert run.pid is not None
    os.kill(run.pid, signal.SIGKILL)
    wait_for(lambda: not run.is_running())
    outcome = run.outcome()
    assert outcome.state == "killed"
    assert "killed" in outcome.text
    load_model(run.folder / "model.safetensors")  # whole, and with all its weights
    (left,) = unfinished_runs()
    assert left.folder == run.folder
    assert left.has_state()
    reached = steps_of(left)
    assert reached >= 4
    left.start()
    left.news()  # what was before the kill
    more: list[dict[str, Any]] = []
    wait_for(lambda: validated(left, more, 1))
    assert min(row["step"] for row in more if row["step"]) >= reached - 4
    assert max(row["step"] for row in more) > reached
    left.tell("stop")
    wait_for(lambda: not left.is_running())
    assert left.outcome().state == "done"


def test_paused_it_does_nothing_until_it_shall_go_on(
    started: Callable[[TrainJob], TrainProcess], tmp_path: Path
) -> None:
    run = started(make_job(tmp_path, steps=LONG))
    seen: list[dict[str, Any]] = []
    wait_for(lambda: validated(run, seen))
    run.tell("pause")

    def silent() -> bool:
        before = run.folder.joinpath("log.jsonl").stat().st_size
        time.sleep(1.5)  # three reports
        return run.folder.joinpath("log.jsonl").stat().st_size == before

    wait_for(silent)
    assert run.is_running()
    run.news()
    run.tell("resume")
    wait_for(run.news)


def test_when_the_viewer_is_gone_it_saves_and_ends(tmp_path: Path) -> None:
    """The program that started it is killed, too, so that it can say nothing."""
    run = TrainProcess.prepare(make_job(tmp_path, steps=LONG, validate_every=LONG))
    code = (
        "import sys, time; from pathlib import Path; from napari_ldseg.training import TrainProcess\n"
        "run = TrainProcess(Path(sys.argv[1])); run.start(); time.sleep(600)"
    )
    viewer = subprocess.Popen([sys.executable, "-c", code, str(run.folder)])
    try:
        wait_for(lambda: sum(row["step"] > 0 for row in run.news()))
        assert not run.has_state()
    finally:
        viewer.kill()
        viewer.wait()
    wait_for(lambda: unfinished_runs())
    assert run.outcome().state == "saved"
    assert steps_of(run) > 0


def test_what_it_is_told_before_it_runs_is_not_lost(tmp_path: Path) -> None:
    early = TrainProcess.prepare(make_job(tmp_path, steps=LONG, validate_every=LONG))
    early.tell("stop")
    early.start()
    assert early.outcome().state == "done"
    (early.folder / "stop").touch()  # as a window that was killed leaves it behind; not meant for the next
    late = TrainProcess(early.folder)
    late.news()
    try:
        late.start()
        wait_for(late.news)
        assert late.is_running()
    finally:
        late.discard()


def test_errors_arrive_in_words(started: Callable[[TrainJob], TrainProcess], tmp_path: Path) -> None:
    job = make_job(tmp_path)
    (tmp_path / "tiny.safetensors").unlink()
    run = started(job)
    wait_for(lambda: not run.is_running())
    outcome = run.outcome()
    assert (outcome.state, outcome.details) == ("failed", "")
    assert "tiny.safetensors" in outcome.text


def test_cancelled_it_leaves_nothing(started: Callable[[TrainJob], TrainProcess], tmp_path: Path) -> None:
    run = started(make_job(tmp_path, steps=LONG))
    wait_for(run.news)
    run.discard()
    assert not run.is_running()
    assert not run.folder.exists()


def test_a_name_that_no_model_can_have_is_refused() -> None:
    with pytest.raises(InputError, match="name"):
        TrainJob.parse({"model": "glas", "dataset": "set", "name": "../x"})


def test_watching_a_process_needs_no_torch() -> None:
    code = "import napari_ldseg.training, sys; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"
