"""What all widgets look like: the button that starts the work, and a page that scrolls."""

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget


def style(widget: str, button: str, more: str = "") -> str:
    """Return the style sheet of a widget of this object name, whose main button is called ``button``."""
    return f"""
QWidget#{widget} QLabel {{ padding: 0px; margin: 0px; }}
QPushButton#{button} {{ background: #4560c4; color: white; font-weight: bold; }}
QPushButton#{button}:hover {{ background: #5672d8; }}
QPushButton#{button}:disabled {{ background: rgba(69, 96, 196, 90); color: rgba(255, 255, 255, 120); }}
{more}"""


def let_scroll(page: QWidget, parent: QWidget, least: int) -> None:
    """Fill a widget with a page that scrolls up and down, at least so many pixels wide."""
    scroll = QScrollArea()
    scroll.setWidgetResizable(True)
    scroll.setFrameShape(QFrame.Shape.NoFrame)
    scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    scroll.setWidget(page)
    scroll.setMinimumWidth(least)
    outer = QVBoxLayout(parent)
    outer.setContentsMargins(0, 0, 0, 0)
    outer.addWidget(scroll)
