"""Training in a process of its own, seen from outside: start it, tell it what to do, follow it, find what it left.

All of a run lies in one folder, and the process writes nowhere else; its files are named in :mod:`._run_folder`.

It is told to pause, resume or stop through its standard input. When that closes, the program that started it has
ended, and it saves its state and ends, too. This module needs no torch.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import filelock

from .._util import user_folder, write_text
from ..config import TrainJob
from ..errors import InputError
from ._run_folder import ERRORS, JOB, LOCK, LOG, OUTCOME, STATE, STOP

Order = Literal["pause", "resume", "stop"]


@dataclass(frozen=True)
class Outcome:
    """How a training process ended.

    Attributes
    ----------
    state : {"done", "saved", "failed", "killed"}
        ``"saved"``: it ended because the program that started it did, and can be resumed. ``"failed"``: it said why.
        ``"killed"``: it could say nothing.
    text : str
        In words.
    details : str
        The traceback of an unexpected error, or the last lines of its error stream.
    """

    state: Literal["done", "saved", "failed", "killed"]
    text: str = ""
    details: str = ""


class TrainProcess:
    """One run in its folder, and the process that works on it.

    Parameters
    ----------
    folder : Path
        One that :meth:`prepare` made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: subprocess.Popen[str] | None = None
        self._read = 0
        self._order: Order | None = None
        self._starting = threading.Lock()

    @classmethod
    def prepare(cls, job: TrainJob) -> "TrainProcess":
        """Make the folder of a new run.

        Raises
        ------
        InputError
            If the disk refuses.
        """
        stem = re.sub(r"[^\w-]+", "_", job.name)
        folder = user_folder("runs") / f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}-{stem}"
        write_text(folder / JOB, job.model_dump_json(indent=1))
        return cls(folder)

    def job(self) -> TrainJob:
        """Return what the run is told."""
        try:
            return TrainJob.read((self.folder / JOB).read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"{self.folder / JOB} cannot be read ({error.strerror}); the run is lost.") from error

    def start(self) -> None:
        """Start the process; it goes on where the run stands.

        Raises
        ------
        InputError
            If no process can be started.
        """
        (self.folder / OUTCOME).unlink(missing_ok=True)
        # Ctrl-C in the terminal is meant for the viewer, which then ends the training in good order.
        apart: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            apart = {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
        command = [sys.executable, "-P", "-m", "napari_ldseg.training._process_child", str(self.folder)]
        with self._starting:
            if self._order != "stop":
                (self.folder / STOP).unlink(missing_ok=True)  # of an earlier window
            try:
                with (self.folder / ERRORS).open("w", encoding="utf-8") as errors:
                    self._process = subprocess.Popen(
                        command,
                        stdin=subprocess.PIPE,
                        stdout=errors,
                        stderr=errors,
                        text=True,
                        env=_environment(),
                        **apart,
                    )
            except OSError as error:
                raise InputError(f"The training process cannot be started ({error.strerror or error}).") from error
            if self._order is not None:
                self._say(self._order)

    @property
    def pid(self) -> int | None:
        """Number of the process, once it was started."""
        return self._process.pid if self._process is not None else None

    def is_running(self) -> bool:
        """Whether the process that was started here is alive."""
        return self._process is not None and self._process.poll() is None

    def tell(self, order: Order) -> None:
        """Tell the process what to do, be it started or about to be; it does so at its next report."""
        with self._starting:
            self._order = order
            if order == "stop":
                write_text(self.folder / STOP, "")  # the engine looks for it after each step
            self._say(order)

    def let_go(self) -> None:
        """Close the line to the process, which then saves its state and ends."""
        if self._process is not None and self._process.stdin is not None:
            with suppress(OSError):  # it has ended already
                self._process.stdin.close()

    def kill(self) -> None:
        """End the process at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self.let_go()

    def discard(self) -> None:
        """End the process and delete all that the run has made."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def news(self) -> list[dict[str, Any]]:
        """Return the lines of the log (see :class:`TrainProgress`) that are new since the last call; at first, all."""
        try:
            with (self.folder / LOG).open("rb") as log:
                log.seek(self._read)
                data = log.read()
        except OSError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._read += len(whole)
        rows = []
        for line in whole.splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                continue  # cut short by a kill
            if isinstance(row, dict):
                rows.append(row)
        return rows

    def outcome(self) -> Outcome:
        """Say how the process ended, once it has."""
        if self._process is not None:
            self._process.wait()
            self.let_go()
        try:
            values = json.loads((self.folder / OUTCOME).read_text(encoding="utf-8"))
            return Outcome(values["state"], values["text"], values["details"])
        except (OSError, ValueError, KeyError, TypeError):
            return Outcome("killed", self._epitaph(), self._last_words())

    def has_state(self) -> bool:
        """Whether there is something to resume."""
        return (self.folder / STATE).is_file()

    def _say(self, order: str) -> None:
        if self._process is not None and self._process.stdin is not None:
            with suppress(OSError, ValueError):  # it has just ended, and its outcome says how
                self._process.stdin.write(f"{order}\n")
                self._process.stdin.flush()

    def _epitaph(self) -> str:
        code = self._process.returncode if self._process is not None else None
        if code is None:
            return "The training was interrupted."
        if code == -9 or code == 137:
            return "The training process was killed, by somebody or by the system because memory ran out."
        if code < 0:
            return f"The training process was ended by signal {-code} ({signal.strsignal(-code)})."
        return f"The training process ended unexpectedly (exit code {code})."

    def _last_words(self) -> str:
        try:
            lines = (self.folder / ERRORS).read_text(encoding="utf-8", errors="replace").strip().splitlines()
        except OSError:
            return ""
        return "\n".join(lines[-8:])


def _environment() -> dict[str, str]:
    """Return the environment in which the process finds this very package, also where several are at hand."""
    root = Path(__file__).resolve().parents[2]
    if root.name == "site-packages":
        return dict(os.environ)
    paths = (str(root), os.environ.get("PYTHONPATH", ""))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def unfinished_runs() -> list[TrainProcess]:
    """Return the runs that ended before they were done, and that nobody works on, the newest first."""
    folder = user_folder("runs")
    found = []
    for path in sorted(folder.iterdir(), reverse=True) if folder.is_dir() else ():
        if (path / JOB).is_file() and not _held(path):
            found.append(TrainProcess(path))
    return found


def _held(folder: Path) -> bool:
    """Whether a process works on a run."""
    try:
        with filelock.FileLock(folder / LOCK, timeout=0):
            return False
    except (filelock.Timeout, OSError):
        return True
