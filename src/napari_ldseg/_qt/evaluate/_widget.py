"""The Evaluate widget: a labels layer against a reference layer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels
from numpy.typing import NDArray
from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ...datasets import UNLABELLED, judged_classes
from ...errors import InputError, LDSegError
from ...metrics import found_curve, score_case
from ..controls._forms import form_layout, row_label
from ..controls._message import Message
from ..threads._background import Done, Task
from ..viewer._from_layers import pixel_size, place_on
from ..viewer._layer_picker import LabelsPicker
from ..viewer._result_layers import KEY, class_colormap
from ._plot import FoundPlot

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


SHARES = np.linspace(0, 1, 101) ** 2  # denser where most errors should be
ERRORS = {"none": "#000000", "missed": "#4aa3ff", "too much": "#ff5d5d", "other class": "#f0c75e"}


@dataclass(frozen=True)
class Evaluated:
    """What came of a comparison.

    Attributes
    ----------
    scores : dict of float
        As :func:`napari_ldseg.measure.score_case` gives them.
    errors : (Labels, uint8 array)
        The layer that was judged, and what is wrong in it: 1 missed, 2 too much, 3 another class.
    found : (float array, float), optional
        Share of the wrong pixels found after each of ``SHARES``, the highest SD first, and the share that is wrong.
    """

    scores: dict[str, float]
    errors: tuple[Labels, NDArray[np.uint8]]
    found: tuple[NDArray[np.float64], float] | None


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
        self.found = FoundPlot()
        self.found.hide()
        self.show_errors = QPushButton("Show errors")
        self.show_errors.setToolTip("Add a layer: what the labels miss, what they have too much, and other classes")
        self.show_errors.setEnabled(False)
        names = (f'<span style="color: {color}">■</span> {name}' for name, color in list(ERRORS.items())[1:])
        self.key = QLabel(" &nbsp; ".join(names))
        self.key.hide()
        self._errors: tuple[Labels, NDArray[np.uint8]] | None = None
        self._task: Task | None = None
        self._lay_out()
        self.button.clicked.connect(self.evaluate)
        self.show_errors.clicked.connect(self.add_errors)

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
        self._errors = done.value and done.value.errors
        self.show_errors.setEnabled(self._errors is not None)
        rows: dict[str, float] = done.value.scores if done.value else {}
        curve = done.value and done.value.found
        self.found.setVisible(curve is not None)
        if curve is not None:
            self.found.show_curve(SHARES, *curve)
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

    def add_errors(self) -> None:
        """Add a layer of where the labels and the reference differed when they were compared."""
        if self._errors is None:
            return
        layer, errors = self._errors
        self._viewer.add_labels(
            errors,
            name=f"{layer.name} errors",
            colormap=class_colormap(tuple(ERRORS), tuple(ERRORS.values())),
            features={"index": range(len(ERRORS)), "error": list(ERRORS)},
            **place_on(layer),
        )
        self.key.show()

    def _scores(self) -> Callable[[], "Evaluated"]:
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
        names = [one.name for one in (layer, reference)]
        foreground, sd = self.foreground.isChecked(), self._sd(layer)
        spacing, _ = pixel_size(layer, list(range(layer.ndim)), np.ones(layer.ndim))
        objects = self.objects.isChecked()

        def scores() -> Evaluated:
            if max(int(mask.max(initial=0)) for mask in masks) > 255 and not foreground:
                raise InputError(
                    "There are more than 255 classes. If these are numbers of objects, tick 'All labels above 0 ...'."
                )
            both = [judged_classes(*each, foreground=foreground) for each in zip(masks, names, strict=True)]
            unlabelled = None if foreground else UNLABELLED
            rows = score_case(*both, spacing=spacing, objects=objects, sd=sd, unlabelled=unlabelled)
            wrong = (both[0] != both[1]) & (both[1] != unlabelled)
            errors = (wrong * np.where(both[0] == 0, 1, np.where(both[1] == 0, 2, 3))).astype(np.uint8)
            found = None
            if sd is not None and wrong.any():
                found = (found_curve(np.asarray(sd), wrong, SHARES), float(wrong.mean()))
            return Evaluated(rows, (layer, errors), found)

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
        for part in (inputs, self.foreground, self.objects, self.button, self.message):
            column.addWidget(part)
        column.addWidget(self.table, 1)
        for part in (self.found, self.show_errors, self.key):
            column.addWidget(part)
