"""Show messages inside a widget: a small area appears when there is something to say."""

import logging

from qtpy.QtCore import Qt
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QWidget

from ...errors import LDSegError

STYLE = """
QFrame#message {{ background: {back}; border: none; border-left: 3px solid {edge}; border-radius: 2px; }}
QFrame#message QLabel {{ background: transparent; }}
QFrame#message QToolButton {{ background: transparent; border: none; padding: 0px; }}
"""
logger = logging.getLogger("napari_ldseg")


def error_text(error: Exception, doing: str) -> str:
    """Return the text of an error for the user. An unexpected error goes to the log with its traceback."""
    if isinstance(error, LDSegError):
        return str(error)
    logger.error("unexpected error while %s", doing, exc_info=error)
    return f"{type(error).__name__}: {error}"


class WrappedLabel(QLabel):
    """A label that wraps and is always high enough. In nested layouts Qt's own label cuts off the last lines."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setWordWrap(True)

    def setText(self, text: str) -> None:
        """Show this."""
        super().setText(text)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Adapt the height."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        self.setMinimumHeight(0)  # else the height would only ever grow
        self.setMinimumHeight(max(self.heightForWidth(self.width()), 0) if self.text() else 0)


class Message(QFrame):
    """A non-modal message that stays until it is closed or cleared."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("message")
        self.setStyleSheet(STYLE.format(back="rgba(217, 83, 79, 45)", edge="#d9534f"))
        self._label = WrappedLabel()
        self._label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.MinimumExpanding)
        close = QToolButton()
        close.setText("✕")
        close.setToolTip("Dismiss")
        close.clicked.connect(self.clear)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 8, 6, 8)
        layout.setSpacing(6)
        layout.addWidget(self._label, 1)
        layout.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        self.hide()

    def text(self) -> str:
        """Return what it says; empty while hidden."""
        return str(self._label.text())

    def show_error(self, text: str) -> None:
        """Say this."""
        self._label.setText(text)
        self.show()

    def clear(self) -> None:
        """Hide the message."""
        self._label.setText("")
        self.hide()
