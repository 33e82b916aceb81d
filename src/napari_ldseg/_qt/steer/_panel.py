"""The controls of steering: classes, tools, undo."""

from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor, QHideEvent, QIcon, QPainter, QPixmap, QShowEvent
from qtpy.QtWidgets import QButtonGroup, QGridLayout, QSizePolicy, QToolButton, QWidget

from ...config import class_color
from ...plan import takes_prompts
from ..controls._layout import button, column, row
from ..controls._message import Message, WrappedLabel
from ..controls._shortcuts import Shortcuts
from ._steering import Steering

SWATCH = 14
# Keys of digits name classes; the background is 0.
DIGITS = 10
WARNING = "QLabel { background: rgba(240, 173, 78, 45); border-left: 3px solid #f0ad4e; padding: 6px 8px; }"
UNTAUGHT = (
    "The model {name!r} takes no prompts yet: what you say is painted, and nothing around it changes. Teach it in some "
    "minutes: napari-ldseg fine-tune {name} --learn prompts --images DIR --labels DIR"
)
HELP = (
    "Click or drag on the image to say what it is. Shift or the right button says background, Ctrl draws a box; "
    "Space moves the view."
)


class SteerPanel(QWidget):
    """Which class is said, and what to do with what was said."""

    ended = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.steering: Steering | None = None
        self._classes = QGridLayout()
        self._classes.setSpacing(4)
        self._group = QButtonGroup(self)
        self._group.idClicked.connect(self._on_class)
        self.help, self.warning, self.message = WrappedLabel(HELP), WrappedLabel(), Message()
        self.warning.setStyleSheet(WARNING)
        self.undo = button("Undo", "Take the last change back, and the picture with it (Ctrl+Z)", self._on_undo)
        self.redo = button("Redo", "Make the change again that was taken back (Ctrl+Shift+Z)", self._on_redo)
        self.clear = button("Clear", "Take everything back; Undo brings it back", self._on_clear)
        for each in (self.undo, self.redo, self.clear):
            each.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.help.setObjectName("steer_help")
        self.keys = Shortcuts(self)
        self.keys.add("Ctrl+Z", self.undo.click)
        self.keys.add("Ctrl+Shift+Z", self.redo.click)
        for digit in range(DIGITS):
            self.keys.add(str(digit), lambda digit=digit: self._press(digit))
        buttons = row((self.undo, 1), (self.redo, 1), (self.clear, 1))
        column(self, self._classes, buttons, self.help, self.warning, self.message)
        self.hide()

    @property
    def is_on(self) -> bool:
        """Whether something is being steered."""
        return self.steering is not None

    def start(self, steering: Steering) -> None:
        """Show the classes of what is steered, and follow it."""
        self.steering = steering
        model = steering.plan.model
        self._show_classes(model.class_names, model.class_colors, steering.label)
        self.warning.setText("" if takes_prompts(model) else UNTAUGHT.format(name=model.name))
        self.warning.setVisible(bool(self.warning.text()))
        self.message.clear()
        steering.changed.connect(self._show_history)
        steering.failed.connect(self._on_failed)
        steering.ended.connect(self.ended)
        steering.taken.connect(self._on_taken)
        self._show_history()
        self.show()
        self._on_taken()

    def leave(self) -> None:
        """End because another image or model was chosen, or the image was removed."""
        if self.steering is not None:
            self.ended.emit(self.steering.last_words())

    def stop(self) -> None:
        """Forget what was steered."""
        if self.steering is not None:
            self.steering.stop()
            self.steering.deleteLater()
            self.steering = None
        self.hide()

    def _show_classes(self, names: Sequence[str], colors: Sequence[str], chosen: int) -> None:
        """Make a button for each class, with its colour and key."""
        for old in self._group.buttons():
            self._group.removeButton(old)
            self._classes.removeWidget(old)
            old.deleteLater()
        columns = 1 if any(len(name) > 14 for name in names) else 2
        for label, name in enumerate(names):
            made = QToolButton()
            made.setText(f"{label}  {name}" if label < DIGITS else name)
            made.setIcon(_swatch(class_color(label, colors)))
            made.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            made.setCheckable(True)
            made.setChecked(label == chosen)
            made.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            made.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            made.setToolTip(f"Say {name}" + (f" (key {label})" if label < DIGITS else ""))
            self._group.addButton(made, label)
            self._classes.addWidget(made, label // columns, label % columns)

    def showEvent(self, event: QShowEvent) -> None:
        """Take the keys."""
        super().showEvent(event)
        self._on_taken()

    def hideEvent(self, event: QHideEvent) -> None:
        """Release the keys."""
        self.keys.release()
        super().hideEvent(event)

    def _show_history(self) -> None:
        if self.steering is not None:
            history = self.steering.history
            self.undo.setEnabled(history.can_undo)
            self.redo.setEnabled(history.can_redo)
            self.clear.setEnabled(bool(history.present))

    def _on_class(self, label: int) -> None:
        if self.steering is not None:
            self.steering.choose(label)

    def _on_undo(self) -> None:
        if self.steering is not None:
            self.steering.undo()

    def _on_redo(self) -> None:
        if self.steering is not None:
            self.steering.redo()

    def _on_clear(self) -> None:
        if self.steering is not None:
            self.steering.clear()

    def _on_taken(self) -> None:
        """Take the keys while the layer of prompts is selected; otherwise they are those of the selected layer."""
        if self.steering is not None and self.steering.is_taken and self.isVisible():
            self.keys.take()
        else:
            self.keys.release()

    def _on_failed(self, text: str) -> None:
        if text:
            self.message.show_error(text)
        else:
            self.message.clear()

    def _press(self, label: int) -> None:
        made = self._group.button(label)
        if made is not None:
            made.click()


def _swatch(color: str) -> QIcon:
    """Return a square of a colour with a light rim, so that black shows on a dark theme."""
    pixmap = QPixmap(SWATCH, SWATCH)
    pixmap.fill(QColor(color))
    painter = QPainter(pixmap)
    painter.setPen(QColor("#c8c8c8"))
    painter.drawRect(0, 0, SWATCH - 1, SWATCH - 1)
    painter.end()
    return QIcon(pixmap)
