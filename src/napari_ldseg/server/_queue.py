"""One device, many people: a fair queue, and the thread that works it off."""

import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from ..errors import LDSegError
from ..remote import pack_result
from ._run import Run

LOG = logging.getLogger("napari_ldseg.server")
# Seconds after which a client that asks for nothing counts as gone.
GONE = 60.0


class Queue:
    """Runs that wait. Clients take turns: each has one run done before any has its second.

    The one that is done is in no place; the next one is in place 1.
    """

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str], deque[Run]] = {}
        self._changed = threading.Condition()

    def put(self, run: Run) -> None:
        """Put a run behind those of the same client."""
        with self._changed:
            self._waiting.setdefault(run.turn, deque()).append(run)
            self._changed.notify()

    def take(self, timeout: float) -> Run | None:
        """Return the next run; None where there is none for ``timeout`` seconds."""
        with self._changed:
            if not self._waiting:
                self._changed.wait(timeout)
            if not self._waiting:
                return None
            turn = next(iter(self._waiting))
            runs = self._waiting.pop(turn)
            run = runs.popleft()
            if runs:  # its next one comes behind those of all others
                self._waiting[turn] = runs
            return run

    def drop(self, run: Run) -> bool:
        """Take a run out; return whether it waited."""
        with self._changed:
            runs = self._waiting.get(run.turn)
            if runs is None or run not in runs:
                return False
            runs.remove(run)
            if not runs:
                del self._waiting[run.turn]
            return True

    def place(self, run: Run) -> int:
        """Return how many runs will be taken before this one is, and this one; 0 if it does not wait."""
        with self._changed:
            rounds = itertools.zip_longest(*self._waiting.values())
            order = [one for each in rounds for one in each if one is not None]
            return order.index(run) + 1 if run in order else 0

    def __len__(self) -> int:
        """How many runs wait."""
        with self._changed:
            return sum(map(len, self._waiting.values()))


class Worker:
    """The thread that computes, one run at a time.

    Parameters
    ----------
    folder : Path
        For results.
    minutes : float
        How long a run may take.
    tidy : callable
        Called every few seconds between runs.
    """

    def __init__(self, folder: Path, minutes: float, tidy: Callable[[], object] = lambda: None) -> None:
        self.queue = Queue()
        self._folder, self._most, self._tidy = folder, 60 * minutes, tidy
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, name="napari-ldseg-server", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop at the next step, and wait for that."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(10)

    def cancel(self, run: Run) -> None:
        """Stop a run, or let it not begin."""
        run.stop.set()
        if self.queue.drop(run):
            run.change("stopped")

    def _work(self) -> None:
        while not self._ending.is_set():
            run = self.queue.take(1.0)
            if run is None:
                self._tidy()
                continue
            self._do(run)
            self._tidy()

    def _do(self, run: Run) -> None:
        """Do a run. Whatever happens in it, the server goes on."""
        started = time.monotonic()
        try:
            with closing(run.steps()) as steps:
                run.change("running")
                while True:
                    self._refuse_to_go_on(run, time.monotonic() - started)
                    if run.stop.is_set():
                        run.change("stopped")
                        break
                    run.tell(next(steps), pack_result)
        except StopIteration as end:
            self._keep(run, end.value)
        except LDSegError as error:
            run.change("failed", error=(type(error).__name__, str(error)))
        except Exception as error:
            LOG.exception("Run %s of %s failed", run.id, run.owner)
            reason = f"The server failed ({type(error).__name__}); its log says more."
            run.change("failed", error=("EngineError", reason))
        LOG.info("%s: %s, %s after %.2f s", run.owner, run.what, run.state, time.monotonic() - started)

    def _refuse_to_go_on(self, run: Run, seconds: float) -> None:
        if seconds > self._most:
            raise LDSegError(
                f"The run was stopped after {self._most / 60:g} minutes, the most that this server gives one; take a "
                "smaller part or fewer samples."
            )
        if self._ending.is_set():
            raise LDSegError("The server is shutting down; run it again when it is back.")
        if time.monotonic() - run.seen > GONE:
            raise LDSegError("Nobody asked for this run any more.")

    def _keep(self, run: Run, packed: bytes) -> None:
        path = self._folder / f"result-{run.id}"
        try:
            path.write_bytes(packed)
        except OSError as error:
            LOG.exception("The result of run %s cannot be stored", run.id)
            run.change("failed", error=("EngineError", f"The server cannot store the result ({error.strerror})."))
            return
        run.change("done", result=path)
