"""The thread: whatever happens in it reaches the user, and a stop keeps what there is."""

import gc
import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QLabel

from ..._qt.threads._background import _GOING, Done, Steps, Task
from ..._qt.threads._segmentation import Engine, Job, Outcome, Run, engine
from ..._util import Progress
from ...checkpoints import save_model
from ...config import SegmentConfig
from ...data import Image
from ...errors import CheckpointError, EngineError
from ...inference import Segmentation, SegmentProgress
from ...plan import Plan, plan_image
from ..builders import make_ramp, make_tiny_config, make_tiny_model
from ..qt_fixtures import fake_engine

MODEL = Path("model.safetensors")


def make_job(samples: int = 2, model: Path = MODEL) -> Job:
    return Job(plan_of(Image(make_ramp((16, 20)), "yx"), samples), model)


def plan_of(image: Image, samples: int) -> Plan:
    return plan_image(image, make_tiny_config(2), SegmentConfig(samples=samples))


def finish(qtbot: QtBot, run: Run) -> Outcome:
    with qtbot.waitSignal(run.finished, timeout=20_000) as finished:
        run.start()
    outcome: Outcome = finished.args[0]
    return outcome


@pytest.mark.parametrize("error", [RuntimeError("CUDA error"), EngineError("no memory"), MemoryError(), KeyError("x")])
def test_every_error_arrives_with_what_was_computed(qtbot: QtBot, error: Exception) -> None:
    """A worker of superqt would drop the RuntimeError without any signal."""
    outcome = finish(qtbot, Run(lambda job: fake_engine(job, error=error), make_job()))
    assert outcome.error is error
    assert outcome.result is not None
    assert outcome.result.samples == 1


def test_error_before_the_first_step_arrives(qtbot: QtBot) -> None:
    def broken(job: Job) -> Generator[SegmentProgress, None, Segmentation]:
        raise RuntimeError("at once")

    assert str(finish(qtbot, Run(broken, make_job())).error) == "at once"


@pytest.mark.slow
def test_a_run_that_nobody_holds_lives_to_its_end(qtbot: QtBot) -> None:
    """Freed by its own thread (as when the dock closes during a run), its signals would end the process."""
    outcomes: list[Outcome] = []
    for _ in range(50):
        for _ in range(4):
            run = Run(lambda job: fake_engine(job, pause=0.0005), make_job(3))
            run.finished.connect(outcomes.append)
            run.start()
        del run
        gc.collect()
        qtbot.wait(5)
    qtbot.waitUntil(lambda: len(outcomes) == 200)


@pytest.mark.parametrize("gone", [False, True])
def test_a_widget_that_is_gone_is_not_told(qtbot: QtBot, gone: bool) -> None:
    owner, told, going = QLabel(), list[str](), threading.Event()
    task = Task(going.wait)

    def tell(done: Done) -> None:
        owner.setText(str(done.value))
        told.append(owner.text())

    task.inform(owner, tell)
    task.start()
    if gone:
        with qtbot.waitSignal(owner.destroyed):
            owner.deleteLater()
    going.set()
    qtbot.waitUntil(lambda: task not in _GOING)
    assert told == ([] if gone else ["True"])


def test_result_arrives_once_and_is_the_viewers_own(qtbot: QtBot) -> None:
    outcome = finish(qtbot, Run(fake_engine, make_job(3)))
    assert (outcome.error, outcome.stopped) == (None, False)
    assert outcome.result is not None
    assert outcome.result.samples == 3
    assert outcome.result.labels.shape == (16, 20)


def test_stop_keeps_what_was_computed_and_closes_the_engine(qtbot: QtBot) -> None:
    closed: list[bool] = []

    def endless(job: Job) -> Generator[SegmentProgress, None, Segmentation]:
        try:
            return (yield from fake_engine(job, pause=0.005))
        finally:
            closed.append(True)

    run = Run(endless, make_job(1000))
    with qtbot.waitSignal(run.progressed, check_params_cb=lambda progress: progress.preview is not None):
        run.start()
    with qtbot.waitSignal(run.finished) as finished:
        run.stop()
    outcome = finished.args[0]
    assert outcome.stopped
    assert outcome.result is not None
    assert 1 <= outcome.result.samples < 1000
    assert closed == [True]


def test_a_fast_engine_does_not_flood_the_viewer(qtbot: QtBot) -> None:
    seen: list[SegmentProgress] = []
    run = Run(lambda job: fake_engine(job, pause=0.0005), make_job(300))
    run.progressed.connect(seen.append)
    start = time.monotonic()
    finish(qtbot, run)
    seconds = time.monotonic() - start
    previews = [progress for progress in seen if progress.preview is not None]
    assert previews[0].done <= 6
    assert len(previews) <= seconds / 0.3 + 1
    assert len(seen) <= seconds / 0.05 + len(previews) + 1


@pytest.fixture
def tiny_file(tmp_path: Path) -> Path:
    return save_model(make_tiny_model(2), tmp_path / "tiny.safetensors", "# Tiny")


def test_the_real_engine_loads_and_segments(qtbot: QtBot, tiny_file: Path) -> None:
    stages: list[str] = []
    run = Run(engine, make_job(2, tiny_file))
    run.progressed.connect(lambda progress: stages.append(progress.text))
    outcome = finish(qtbot, run)
    assert outcome.error is None
    assert outcome.result is not None
    assert (outcome.result.labels.shape, outcome.result.samples) == ((16, 20), 2)
    assert stages[0] == "Loading the model"


def test_a_missing_model_is_said_in_words(qtbot: QtBot, tmp_path: Path) -> None:
    real: Engine = engine
    outcome = finish(qtbot, Run(real, make_job(1, tmp_path / "gone.safetensors")))
    assert isinstance(outcome.error, CheckpointError)
    assert "gone.safetensors" in str(outcome.error)


def test_lazy_arrays_are_read_in_the_thread(qtbot: QtBot) -> None:
    da = pytest.importorskip("dask.array")
    lazy = Image(da.from_array(make_ramp((16, 20))), "yx")
    outcome = finish(qtbot, Run(fake_engine, Job(plan_of(lazy, 1), MODEL)))
    assert outcome.result is not None
    assert np.array_equal(outcome.result.labels, make_ramp((16, 20)) < make_ramp((16, 20)).mean())


@pytest.mark.slow
def test_torch_is_imported_with_the_garbage_collector_back_on() -> None:
    code = (
        "import gc, sys\nfrom napari_ldseg._qt.threads._import_torch import import_torch\n"
        "assert 'torch' not in sys.modules; "
        "import_torch(); import_torch(); print('torch' in sys.modules, gc.isenabled())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == ["True", "True"]


def test_steps_can_be_paused_thinned_and_stopped(qtbot: QtBot) -> None:
    closed: list[bool] = []

    class News(Progress):
        @property
        def is_milestone(self) -> bool:
            return True

    def endless() -> Generator[Progress, None, None]:
        try:
            for done in itertools.count():
                time.sleep(0.0005)
                yield (News if done % 100 == 0 else Progress)(done)
        finally:
            closed.append(True)

    steps, seen = Steps(endless), list[Progress]()
    steps.progressed.connect(seen.append)
    start = time.monotonic()
    steps.start()
    qtbot.waitUntil(lambda: sum(isinstance(one, News) for one in seen) >= 5)
    steps.pause(True)
    seconds = time.monotonic() - start
    qtbot.wait(50)
    assert [one.done for one in seen if isinstance(one, News)][:5] == [0, 100, 200, 300, 400]
    assert len([one for one in seen if not isinstance(one, News)]) <= seconds / 0.05 + 2
    last = len(seen)
    qtbot.wait(250)
    assert (steps.paused, len(seen)) == (True, last)
    steps.pause(False)
    qtbot.waitUntil(lambda: len(seen) > last)
    with qtbot.waitSignal(steps.finished) as finished:
        steps.stop()
        last = len(seen)
    assert finished.args[0] == Done(stopped=True)
    assert (len(seen), closed) == (last, [True])


@pytest.mark.parametrize("early", [True, False])
def test_steps_return_what_the_generator_does_or_its_error(qtbot: QtBot, early: bool) -> None:
    def two() -> Generator[Progress, None, str]:
        yield Progress(1, 2)
        return "both"

    def broken() -> Generator[Progress, None, str]:
        if early:
            raise RuntimeError("at once")
        yield Progress()
        raise RuntimeError("later")

    for make, value, error in ((two, "both", None), (broken, None, "at once" if early else "later")):
        steps = Steps(make)
        with qtbot.waitSignal(steps.finished) as finished:
            steps.start()
        done = finished.args[0]
        assert done.value == value
        assert (done.error and str(done.error)) == error
