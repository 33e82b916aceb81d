"""The Evaluate widget: a labels layer against a reference layer."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels
from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QHeaderView,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ..errors import InputError, LDSegError
from ..measure import score_case
from ._background import Done, Task
from ._forms import form_layout, row_label
from ._labels import LabelsPicker
from ._layers import KEY
from ._messages import Message

if TYPE_CHECKING:
    import napari

NAMES = {
    "dsc": "Dice",
    "iou": "IoU",
    "hd95": "HD95",
    "assd": "Mean surface distance",
    "f1": "Object F1",
    "object_dsc": "Object Dice",
    "object_hausdorff": "Object Hausdorff (pixels)",
    "error_auroc": "SD finds errors (AUROC)",
    "error_ause": "SD against oracle (AUSE)",
}


class EvaluateWidget(QWidget):
    """Compare a labels layer with a reference layer of the same shape.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    evaluated = Signal(object)

    def __init__(self, napari_viewer: "napari.Viewer") -> None:
        super().__init__()
        self._viewer = getattr(napari_viewer, "__wrapped__", napari_viewer)
        self.prediction = LabelsPicker(self._viewer)
        self.reference = LabelsPicker(self._viewer)
        self.prediction.setToolTip("The labels to judge")
        self.reference.setToolTip("What they should be: an expert's labels")
        self.foreground = QCheckBox("All labels above 0 are one class")
        self.objects = QCheckBox("Compare objects (GlaS challenge)")
        self.button = QPushButton("Evaluate")
        self.message = Message()
        self.table = QTableWidget(0, 2)
        self._task: Task | None = None
        self._lay_out()
        self.button.clicked.connect(self.evaluate)

    def sizeHint(self) -> QSize:
        """Return a width that leaves room for the picture."""
        return QSize(320, 480)

    def evaluate(self) -> None:
        """Compare, in a thread, and fill the table; say in words why that cannot be."""
        self.message.clear()
        try:
            scores = self._scores()
        except InputError as error:
            self._on_done(Done(error=error))
            return
        self.button.setEnabled(False)
        self.button.setText("Evaluating…")
        self._task = Task(scores)
        self._task.finished.connect(self._on_done)
        self._task.start()

    def _on_done(self, done: Done) -> None:
        self.button.setEnabled(True)
        self.button.setText("Evaluate")
        rows: dict[str, float] = done.value or {}
        self.table.setRowCount(len(rows))
        for index, (key, value) in enumerate(rows.items()):
            kind, _, name = key.partition(" ")
            for column, text in enumerate((f"{NAMES[kind]} {name}".strip(), f"{value:.4g}")):
                item = QTableWidgetItem(text)
                item.setFlags(Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEnabled)
                self.table.setItem(index, column, item)
        if done.error is not None:
            self.message.show_error(str(done.error) if isinstance(done.error, LDSegError) else repr(done.error))
        self.evaluated.emit(rows)

    def _scores(self) -> Callable[[], dict[str, float]]:
        """Return the call that computes the scores."""
        layer, reference = self.prediction.value(), self.reference.value()
        if layer is None or reference is None:
            raise InputError("Two labels layers are needed: one to judge, and one that holds the truth.")
        if layer is reference:
            raise InputError("A layer is the same as itself; choose another one as the reference.")
        if layer.data.shape != reference.data.shape:
            raise InputError(
                f"{layer.name!r} has the shape {layer.data.shape}, but {reference.name!r} has {reference.data.shape}; "
                "both must lie on the same pixels."
            )
        masks = [np.array(one.data) for one in (layer, reference)]  # painting goes on meanwhile
        foreground, sd = self.foreground.isChecked(), self._sd(layer)
        spacing, objects = tuple(map(float, layer.scale)), self.objects.isChecked()

        def scores() -> dict[str, float]:
            both = [(mask > 0).astype(np.uint8) if foreground else mask for mask in masks]
            if max(int(mask.max(initial=0)) for mask in both) > 255:
                raise InputError(
                    "There are more than 255 classes. If these are numbers of objects, tick 'All labels above 0 ...'."
                )
            return score_case(*both, spacing=spacing, objects=objects, sd=sd)

        return scores

    def _sd(self, layer: Labels) -> Any:
        """Return the SD map of the run that made the layer, if it is still there."""
        run = layer.metadata.get(KEY)
        if run is None:
            return None
        for other in self._viewer.layers:
            made = other.metadata.get(KEY, {})
            same = all(made.get(key) == run.get(key) for key in ("date", "image", "model_sha256"))
            if made.get("kind") == "SD" and same and other.data.shape == layer.data.shape:
                return other.data
        return None

    def _lay_out(self) -> None:
        inputs = QWidget()
        form = form_layout(inputs)
        form.addRow(row_label("Labels"), self.prediction)
        form.addRow(row_label("Reference"), self.reference)
        self.table.setHorizontalHeaderLabels(["Score", "Value"])
        self.table.verticalHeader().hide()
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.ContiguousSelection)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 10, 10, 10)
        column.setSpacing(10)
        for part in (inputs, self.foreground, self.objects, self.button, self.message, self.table):
            column.addWidget(part)
