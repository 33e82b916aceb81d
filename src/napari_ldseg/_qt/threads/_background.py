"""Work in a thread beside the event loop, whose outcome arrives in the thread of the widgets."""

import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import QCoreApplication, QObject, Signal

SIGN_OF_LIFE = 0.05

# A QObject must end in its own thread: were its working thread the last to hold it, Qt would deliver signals to an
# object that is just being freed (a crash when the dock was closed during a run).
_GOING: "set[Background]" = set()


class Background(QObject):
    """A thread that does :meth:`work`; ``finished`` carries what that returns, in the thread that made the object.

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
        """Start the thread; from here to its end the object lives, whoever lets go of it."""
        _GOING.add(self)
        self._thread.start()

    def inform(self, owner: QObject, slot: Callable[[Any], object]) -> None:
        """Call a function that uses a widget when the work has finished; if the widget goes first, stop the work."""
        owner.destroyed.connect(self._forget)
        gone = self._gone  # a slot that held this object would keep it forever
        self.finished.connect(lambda outcome: None if gone.is_set() else slot(outcome))

    def stop(self) -> None:
        """Ask the work to end at its next step; ``finished`` follows."""
        self._stop.set()

    def work(self) -> object:
        """Do the work, in the thread; must not raise."""
        raise NotImplementedError

    def _run(self) -> None:
        self._ended.emit(self.work())

    def _forget(self) -> None:
        self._gone.set()
        self.stop()

    def _on_ended(self, outcome: object) -> None:
        self._thread.join()  # it has only to return; whatever it still holds is let go here and not there
        self.finished.emit(outcome)
        _GOING.discard(self)


@dataclass(frozen=True)
class Done:
    """What a task returned, or raised."""

    value: Any = None
    error: Exception | None = None


class Task(Background):
    """One call of a function in a thread; ``finished`` carries a :class:`Done`."""

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
    """A generator in a thread that yields how far it is; ``finished`` carries a :class:`Done`, empty if stopped."""

    progressed = Signal(int, int)

    def __init__(self, make: Callable[[], Generator[tuple[int, int], None, Any]]) -> None:
        super().__init__()
        self._make = make

    def work(self) -> Done:
        """Run the generator to its end; tell now and then how far it is."""
        told, steps = 0.0, None
        try:
            steps = self._make()
            while not self._stop.is_set():
                done, total = next(steps)
                if time.monotonic() - told >= SIGN_OF_LIFE:
                    told = time.monotonic()
                    self.progressed.emit(done, total)
        except StopIteration as end:
            return Done(end.value)
        except Exception as error:  # noqa: BLE001  the border: whatever it is, the user is told
            return Done(error=error)
        finally:
            if steps is not None:
                steps.close()
        return Done()
