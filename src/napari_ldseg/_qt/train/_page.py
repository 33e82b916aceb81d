"""What the Train widget looks like: what to add, what to train, and how it goes."""

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ...checkpoints import check_name
from ...config import TrainConfig, TrainJob
from ...errors import CheckpointError
from .._tool import ToolWidget
from ..controls._forms import ConfigForm, form_layout, ignore_wheel, narrow, row_label
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
    """Says that there is an unfinished training, and offers to go on with it."""

    resume_requested = Signal()
    discard_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("offer")
        self._label = WrappedLabel()
        self.resume = QPushButton("Resume")
        self.discard = QPushButton("Discard")
        self.resume.clicked.connect(self.resume_requested)
        self.discard.clicked.connect(self.discard_requested)
        buttons = QHBoxLayout()
        buttons.addWidget(self.resume)
        buttons.addWidget(self.discard)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 8, 10, 8)
        column.addWidget(self._label)
        column.addLayout(buttons)
        self.hide()

    def text(self) -> str:
        """Return what it says; empty while hidden."""
        return str(self._label.text()) if self.isVisibleTo(self.parentWidget()) else ""

    def show_text(self, text: str) -> None:
        """Offer, in these words."""
        self._label.setText(text)
        self.show()


class NameLine(QLineEdit):
    """A name for the new model."""

    def propose(self, text: str) -> None:
        """Write a name, unless the user has typed one that a model can have."""
        if self.isModified():
            try:
                check_name(self.text().strip())
            except CheckpointError:
                pass
            else:
                return
        self.setText(text)


class TrainPage:
    """The controls and their layout; what the buttons do is the widget's business."""

    def __init__(self, viewer: "ViewerModel", tool: ToolWidget) -> None:
        self.progress, self.message = tool.progress, tool.message
        self.dataset = SetPicker()
        self.model = ModelPicker()
        self.add = AddForm(viewer, self.dataset, self._seen)
        self.name = NameLine()
        self.learn = ConfigForm(TrainConfig.for_fine_tuning(), "main", BUDGET)
        self.more = ConfigForm(TrainConfig.for_fine_tuning(), "more")
        self.budget = QDoubleSpinBox()
        self.budget_unit = QComboBox()
        self.start = QPushButton("Start")
        self.pause = QPushButton("Pause")
        self.stop = QPushButton("Stop")
        self.cancel = QPushButton("Cancel")
        self.offer = Offer()
        self.notes = WrappedLabel()
        self.curves = Curves()
        self.curves.hide()
        self.preview = Preview()
        self._lay_out(tool)
        self.show_running(False)

    def job(self) -> TrainJob:
        """Return what is to be trained.

        Raises
        ------
        InputError
            If a field does not fit.
        """
        entry = self.model.value()
        minutes = self.budget_unit.currentIndex() == 0
        budget = {"minutes" if minutes else "epochs": self.budget.value()}
        more = self.more.value().model_dump(exclude={*self.learn.names, *BUDGET, "denoiser_steps"})
        config = TrainConfig.for_fine_tuning(**more, **budget, **self.learn.values())
        values = {"model": str(entry.path) if entry else "", "dataset": str(self.dataset.value())}
        return TrainJob.parse(values | {"name": self.name.text().strip(), "config": config})

    def show_running(self, running: bool, paused: bool = False) -> None:
        """Enable what makes sense."""
        self.start.setEnabled(not running)
        self.start.setVisible(not running)
        for button in (self.pause, self.stop, self.cancel):
            button.setEnabled(running)
            button.setVisible(running)
        self.pause.setText("Resume" if paused else "Pause")
        for form in (self.model, self.name, self.learn, self.more, self.budget, self.budget_unit):
            form.setEnabled(not running)

    def _seen(self) -> tuple[int, tuple[str, ...]]:
        entry = self.model.value()
        return (entry.config.network.ndim, entry.config.class_names) if entry else (2, ("background", "foreground"))

    def _form(self) -> QWidget:
        self.budget.setRange(0.1, 10_000)
        self.budget.setDecimals(1)
        self.budget.setValue(MINUTES)
        ignore_wheel(self.budget)
        self.budget_unit.addItems(["minutes", "epochs"])
        narrow(self.budget_unit)
        self.budget_unit.setMinimumContentsLength(5)
        self.budget.setToolTip("When the training ends by itself; Stop ends it sooner and keeps the best so far")
        budget = QWidget()
        row = QHBoxLayout(budget)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.budget, 1)
        row.addWidget(self.budget_unit, 1)
        self.name.setToolTip("Name of the new model; the one that it starts from is not changed")
        form = form_layout(fields := QWidget())
        for text, widget in (("Model", self.model), ("New name", self.name), ("Budget", budget)):
            form.addRow(row_label(text), widget)
        return fields

    def _lay_out(self, tool: ToolWidget) -> None:
        self.start.setToolTip("Train a new model on the training set, in a process of its own")
        self.pause.setToolTip("Pause, and go on from there")
        self.offer.resume.setToolTip("Go on with this training from its last saved state")
        self.offer.discard.setToolTip("Delete this training and all that it has saved")
        self.budget_unit.setToolTip("Whether the budget is a time, or how often all images are seen")
        self.stop.setToolTip("End now and keep the best model so far")
        self.cancel.setToolTip("End now and keep nothing")
        self.notes.hide()
        form = form_layout(top := QWidget())
        form.addRow(row_label("Folder"), self.dataset)
        self.add_section = Section("Add to training set", self.add)
        self.add_section.button.setChecked(True)
        self.notes_section = Section("What was chosen", self.notes)
        self.notes.show()
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        for button in (self.start, self.pause, self.stop, self.cancel):
            buttons.addWidget(button)
        more = Section("More settings", self.more)
        self.settings_section = Section("What to train", self._form(), self.learn, more)
        self.settings_section.button.setChecked(True)
        what = (_title("Training set"), top, self.add_section, _title("Train"), self.settings_section)
        how = (self.offer, self.message, self.progress, self.curves, self.preview, self.notes_section)
        tool.lay_out(*what, buttons, *how, main=self.start)


def _title(text: str) -> QLabel:
    return QLabel(f"<b>{text}</b>")
