"""The controls of steering: classes, tools, undo."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor, QHideEvent, QIcon, QPainter, QPixmap, QShowEvent
from qtpy.QtWidgets import QButtonGroup, QGridLayout, QPushButton, QWidget

from ...config import class_color
from ...errors import LDSegError
from ...plan import takes_prompts
from ...prompts import Prompt
from ..controls._layout import button, column, row
from ..controls._message import Message, WrappedLabel
from ..controls._shortcuts import Shortcuts
from ..threads._segmentation import Outcome
from ._conversation import Conversations
from ._steering import Request, Steering

if TYPE_CHECKING:
    from napari.components import ViewerModel

SWATCH = 14
# Keys of digits name classes; the background is 0.
DIGITS = 10
WARNING = "QLabel { background: rgba(240, 173, 78, 45); border-left: 3px solid #f0ad4e; padding: 6px 8px; }"
UNTAUGHT = (
    "The model {name!r} takes no prompts yet: what you say is painted, and nothing around it changes. Teach it in some "
    "minutes: napari-ldseg fine-tune {name} --learn prompts --images DIR --labels DIR"
)
ELSEWHERE = "This is no part of what is steered; press Steer again to end, and choose other frames or another region."
AGREE = "The samples agree; nothing is asked."
WAITING = "Looking for the place where an answer settles most…"
HELP = (
    "Click or drag on the image to say what it is. Shift or the right button says background, Ctrl draws a box; "
    "Space moves the view."
)


class SteerPanel(QWidget):
    """Which class is said, and what to do with what was said."""

    progressed = Signal(object)
    finished = Signal(object)
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
        self.undo = _button("Undo", "Take the last change back, and the picture with it (Ctrl+Z)", self._on_undo)
        self.redo = _button("Redo", "Make the change again that was taken back (Ctrl+Shift+Z)", self._on_redo)
        self.clear = _button("Clear", "Take everything back; Undo brings it back", self._on_clear)
        self.box = _button("Box", "Drag a box instead of a stroke (B; or hold Ctrl)")
        self.box.setCheckable(True)
        self.box.toggled.connect(self._on_box)
        self.question = WrappedLabel()
        self.yes = _button("Y", "Say that the class in question is at the ring (Y)")
        self.no = _button("N", "Say that the other class is at the ring (N)")
        self.go = _button("Go there", "Show where the next answer settles most (G)")
        self.yes.clicked.connect(lambda: self._on_answer(yes=True))
        self.no.clicked.connect(lambda: self._on_answer(yes=False))
        self.go.clicked.connect(self._on_go)
        self.help.setObjectName("steer_help")
        self.keys = Shortcuts(self)
        self.keys.add("Ctrl+Z", self.undo.click)
        self.keys.add("Ctrl+Shift+Z", self.redo.click)
        for key, tool in (("B", self.box), ("G", self.go), ("Y", self.yes), ("N", self.no)):
            self.keys.add(key, tool.click)
        for digit in range(DIGITS):
            self.keys.add(str(digit), partial(self._press, digit))
        buttons = row((self.box, 1), (self.undo, 1), (self.redo, 1), (self.clear, 1))
        answers = row((self.yes, 1), (self.no, 1), (self.go, 1))
        column(self, self._classes, buttons, self.question, answers, self.help, self.warning, self.message)
        self.hide()

    @property
    def is_on(self) -> bool:
        """Whether something is being steered."""
        return self.steering is not None

    def start(self, viewer: "ViewerModel", ask: Callable[[], Request]) -> None:
        """Steer what ``ask`` returns; it is called again when another frame or region is meant.

        Raises
        ------
        LDSegError
            As ``ask``.
        """
        self._viewer, self._ask, self._talks = viewer, ask, Conversations()
        self.message.clear()
        self.box.setChecked(False)
        self._follow(Steering(viewer, ask(), self._talks, parent=self))
        self.show()
        self._on_taken()

    def _follow(self, steering: Steering) -> None:
        """Show the classes of what is steered, and follow it."""
        self.steering = steering
        model = steering.plan.model
        self._show_classes(model.class_names, model.class_colors, steering.label)
        self.warning.setText("" if takes_prompts(model) else UNTAUGHT.format(name=model.name))
        self.warning.setVisible(bool(self.warning.text()))
        steering.progressed.connect(self.progressed)
        steering.finished.connect(self.finished)
        steering.changed.connect(self._show_history)
        steering.failed.connect(self._on_failed)
        steering.ended.connect(self.ended)
        steering.taken.connect(self._on_taken)
        steering.left.connect(self._on_left)
        steering.asking.changed.connect(self._show_question)
        self._show_history()
        self._show_question()

    def _on_left(self, said: tuple[Prompt, ...]) -> None:
        """Go on with the part of the image in which something was said, or where the image lies now."""
        old = self.steering
        if old is None:
            return
        try:
            request = self._ask()
        except LDSegError as error:
            self.ended.emit(str(error))
            return
        if said and request.job.plan.asked.box == old.plan.asked.box:
            self._on_failed(ELSEWHERE)
            return
        old.history.put((*old.history.present, *said))
        self.message.clear()
        self._leave(old)
        self._follow(Steering(self._viewer, request, self._talks, old, self))

    def _leave(self, steering: Steering) -> None:
        steering.stop()
        steering.deleteLater()

    def summary(self, outcome: Outcome) -> str:
        """Say what was drawn, and how long it took since the last word."""
        return "" if self.steering is None else self.steering.summary(outcome)

    def leave(self) -> None:
        """End because another image or model was chosen, or the image was removed."""
        if self.steering is not None:
            self.ended.emit(self.steering.last_words())

    def stop(self) -> None:
        """Forget what was steered."""
        if self.steering is not None:
            self._leave(self.steering)
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
            tip = f"Say {name}" + (f" (key {label})" if label < DIGITS else "")
            made = _button(f"{label}  {name}" if label < DIGITS else name, tip)
            made.setIcon(_swatch(class_color(label, colors)))
            made.setCheckable(True)
            made.setChecked(label == chosen)
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

    def _show_question(self) -> None:
        if self.steering is None:
            return
        asking, names = self.steering.asking, self.steering.plan.model.class_names
        asked = asking.question
        for each in (self.yes, self.no, self.go):
            each.setEnabled(asked is not None)
        if asked is None:
            self.question.setText(AGREE if asking.is_asked else WAITING)
            return
        self.question.setText(f"At the ring an answer settles most: {names[asked.label]} ({asked.probability:.0%})?")
        for each, key, label in ((self.yes, "Y", asked.label), (self.no, "N", asked.other)):
            each.setText(f"{key}  {names[label]}")
            each.setToolTip(f"Say {names[label]} at the ring, and go to the next place (key {key})")

    def _on_box(self, on: bool) -> None:
        if self.steering is not None:
            self.steering.tool = "box" if on else "stroke"

    def _on_answer(self, *, yes: bool) -> None:
        if self.steering is not None:
            self.steering.answer(yes=yes)

    def _on_go(self) -> None:
        if self.steering is not None:
            self.steering.asking.go()

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


def _button(text: str, tip: str, slot: Callable[..., object] | None = None) -> QPushButton:
    """Return a button that leaves the keys to the canvas."""
    made = button(text, tip, slot)
    made.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return made


def _swatch(color: str) -> QIcon:
    """Return a square of a colour with a light rim, so that black shows on a dark theme."""
    pixmap = QPixmap(SWATCH, SWATCH)
    pixmap.fill(QColor(color))
    painter = QPainter(pixmap)
    painter.setPen(QColor("#c8c8c8"))
    painter.drawRect(0, 0, SWATCH - 1, SWATCH - 1)
    painter.end()
    return QIcon(pixmap)
