"""Lay out the Train widget: what to add, what to train, and its progress."""

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QFrame,
    QLabel,
    QLineEdit,
    QWidget,
)

from ...checkpoints import check_name
from ...config import TrainConfig, TrainJob
from ...errors import CheckpointError
from .._tool import ToolWidget
from ..controls._forms import ConfigForm, ignore_wheel
from ..controls._layout import button, column, combo_box, form, row
from ..controls._message import WrappedLabel
from ..controls._section import Section
from ..models._picker import ModelPicker
from ..training_set._add_form import AddForm
from ..training_set._picker import SetPicker
from ._curves import Curves
from ._preview import Preview

if TYPE_CHECKING:
    from napari.components import ViewerModel

BUDGET = ("minutes", "epochs")  # one row asks for either
MINUTES = 20
OFFER_STYLE = """
QFrame#offer { background: rgba(86, 114, 216, 45); border-left: 3px solid #5672d8; border-radius: 2px; }
QFrame#offer QLabel { background: transparent; }
"""


class Offer(QFrame):
    """Offers to resume an unfinished training."""

    resume_requested = Signal()
    discard_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("offer")
        self._label = WrappedLabel()
        tip = "Continue this training from its last saved state"
        self.resume = button("Resume", tip, self.resume_requested)
        tip = "Delete this training and all that it has saved"
        self.discard = button("Discard", tip, self.discard_requested)
        column(self, self._label, row(self.resume, self.discard))
        self.layout().setContentsMargins(10, 8, 10, 8)
        self.hide()

    def text(self) -> str:
        """Return what it says; empty while hidden."""
        return str(self._label.text()) if self.isVisibleTo(self.parentWidget()) else ""

    def show_text(self, text: str) -> None:
        """Show the offer with this text."""
        self._label.setText(text)
        self.show()


class NameLine(QLineEdit):
    """A name for the new model."""

    def propose(self, text: str) -> None:
        """Propose a name, unless the user has typed a valid one."""
        if self.isModified():
            try:
                check_name(self.text().strip())
            except CheckpointError:
                pass
            else:
                return
        self.setText(text)


class TrainPage:
    """The controls and their layout. The widget acts on them."""

    def __init__(self, viewer: "ViewerModel", tool: ToolWidget) -> None:
        self.progress, self.message = tool.progress, tool.message
        self.dataset = SetPicker()
        self.model = ModelPicker()
        self.add = AddForm(viewer, self.dataset, self._seen)
        self.name = NameLine()
        self.learn = ConfigForm(TrainConfig.for_fine_tuning(), "main", BUDGET)
        self.more = ConfigForm(TrainConfig.for_fine_tuning(), "more")
        self.budget = QDoubleSpinBox()
        tip = "The unit of the budget: time, or passes over all images"
        self.budget_unit = combo_box(("minutes", "epochs"), tip)
        self.start = button("Start", "Train a new model on the training set, in a process of its own")
        self.pause = button("Pause", "Pause, or continue")
        self.stop = button("Stop", "End now and keep the best model so far")
        self.cancel = button("Cancel", "End now and keep nothing")
        self.offer = Offer()
        self.notes = WrappedLabel()
        self.curves = Curves()
        self.curves.hide()
        self.preview = Preview()
        self._lay_out(tool)
        self.show_running(False)

    def job(self) -> TrainJob:
        """Return the training job of the form.

        Raises
        ------
        InputError
            If a field is invalid.
        """
        entry = self.model.value()
        minutes = self.budget_unit.currentIndex() == 0
        budget = {"minutes" if minutes else "epochs": self.budget.value()}
        more = self.more.value().model_dump(exclude={*self.learn.names, *BUDGET, "denoiser_steps"})
        config = TrainConfig.for_fine_tuning(**more, **budget, **self.learn.values())
        values = {"model": str(entry.path) if entry else "", "dataset": str(self.dataset.value())}
        return TrainJob.parse(values | {"name": self.name.text().strip(), "config": config})

    def show_running(self, running: bool, paused: bool = False) -> None:
        """Enable the buttons that make sense."""
        self.start.setEnabled(not running)
        self.start.setVisible(not running)
        for each in (self.pause, self.stop, self.cancel):
            each.setEnabled(running)
            each.setVisible(running)
        self.pause.setText("Resume" if paused else "Pause")
        for each in (self.model, self.name, self.learn, self.more, self.budget, self.budget_unit):
            each.setEnabled(not running)

    def _seen(self) -> tuple[int, tuple[str, ...]]:
        entry = self.model.value()
        return (entry.config.network.ndim, entry.config.class_names) if entry else (2, ("background", "foreground"))

    def _form(self) -> QWidget:
        self.budget.setRange(0.1, 10_000)
        self.budget.setDecimals(1)
        self.budget.setValue(MINUTES)
        ignore_wheel(self.budget)
        self.budget_unit.setMinimumContentsLength(5)
        self.budget.setToolTip("When the training ends by itself; Stop ends it sooner and keeps the best model so far")
        budget = row((self.budget, 1), (self.budget_unit, 1))
        self.name.setToolTip("Name of the new model; the one it starts from stays unchanged")
        return form(("Model", self.model), ("New name", self.name), ("Budget", budget))

    def _lay_out(self, tool: ToolWidget) -> None:
        self.notes.hide()
        top = form(("Folder", self.dataset))
        self.add_section = Section("Add to training set", self.add)
        self.add_section.button.setChecked(True)
        self.notes_section = Section("What was chosen", self.notes)
        self.notes.show()
        buttons = row(self.start, self.pause, self.stop, self.cancel)
        more = Section("More settings", self.more)
        self.settings_section = Section("What to train", self._form(), self.learn, more)
        self.settings_section.button.setChecked(True)
        what = (_title("Training set"), top, self.add_section, _title("Train"), self.settings_section)
        how = (self.offer, self.message, self.progress, self.curves, self.preview, self.notes_section)
        tool.lay_out(*what, buttons, *how, main=self.start)


def _title(text: str) -> QLabel:
    return QLabel(f"<b>{text}</b>")
