"""Run work in a thread beside the event loop. Its outcome arrives in the widgets' thread."""

import math
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import QCoreApplication, QObject, Signal

from ..._util import Progress

SIGN_OF_LIFE = 0.05
BREATH = 0.1

# A QObject must be freed in its own thread. If the working thread held the last reference, Qt would deliver signals
# to an object that is being freed (a crash when the dock was closed during a run).
_GOING: "set[Background]" = set()


class Background(QObject):
    """A thread that runs :meth:`work`. ``finished`` carries its return value, in the thread that made the object.

    This is a plain thread and not a worker of napari (superqt 0.9), which drops every RuntimeError without a signal
    (and most of torch's errors are RuntimeErrors), does not close a generator when it is stopped, and swaps the
    process-wide warning filters under the main thread's feet.
    """

    finished = Signal(object)
    _ended = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._stop = threading.Event()
        self._gone = threading.Event()
        self._thread = threading.Thread(target=self._run, name="napari-ldseg")
        self._ended.connect(self._on_ended)
        if (app := QCoreApplication.instance()) is not None:
            app.aboutToQuit.connect(self.stop)

    def start(self) -> None:
        """Start the thread. The object lives until the thread ends, even if nobody else refers to it."""
        _GOING.add(self)
        self._thread.start()

    def inform(self, owner: QObject, slot: Callable[[Any], object]) -> None:
        """Call a function of a widget when the work has finished. If the widget is destroyed first, stop the work."""
        owner.destroyed.connect(self._forget)
        gone = self._gone  # a slot that referred to this object would keep it forever
        self.finished.connect(lambda outcome: None if gone.is_set() else slot(outcome))

    def stop(self) -> None:
        """Ask the work to end at its next step; ``finished`` follows."""
        self._stop.set()

    def work(self) -> object:
        """Do the work, in the thread. It must not raise."""
        raise NotImplementedError

    def _run(self) -> None:
        self._ended.emit(self.work())

    def _forget(self) -> None:
        self._gone.set()
        self.stop()

    def _on_ended(self, outcome: object) -> None:
        self._thread.join()  # it only has to return; its remaining references are dropped here, not there
        self.finished.emit(outcome)
        _GOING.discard(self)


@dataclass(frozen=True)
class Done:
    """The outcome of a task: its result, its error, or that it was stopped."""

    value: Any = None
    error: Exception | None = None
    stopped: bool = False


class Task(Background):
    """One call of a function in a thread. ``finished`` carries a :class:`Done`."""

    def __init__(self, function: Callable[[], object]) -> None:
        super().__init__()
        self._function = function

    def work(self) -> Done:
        """Call the function."""
        try:
            return Done(self._function())
        except Exception as error:  # noqa: BLE001  the border: whatever it is, the user is told
            return Done(error=error)


class Steps(Background):
    """A generator in a thread that yields its progress. ``finished`` carries a :class:`Done`.

    ``progressed`` carries every milestone (:attr:`Progress.is_milestone`) and at most some 20 other updates a second,
    however fast the generator is; none arrives after :meth:`stop`. A subclass may choose other updates (:meth:`due`)
    and keep a partial result (:meth:`so_far`).

    Parameters
    ----------
    make : callable
        Returns the generator. It is called in the thread.
    """

    progressed = Signal(object)
    _stepped = Signal(object)

    def __init__(self, make: Callable[[], Generator[Progress, None, Any]]) -> None:
        super().__init__()
        self._make = make
        self._going = threading.Event()
        self._going.set()
        self._told = -math.inf
        self._stepped.connect(self._on_stepped)

    @property
    def paused(self) -> bool:
        """Whether it is paused."""
        return not self._going.is_set()

    def pause(self, paused: bool) -> None:
        """Pause at the next step, or continue."""
        if paused:
            self._going.clear()
        else:
            self._going.set()

    def due(self, progress: Progress) -> Progress | None:
        """Return the update to emit, or None to skip it. Called in the thread."""
        now = time.monotonic()
        if not progress.is_milestone and now - self._told < SIGN_OF_LIFE:
            return None
        self._told = now
        return progress

    def so_far(self) -> Any:
        """Return the partial result if the generator fails or is stopped. Called in the thread."""
        return None

    def work(self) -> Done:
        """Run the generator to its end, or until it is stopped, and close it."""
        steps = None
        try:
            steps = self._make()
            while not self._stop.is_set():
                if self._going.wait(BREATH) and (told := self.due(next(steps))) is not None:
                    self._stepped.emit(told)
        except StopIteration as end:
            return Done(end.value)
        except Exception as error:  # noqa: BLE001  the border: whatever it is, the user is told
            return Done(self.so_far(), error)
        finally:
            if steps is not None:
                steps.close()
        return Done(self.so_far(), stopped=True)

    def _on_stepped(self, progress: Progress) -> None:
        if not self._stop.is_set():
            self.progressed.emit(progress)
