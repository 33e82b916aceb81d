"""Show how far a run is, how long it will take, and how it ended."""

import time
from typing import TYPE_CHECKING

from qtpy.QtCore import QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent
from qtpy.QtWidgets import QLabel, QWidget

from ..._util import Progress
from ._layout import column

if TYPE_CHECKING:
    from ...inference import Segmentation

WARM_UP = 0.5
ACCENT = "#5672d8"


class Bar(QWidget):
    """A thin progress bar.

    A QProgressBar repaints the whole window, canvas included, at every step (30 ms and more). This one only schedules
    a repaint.
    """

    HEIGHT = 6

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.done: float = 0
        self.total: float = 0
        self.setFixedHeight(self.HEIGHT)

    def show_progress(self, progress: Progress) -> None:
        """Show how many of how many steps are done."""
        self.done, self.total = progress.done, progress.total
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw a groove and the part of it that is done."""
        del event
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        radius = self.HEIGHT / 2
        painter.setBrush(QColor(128, 128, 128, 70))
        painter.drawRoundedRect(QRectF(self.rect()), radius, radius)
        if self.total:
            width = max(self.width() * min(self.done / self.total, 1), self.HEIGHT)
            painter.setBrush(QColor(ACCENT))
            painter.drawRoundedRect(QRectF(0, 0, width, self.HEIGHT), radius, radius)
        painter.end()


class ProgressView(QWidget):
    """A progress bar over a line of text."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._begun: tuple[float, float] | None = None
        self.bar = Bar()
        self.line = QLabel()
        self.line.setWordWrap(True)
        self.line.setAlignment(Qt.AlignmentFlag.AlignTop)
        column(self, self.bar, self.line)
        self.bar.hide()
        self.line.hide()

    def start(self) -> None:
        """Show that a run has begun."""
        self._begun = None
        # There is room for two lines, so that nothing below jumps when a text wraps.
        self.line.setMinimumHeight(2 * self.line.fontMetrics().lineSpacing())
        self.bar.show_progress(Progress())
        self.bar.show()
        self.say("Starting")

    def show_progress(self, progress: Progress) -> None:
        """Show the text, how much is done, and, once it can be estimated, the time left."""
        self.bar.show_progress(progress)
        self.say(" · ".join(part for part in (progress.text, self._left(progress.done, progress.total)) if part))

    def say(self, text: str) -> None:
        """Show a line of text."""
        self.line.setText(text)
        self.line.setVisible(bool(text))

    def finish(self, text: str) -> None:
        """Replace the bar by a line of text."""
        self.bar.hide()
        self.line.setMinimumHeight(0)
        self.say(text)

    def _left(self, done: float, total: float) -> str:
        now = time.monotonic()
        if self._begun is None:
            self._begun = (now, done) if done else None
            return ""
        since, first = self._begun
        if done <= first or now - since < WARM_UP:
            return ""
        return f"{duration((now - since) / (done - first) * max(total - done, 0))} left"


def duration(seconds: float) -> str:
    """Return seconds as text: "0.8 s", "42 s", "3 min 5 s"."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def summary(result: "Segmentation", *, stopped: bool) -> str:
    """Return what a run did: device, time, samples."""
    samples = f"{result.samples} sample" + ("s" if result.samples != 1 else "")
    used = f"{duration(float(result.provenance['seconds']))} on {str(result.provenance['device']).upper()}"
    if stopped and result.path is not None:
        return "Stopped. What was computed is kept on disk; press Segment to go on."
    if stopped:
        return f"Stopped after {samples}, {used}. What was computed is kept."
    none = " One sample has no uncertainty: choose 10 or more for an SD map." if result.samples == 1 else ""
    return f"Done: {samples}, {used}, seed {result.provenance['seed']}.{none}"
