"""A settings class as a form: a row for each field, with title, tooltip, limits and editor taken from the field."""

import html
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Generic, Literal, TypeVar

from magicgui.widgets import create_widget
from qtpy.QtCore import QEvent, QObject, QRegularExpression, Qt, Signal
from qtpy.QtGui import QRegularExpressionValidator
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QWidget,
)

from ...config import Config, Setting, Show, settings_of

C = TypeVar("C", bound=Config)
LABEL_WIDTH = 88
HEADING = "QLabel { font-weight: bold; border-bottom: 1px solid rgba(128, 128, 128, 80); padding: 6px 0px 0px 0px; }"
INTEGER = "[0-9]{1,7}"
DECIMAL = r"[0-9]{0,7}\.?[0-9]{0,8}(e-?[0-9]{1,2})?"


class ConfigForm(QWidget, Generic[C]):
    """A form that speaks one settings class.

    Parameters
    ----------
    value : Config
        What it shows first; also the source of the fields that have no row here.
    show : {"main", "more"}
        The fields that say so get a row, in the order of the class. A group has a heading; a group of check boxes
        shares one row.
    without : collection of str
        Fields that the widget asks for in another way.
    """

    valueChanged = Signal()

    def __init__(self, value: C, show: Show, without: Collection[str] = (), parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._base = value
        self._editors: dict[str, Editor] = {}
        rows = [one for one in settings_of(value) if one.show == show and one.name not in without]
        layout = form_layout(self)
        for group, members in groupby(rows, key=lambda one: one.group):
            settings = list(members)
            self._editors |= {one.name: _editor(one, self._on_changed) for one in settings}
            natives = [self._editors[one.name].native for one in settings]
            if group and all(isinstance(native, QCheckBox) for native in natives):
                layout.addRow(row_label(group), _line(natives))
                continue
            if group:
                layout.addRow(_heading(group))
            for one, native in zip(settings, natives, strict=True):
                _add_row(one, native, layout)
        self.setValue(value)

    @property
    def names(self) -> tuple[str, ...]:
        """The fields that have a row."""
        return tuple(self._editors)

    def value(self) -> C:
        """Return the settings.

        Raises
        ------
        InputError
            If something that was typed in is out of range.
        """
        return self._base.replace(**self.values())

    def values(self) -> dict[str, Any]:
        """Return what its rows say, to be put into the settings of another form."""
        return {name: editor.get() for name, editor in self._editors.items()}

    def setValue(self, value: C) -> None:
        """Show these settings."""
        self._base = value
        for name, editor in self._editors.items():
            editor.put(getattr(value, name))

    def _on_changed(self) -> None:
        self.valueChanged.emit()


@dataclass(frozen=True)
class Editor:
    """A widget that shows one value, and how to read and write it."""

    native: QWidget
    get: Callable[[], Any]
    put: Callable[[Any], None]


class NumberOrWord(QComboBox):
    """A number, chosen or typed in, or a word for another value, such as 'auto' or None."""

    def __init__(self, one: Setting, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._special = one.choices[0] if one.choices else None
        self._word = str(one.choices[0]) if one.choices else one.absent
        self._number = one.types[0]
        self.addItems([self._word, *map(str, one.offers)])
        self.setEditable(True)
        self.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        pattern = f"{re.escape(self._word)}|{DECIMAL if self._number is float else INTEGER}"
        self.setValidator(QRegularExpressionValidator(QRegularExpression(pattern), self))

    def value(self) -> Any:
        """Return the number, or what the word stands for; of a text that is neither, the text."""
        text = str(self.currentText()).strip()
        try:
            return self._special if text == self._word else self._number(text)
        except ValueError:
            return text

    def setValue(self, value: Any) -> None:
        """Show a number, or the word."""
        self.setCurrentText(self._word if value == self._special else str(value))


def _editor(one: Setting, changed: Callable[[], None]) -> Editor:
    """Return the editor for a setting: magicgui's for its type, or ours where it may also be a word or None."""
    if (one.choices or one.optional) and one.types[:1] in ((int,), (float,)):
        box = NumberOrWord(one)
        _dress(box, one)
        box.currentTextChanged.connect(lambda _text: changed())
        return Editor(box, box.value, box.setValue)
    made: Any = create_widget(annotation=_annotation(one), options=_options(one), name=one.name)
    _dress(made.native, one)
    made.changed.connect(lambda _value: changed())

    def get() -> Any:
        return made.value

    def put(value: Any) -> None:
        made.value = value

    if one.types[:1] == (str,):
        made.native.setPlaceholderText(one.absent)
        return Editor(made.native, lambda: get().strip() or None, lambda text: put(text or ""))
    if one.types[:1] == (float,):
        made.native.setDecimals(3 if one.highest is not None and one.highest <= 1 else 2)
    return Editor(made.native, get, put)


def _annotation(one: Setting) -> Any:
    return one.types[0] if one.types else Literal[one.choices]


def _options(one: Setting) -> dict[str, Any]:
    """Return what magicgui must know of it besides its type."""
    kind = one.types[:1]
    if one.choices or (kind == (bool,) and one.optional):
        words = one.choices or (True, False)
        names = [({True: "yes", False: "no"}[word] if kind == (bool,) else str(word), word) for word in words]
        return {"choices": [*[(one.absent, None)] * one.optional, *names]}
    if kind == (bool,):
        return {"text": one.title}
    if kind in ((int,), (float,)):
        return {"min": kind[0](one.lowest or 0), "max": kind[0](2**31 - 1 if one.highest is None else one.highest)}
    return {}


def _dress(editor: QWidget, one: Setting) -> None:
    """Give an editor its name, its tooltip and the size of all others."""
    editor.setObjectName(one.name)
    editor.setToolTip(tooltip(one.description))
    if isinstance(editor, QComboBox):
        narrow(editor)
    elif isinstance(editor, QAbstractSpinBox):
        editor.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        ignore_wheel(editor)


def _add_row(one: Setting, editor: QWidget, layout: QFormLayout) -> None:
    """Add a row; a check box says itself what it is for."""
    if isinstance(editor, QCheckBox):
        layout.addRow(editor)
        return
    label = row_label(one.title)
    label.setToolTip(tooltip(one.description))
    layout.addRow(label, editor)


def _line(widgets: Sequence[QWidget]) -> QWidget:
    line = QWidget()
    layout = QHBoxLayout(line)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(6)
    for widget in widgets:
        layout.addWidget(widget)
    layout.addStretch(1)
    return line


def _heading(text: str) -> QLabel:
    label = QLabel(text)
    label.setObjectName("group")
    label.setStyleSheet(HEADING)
    label.setIndent(0)
    return label


def tooltip(text: str) -> str:
    """Return a text that Qt breaks into lines; a plain one would run across the whole screen."""
    return f"<qt>{html.escape(text, quote=False)}</qt>" if text else ""


def form_layout(parent: QWidget) -> QFormLayout:
    """Return a two-column layout that fills narrow docks: labels on the left, fields as wide as there is room."""
    layout = QFormLayout(parent)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setHorizontalSpacing(10)
    layout.setVerticalSpacing(6)
    layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    layout.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    return layout


def row_label(text: str) -> QLabel:
    """Return the label of a row; all are equally wide, so that the fields of several forms stand in one line."""
    label = QLabel(text)
    label.setFixedWidth(LABEL_WIDTH)
    return label


def narrow(box: QComboBox) -> None:
    """Let a combo box shrink with its dock, whatever the length of its texts."""
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(8)
    box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    ignore_wheel(box)


def ignore_wheel(widget: QWidget) -> None:
    """Keep the wheel for scrolling: it must not change a setting that the pointer happens to pass."""
    widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    widget.installEventFilter(_WheelFilter(widget))


class _WheelFilter(QObject):
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Refuse the wheel, so that the scroll area takes it."""
        if event.type() == QEvent.Type.Wheel:
            event.ignore()
            return True
        return bool(super().eventFilter(watched, event))
