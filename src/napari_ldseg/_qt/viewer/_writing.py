"""Write layers step by step, because napari is slow to add one: the event loop runs in between."""

from collections.abc import Iterator

from qtpy.QtCore import QObject, QTimer, Signal

END = object()


class Writing(QObject):
    """Takes the newest steps; ``finished`` follows the last one of those that end a run."""

    finished = Signal(object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._steps: Iterator[None] = iter(())
        self._outcome: object = None
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._on_step)

    def write(self, steps: Iterator[None], outcome: object = None) -> None:
        """Take these steps in place of those that are left, and then emit the outcome, if there is one."""
        self._steps, self._outcome = steps, outcome
        self._timer.start()

    def _on_step(self) -> None:
        if next(self._steps, END) is not END:
            return
        self._timer.stop()
        if self._outcome is not None:
            outcome, self._outcome = self._outcome, None
            self.finished.emit(outcome)
