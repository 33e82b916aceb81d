"""Work that takes longer than a moment, in a thread: a generator becomes signals."""

import threading
import time
from collections.abc import Callable, Generator
from typing import Any

from qtpy.QtCore import QCoreApplication, QObject, Signal

SIGN_OF_LIFE = 0.05
Work = Callable[[], Generator[tuple[int, int], None, Any]]

# As in `_worker`: a QObject must be freed by its own thread, so it lives until its thread has ended.
_GOING: "set[Background]" = set()


class Background(QObject):
    """One piece of work; ``progressed`` carries how far it is, ``finished`` its result and its error (one is None).

    Both arrive in the thread that made it. When it is stopped, ``finished`` carries None twice.
    """

    progressed = Signal(int, int)
    finished = Signal(object, object)
    _stepped = Signal(int, int)
    _ended = Signal(object, object)

    def __init__(self, work: Work) -> None:
        super().__init__()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, args=(work,), name="napari-ldseg measure")
        self._stepped.connect(self.progressed)
        self._ended.connect(self._on_ended)
        if (app := QCoreApplication.instance()) is not None:
            app.aboutToQuit.connect(self.stop)

    def start(self) -> None:
        """Start the thread."""
        _GOING.add(self)
        self._thread.start()

    def stop(self) -> None:
        """Ask the work to end at its next step."""
        self._stop.set()

    def _work(self, work: Work) -> None:
        self._ended.emit(*_run(work, self._stop, self._stepped.emit))

    def _on_ended(self, result: Any, error: Exception | None) -> None:
        self._thread.join()
        self.finished.emit(result, error)
        _GOING.discard(self)


def _run(work: Work, stop: threading.Event, tell: Callable[[int, int], object]) -> tuple[Any, Exception | None]:
    told = 0.0
    steps = None
    try:
        steps = work()
        while not stop.is_set():
            done, total = next(steps)
            if time.monotonic() - told >= SIGN_OF_LIFE:
                told = time.monotonic()
                tell(done, total)
    except StopIteration as end:
        return end.value, None
    except Exception as error:  # noqa: BLE001  the border: whatever it is, the user is told
        return None, error
    finally:
        if steps is not None:
            steps.close()
    return None, None
