"""Explain the colours of a result."""

from collections.abc import Sequence

from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFont, QLinearGradient, QPainter, QPaintEvent
from qtpy.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QSizePolicy, QWidget

from ..controls._forms import row_label
from ..viewer._result_layers import SD_RANGE, SD_SHOWN, class_colors, sd_colormap

SWATCH = 12


class Legend(QWidget):
    """The colours of the classes, and of the SD map with its range."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._classes = QGridLayout()
        self._classes.setHorizontalSpacing(14)
        self._classes.setVerticalSpacing(4)
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setHorizontalSpacing(10)
        layout.setVerticalSpacing(8)
        layout.setColumnStretch(1, 1)
        top = Qt.AlignmentFlag.AlignTop
        layout.addWidget(row_label("Labels"), 0, 0, top)
        layout.addLayout(self._classes, 0, 1)
        layout.addWidget(row_label("SD"), 1, 0, top)
        layout.addWidget(_Gradient(), 1, 1)

    def show_classes(self, names: Sequence[str], colors: Sequence[str]) -> None:
        """Show these classes without the background, which is transparent."""
        while (item := self._classes.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()
        shown = list(zip(names, class_colors(names, colors), strict=True))[1:]
        columns = 1 if any(len(name) > 14 for name, _ in shown) else 2
        for i, (name, color) in enumerate(shown):
            self._classes.addWidget(_swatch(name, color), i // columns, i % columns)
        self._classes.setColumnStretch(columns, 1)


def _swatch(name: str, color: str) -> QWidget:
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(6)
    square = QLabel()
    square.setFixedSize(SWATCH, SWATCH)
    square.setStyleSheet(f"background: {color}; border-radius: 2px;")
    label = QLabel(name)
    label.setWordWrap(False)
    layout.addWidget(square)
    layout.addWidget(label, 1)
    return row


class _Gradient(QWidget):
    """The SD colours over a light and a dark half, with ticks: transparent means that no label would change."""

    HEIGHT = 12

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(
            "Standard deviation of the probability over the samples. Below 0.15 it is not shown: "
            "no label would change there"
        )

    def sizeHint(self) -> QSize:
        """The size of the bar and a line of numbers."""
        return QSize(160, self.HEIGHT + self.fontMetrics().height() + 4)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the bar and its numbers."""
        del event
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        bar = QRectF(0, 0, self.width(), self.HEIGHT)
        gradient = QLinearGradient(bar.topLeft(), bar.topRight())
        shown = sd_colormap(SD_SHOWN)
        for at, color in zip(shown.controls, shown.colors, strict=True):
            gradient.setColorAt(float(at), QColor.fromRgbF(*map(float, color)))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(225, 220, 225))
        painter.drawRoundedRect(bar, 2, 2)
        painter.setBrush(gradient)
        painter.drawRoundedRect(bar, 2, 2)
        font = QFont(self.font())
        painter.setFont(font)
        painter.setPen(self.palette().color(self.foregroundRole()))
        low, high = SD_RANGE
        below = QRectF(0, self.HEIGHT + 2, self.width(), self.fontMetrics().height() + 2)
        places = ((low, "AlignLeft"), ((low + high) / 2, "AlignHCenter"), (high, "AlignRight"))
        for value, place in places:
            painter.drawText(below, int(getattr(Qt.AlignmentFlag, place).value), f"{value:g}")
        painter.end()
