"""A settings class as a form: one row for each field, with its title, tooltip and limits taken from the field."""

from collections.abc import Sequence
from types import NoneType
from typing import Annotated, Any, Generic, Literal, TypeVar, get_args, get_origin

from annotated_types import Ge, Le
from pydantic.fields import FieldInfo
from qtpy.QtCore import QEvent, QObject, QRegularExpression, Qt, Signal
from qtpy.QtGui import QRegularExpressionValidator
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QFormLayout, QLabel, QSizePolicy, QSpinBox, QWidget

from ...config import Config

C = TypeVar("C", bound=Config)
DEFAULT = "model default"
COUNTS = ("1", "10", "100")
RATES = ("0.0001", "0.0005", "0.001")
LABEL_WIDTH = 70


class ConfigForm(QWidget, Generic[C]):
    """A form that speaks one settings class.

    Parameters
    ----------
    value : Config
        What it shows first; also the source of the fields that have no row.
    fields : sequence of str
        Which fields get a row, in this order.
    """

    valueChanged = Signal()

    def __init__(self, value: C, fields: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._base = value
        self._editors: dict[str, Any] = {}
        layout = form_layout(self)
        for name in fields:
            info = type(value).model_fields[name]
            editor = _editor(info)
            editor.setToolTip(info.description or "")
            editor.setObjectName(name)
            editor.changed.connect(self.valueChanged)
            label = row_label(info.title or name)
            label.setToolTip(info.description or "")
            layout.addRow(label, editor)
            self._editors[name] = editor
        self.setValue(value)

    def value(self) -> C:
        """Return the settings.

        Raises
        ------
        InputError
            Where something that was typed in is out of range.
        """
        return self._base.replace(**{name: editor.value() for name, editor in self._editors.items()})

    def setValue(self, value: C) -> None:
        """Show these settings."""
        self._base = value
        for name, editor in self._editors.items():
            editor.setValue(getattr(value, name))


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


class Choice(QComboBox):
    """One of several values; ``None`` reads "model default"."""

    changed = Signal()

    def __init__(self, values: Sequence[Any], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        for value in values:
            self.addItem(DEFAULT if value is None else str(value), value)
        narrow(self)
        self.currentIndexChanged.connect(self.changed)

    def value(self) -> Any:
        """Return the chosen value."""
        return self.currentData()

    def setValue(self, value: Any) -> None:
        """Choose a value."""
        self.setCurrentIndex(self.findData(value))


class Number(QSpinBox):
    """A whole number; where it may be ``None``, the lowest position reads "model default"."""

    changed = Signal()

    def __init__(self, low: int, high: int, optional: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._optional = optional
        self.setRange(low - optional, high)
        self.setSpecialValueText(DEFAULT if optional else "")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        ignore_wheel(self)
        self.valueChanged.connect(self.changed)

    def value(self) -> int | None:
        """Return the number, or None."""
        number = int(super().value())
        return None if self._optional and number == self.minimum() else number

    def setValue(self, value: int | None) -> None:
        """Show a number, or None."""
        super().setValue(self.minimum() if value is None else value)


class Count(QComboBox):
    """``"auto"`` or a number, chosen or typed in."""

    changed = Signal()
    offered: tuple[str, ...] = COUNTS
    pattern = "auto|[0-9]{1,5}"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.addItems(["auto", *self.offered])
        self.setEditable(True)
        self.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.setValidator(QRegularExpressionValidator(QRegularExpression(self.pattern), self))
        narrow(self)
        self.currentTextChanged.connect(self.changed)

    def value(self) -> float | str:
        """Return the number, or what stands there."""
        text = str(self.currentText()).strip()
        return int(text) if text.isdecimal() else text

    def setValue(self, value: float | str) -> None:
        """Show a number, or "auto"."""
        self.setCurrentText(str(value))


class Rate(Count):
    """``"auto"`` or a small number with decimals, chosen or typed in."""

    offered = RATES
    pattern = r"auto|[0-9]{0,2}\.?[0-9]{0,8}(e-[0-9])?"

    def value(self) -> float | str:
        """Return the number, or what stands there."""
        text = str(self.currentText()).strip()
        try:
            return float(text)
        except ValueError:
            return text


class Share(QDoubleSpinBox):
    """A share from 0 to 1."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setRange(0, 0.9)
        self.setSingleStep(0.05)
        ignore_wheel(self)
        self.valueChanged.connect(self.changed)


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


def _editor(info: FieldInfo) -> Choice | Number | Count | Share:
    """Choose the editor for a field by its type."""
    kinds = _alternatives(info.annotation)
    optional = None in kinds
    if float in kinds:
        return Rate() if "auto" in kinds else Share()
    if int in kinds and "auto" in kinds:
        return Count()
    if int in kinds:
        low = next((m.ge for m in info.metadata if isinstance(m, Ge)), 0)
        high = next((m.le for m in info.metadata if isinstance(m, Le)), 2**31 - 1)
        return Number(int(str(low)), int(str(high)), optional)
    return Choice(kinds)


def _alternatives(annotation: Any) -> list[Any]:
    """Flatten ``int | Literal["auto"] | None`` to ``[int, "auto", None]``, None first among choices."""
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    if get_origin(annotation) is Annotated:
        return _alternatives(get_args(annotation)[0])
    parts = [part for alternative in get_args(annotation) for part in _alternatives(alternative)]
    if None in parts:
        parts = [None, *(part for part in parts if part is not None)]
    return parts or [None if annotation is NoneType else annotation]
