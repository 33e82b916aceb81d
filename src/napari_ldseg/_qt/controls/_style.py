"""The common look of all widgets: the main button, and a page that scrolls."""

from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget


def style(widget: str, more: str = "") -> str:
    """Return the style sheet of a widget of this object name, whose main button is called ``main``."""
    return f"""
QWidget#{widget} QLabel {{ padding: 0px; margin: 0px; }}
QPushButton#main {{ background: #4560c4; color: white; font-weight: bold; }}
QPushButton#main:hover {{ background: #5672d8; }}
QPushButton#main:disabled {{ background: rgba(69, 96, 196, 90); color: rgba(255, 255, 255, 120); }}
{more}"""


class _Column(QWidget):
    def heightForWidth(self, width: int) -> int:
        """Return the minimum height, so that plots and tables shrink before the page scrolls."""
        return int(self.layout().minimumHeightForWidth(width))


class Page(QScrollArea):
    """A column of widgets that scrolls up and down, and is never narrower than they are."""

    MARGIN, SPACING = 10, 8

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        page = _Column()
        self.column = QVBoxLayout(page)
        self.column.setContentsMargins(*[self.MARGIN] * 4)
        self.column.setSpacing(self.SPACING)
        self._least = 0
        self.setWidget(page)

    def minimumSizeHint(self) -> QSize:
        """Leave room for the widest widget and the scroll bar."""
        hint = QSize(super().minimumSizeHint())
        bar = self.verticalScrollBar().sizeHint().width()
        return hint.expandedTo(QSize(self.widget().minimumSizeHint().width() + bar, 0))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Tell the dock when the widgets need another width, but not at every new text, which would move the canvas."""
        if event.type() == QEvent.Type.LayoutRequest and self.widget().minimumSizeHint().width() != self._least:
            self._least = self.widget().minimumSizeHint().width()
            self.updateGeometry()
        return bool(super().eventFilter(watched, event))
