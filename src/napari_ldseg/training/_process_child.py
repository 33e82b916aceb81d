"""Run the training process: `python -m napari_ldseg.training._process_child RUN_FOLDER` (see :mod:`._process`)."""

import json
import os
import sys
import threading
import traceback
from collections.abc import Generator
from pathlib import Path

import filelock
import psutil

from .._util import follow, write_text
from ..config import TrainJob
from ..datasets import TrainingSet
from ..errors import InputError, LDSegError
from ._progress import TrainProgress
from ._run_folder import JOB, LOCK, OUTCOME

NICE = 10


class Line:
    """The channel to the parent program: its last order, and whether it still runs."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._order = ""
        self._open = True
        threading.Thread(target=self._listen, daemon=True).start()

    def wait_while_paused(self) -> None:
        """Return at once, or when a pause is over."""
        with self._changed:
            self._changed.wait_for(lambda: not self._open or self._order != "pause")

    @property
    def is_open(self) -> bool:
        """Whether the parent program still runs."""
        return self._open

    def _listen(self) -> None:
        for line in sys.stdin:
            with self._changed:
                self._order = line.strip()
                self._changed.notify_all()
        with self._changed:
            self._open = False
            self._changed.notify_all()


class _ClosedError(Exception):
    """The parent program is gone."""


def main(folder: Path) -> int:
    """Work on a run until it is done, fails, or the parent program is gone; note how it ended."""
    psutil.Process().nice(NICE if os.name != "nt" else psutil.BELOW_NORMAL_PRIORITY_CLASS)  # the viewer goes first
    line = Line()
    try:
        with filelock.FileLock(folder / LOCK, timeout=0):
            state, text, details = _work(folder, line)
            write_text(folder / OUTCOME, json.dumps({"state": state, "text": text, "details": details}))
    except filelock.Timeout:
        sys.stderr.write("Another process works on this run.\n")
        return 1
    return 0


def _work(folder: Path, line: Line) -> tuple[str, str, str]:
    def go_on(_: object = None) -> None:
        line.wait_while_paused()
        if not line.is_open:
            raise _ClosedError

    try:
        run = _run(folder)
        go_on()
        follow(run, go_on)
    except _ClosedError:
        return "saved", "The viewer was closed while the training went on; its state is kept.", ""
    except LDSegError as error:
        return "failed", str(error), ""
    except MemoryError:
        return "failed", "There is not enough memory for this training; choose a smaller batch.", ""
    except Exception as error:  # noqa: BLE001  the border: whatever it is, the user is told
        return "failed", f"{type(error).__name__}: {error}", traceback.format_exc()
    return "done", "", ""


def _run(folder: Path) -> Generator[TrainProgress, None, object]:
    from ..checkpoints import load_model
    from ._fine_tune import fine_tune

    try:
        job = TrainJob.read((folder / JOB).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{folder / JOB} cannot be read ({error.strerror}).") from error
    dataset = TrainingSet(Path(job.dataset))
    parent = load_model(job.model, job.config.device)
    names = parent.config.class_names if job.config.foreground else dataset.class_names
    return fine_tune(parent, dataset.pairs(), job.config, folder, name=job.name, class_names=names)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
