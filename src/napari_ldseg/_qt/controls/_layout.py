"""Make buttons, check boxes and combo boxes with their tooltips, and lay them out."""

from collections.abc import Iterable
from typing import Any

from qtpy.QtWidgets import QBoxLayout, QCheckBox, QComboBox, QHBoxLayout, QLayout, QPushButton, QVBoxLayout, QWidget

from ._forms import form_layout, narrow, row_label


def button(text: str, tip: str, slot: Any = None) -> QPushButton:
    """Return a button with its tooltip; ``slot`` is called when it is pressed."""
    made = QPushButton(text)
    made.setToolTip(tip)
    if slot is not None:
        made.clicked.connect(slot)
    return made


def check_box(text: str, tip: str) -> QCheckBox:
    """Return a check box with its tooltip."""
    made = QCheckBox(text)
    made.setToolTip(tip)
    return made


def combo_box(items: Iterable[str], tip: str) -> QComboBox:
    """Return a combo box that shrinks with its dock, with its tooltip."""
    made = QComboBox()
    made.addItems(list(items))
    made.setToolTip(tip)
    narrow(made)
    return made


def form(*rows: tuple[str | QWidget, QWidget]) -> QWidget:
    """Return a form with a row for each label and widget."""
    layout = form_layout(made := QWidget())
    for label, widget in rows:
        layout.addRow(row_label(label) if isinstance(label, str) else label, widget)
    return made


def row(*parts: QWidget | tuple[QWidget, int], spacing: int = 6) -> QWidget:
    """Return a widget that holds these side by side, each with its stretch (0 by default)."""
    _fill(QHBoxLayout(made := QWidget()), parts, spacing)
    return made


def column(parent: QWidget, *parts: QWidget | QLayout | tuple[QWidget, int], spacing: int = 6) -> None:
    """Lay these out below each other in ``parent``, without a margin."""
    _fill(QVBoxLayout(parent), parts, spacing)


def _fill(layout: QBoxLayout, parts: Iterable[Any], spacing: int) -> None:
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(spacing)
    for part in parts:
        if isinstance(part, QLayout):
            layout.addLayout(part)
        else:
            layout.addWidget(*(part if isinstance(part, tuple) else (part,)))
