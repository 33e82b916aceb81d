"""Lay out the Review widget: pickers, list, buttons with their keys, and overlays."""

from typing import TYPE_CHECKING, get_args

from napari.layers import Labels
from qtpy.QtCore import Signal
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import (
    QLabel,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from ...config import MeasureConfig, Ranking
from ...measure import Measurement, usable_ranking
from ...reports import STATES, Review
from .._tool import ToolWidget
from ..controls._forms import row_label
from ..controls._layout import button, check_box, column, combo_box, form, row
from ..controls._section import Section
from ..controls._shortcuts import Shortcuts
from ..controls._table import RowModel, RowView
from ..training_set._add_form import AddForm
from ..training_set._picker import SetPicker
from ..viewer._labels_source import Subject
from ..viewer._layer_picker import LayerPicker
from ..viewer._result_layers import result_of
from ._overlays import Overlays

if TYPE_CHECKING:
    from napari.components import ViewerModel

# napari 0.9 leaves these keys free in every mode of every layer.
KEYS = {
    "next": "N",
    "previous": "Shift+N",
    "accept": "G",
    "reject": "W",
    "map": "H",
    "paste": "U",
    "sample_before": ",",
    "sample_after": ".",
}
TIPS = {
    "previous": "Go to the line above",
    "next": "Go to the line below",
    "accept": "It is right; go to the next open one",
    "reject": "It is wrong and stays so; go to the next open one",
}


class ReviewPage(QWidget):
    """The controls and their signals. The widget acts on them."""

    list_requested = Signal()
    next_requested = Signal()
    previous_requested = Signal()
    state_requested = Signal(str)
    teach_requested = Signal()

    def __init__(self, viewer: "ViewerModel", tool: ToolWidget) -> None:
        super().__init__(tool)
        self.progress, self.message = tool.progress, tool.message
        self.subject: Subject | None = None
        self.labels = LayerPicker(viewer, Labels, "The labels whose objects are listed")
        tip = "Review one object after the other, or whole frames or slices"
        self.rows = combo_box(("Objects", "Frames or slices"), tip)
        tip = MeasureConfig.model_fields["ranking"].description or ""
        self.ranking = combo_box([MeasureConfig().ranking], tip)
        tip = "List objects in 3D; otherwise those of each slice or frame"
        self.volume = check_box("The last three axes are a volume", tip)
        self.list_button = button("List", "Find the objects of these labels, the most uncertain first")
        self.counts = QLabel()
        self.model = RowModel(self)
        self.table = RowView(self.model)
        self.overlays = Overlays(viewer)
        self.dataset = SetPicker()
        self.add = AddForm(viewer, self.dataset, self._seen)
        tip = "Open and rejected objects are added as unlabelled (255): nothing is learnt from them"
        self.teach_button = button("Add accepted and corrected to training set", tip)
        self._lay_out(tool)
        self._connect()
        self._on_labels()

    def show_subject(self, subject: Subject | None) -> None:
        """Offer the overlays of the labels under review."""
        self.subject = subject
        self.overlays.show_subject(subject)

    def showEvent(self, event: QShowEvent) -> None:
        """Take the keys while the main window has the focus, or the dock's own window if it floats."""
        self._keys.take()
        super().showEvent(event)

    def hideEvent(self, event: QHideEvent) -> None:
        """Release the keys."""
        self._keys.release()
        super().hideEvent(event)

    def select_line(self, line: int) -> None:
        """Select a line of the list and scroll to it."""
        if 0 <= line < self.model.rowCount():
            self.table.setCurrentIndex(self.model.index(line, 1))

    def set_rankings(self, measurements: list[Measurement], chosen: Ranking) -> None:
        """Offer the available scores."""
        self.ranking.clear()
        self.ranking.addItems([name for name in get_args(Ranking) if usable_ranking(measurements, name) == name])
        self.ranking.setCurrentText(chosen)

    def count(self, review: Review, total: int) -> None:
        """Show how many rows are in each state."""
        states = list(review.states.values())
        done = {state: states.count(state) for state in STATES[1:]}
        parts = [f"{number} {state}" for state, number in done.items() if number]
        self.counts.setText(f"{sum(done.values())} of {total} reviewed" + (f": {', '.join(parts)}" if parts else ""))

    def say_done(self) -> None:
        """Show that nothing is left to do."""
        self.progress.say("Nothing is left to do in this list.")

    def _connect(self) -> None:
        self.list_button.clicked.connect(self.list_requested)
        self.teach_button.clicked.connect(self.teach_requested)
        self.labels.changed.connect(self._on_labels)
        self.buttons["next"].clicked.connect(self.next_requested)
        self.buttons["previous"].clicked.connect(self.previous_requested)
        self.buttons["accept"].clicked.connect(lambda: self.state_requested.emit("accepted"))
        self.buttons["reject"].clicked.connect(lambda: self.state_requested.emit("rejected"))
        actions = {name: button.click for name, button in self.buttons.items()} | {
            "map": self.overlays.toggle_map,
            "paste": self.overlays.paste,
            "sample_before": lambda: self.overlays.flip(-1),
            "sample_after": lambda: self.overlays.flip(1),
        }
        self._keys = Shortcuts(self)
        for name, key in KEYS.items():
            self._keys.add(key, actions[name], name)
        self.shortcuts = self._keys.by_name

    def _seen(self) -> tuple[int, tuple[str, ...]]:
        """Return the spatial axes and the class names of the labels, for a new training set."""
        if self.subject is not None:
            return self.subject.source.ndim, self.subject.class_names or ("background", "foreground")
        layer = self.labels.value()
        result = result_of(layer) if layer is not None else None
        if result is None:
            return 3 if self.volume.isChecked() else 2, ("background", "foreground")
        return result.labels.ndim - (result.sizes.ndim - 2), result.class_names

    def _on_labels(self) -> None:
        layer = self.labels.value()
        deep = isinstance(layer, Labels) and layer.ndim > 2
        self.volume.setVisible(deep and layer is not None and result_of(layer) is None)
        self.rows.setVisible(deep)
        self._rows_label.setVisible(deep)

    def _training_set(self) -> Section:
        """Return the folded section that adds reviewed objects to a training set."""
        self.add.hide_sources()
        section = Section("Training set", form(("Folder", self.dataset)), self.add, self.teach_button)
        section.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        return section

    def _lay_out(self, tool: ToolWidget) -> None:
        self._rows_label = row_label("List")
        top = form(("Labels", self.labels), (self._rows_label, self.rows), ("Order by", self.ranking))
        top.layout().addRow(self.volume)
        self.buttons = {name: QPushButton(name.capitalize()) for name in ("previous", "next", "accept", "reject")}
        for name, each in self.buttons.items():
            each.setObjectName(name)
            each.setToolTip(f"{TIPS[name]} (key {KEYS[name]})")
        overlays = Section("Overlays and samples", self.overlays)
        overlays.button.setChecked(True)
        overlays.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        above = (top, self.list_button, self.progress, self.message, self.counts, (self.table, 1))
        column(self, *above, row(*self.buttons.values()), overlays, self._training_set(), spacing=8)
        tool.lay_out(self, main=self.list_button, grow=self)
