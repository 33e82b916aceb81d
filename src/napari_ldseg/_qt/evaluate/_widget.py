"""The Evaluate widget compares a labels layer with a reference layer."""

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels
from numpy.typing import NDArray
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLabel

from ...errors import InputError
from ...metrics import found_curve
from ...reports import ERRORS, Comparison, compare
from .._tool import ToolWidget
from ..controls._layout import button, check_box, form
from ..controls._table import Column, RowModel, RowView
from ..threads._background import Done, Task
from ..viewer._extra_layers import errors_layer
from ..viewer._from_layers import pixel_size
from ..viewer._labels_source import sd_layer
from ..viewer._layer_picker import LayerPicker
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
SHARES = np.linspace(0, 1, 101) ** 2  # more points where most errors should be
COLORS = dict(zip(ERRORS, ("#000000", "#4aa3ff", "#ff5d5d", "#f0c75e"), strict=True))
# The share of wrong pixels found after each of SHARES, highest SD first, and the share of wrong pixels.
Found = tuple[NDArray[np.float64], float]


class EvaluateWidget(ToolWidget):
    """Compare a labels layer with a reference layer of the same shape.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    NAME, DOING, SIZE = "evaluate", "comparing", (320, 480)
    evaluated = Signal(object)

    def __init__(self, napari_viewer: "napari.Viewer") -> None:
        super().__init__(napari_viewer)
        self.prediction = LayerPicker(self._viewer, Labels, "The labels to score")
        self.reference = LayerPicker(self._viewer, Labels, "The correct labels, for example an expert's")
        tip = "Compare only foreground with background, for labels that number objects"
        self.foreground = check_box("All labels above 0 are one class", tip)
        tip = "Add F1, Dice and Hausdorff distance of objects, as in the GlaS challenge"
        self.objects = check_box("Compare objects (GlaS challenge)", tip)
        self.button = button("Evaluate", "Compare both layers pixel by pixel", self.evaluate)
        self.model = RowModel(self)
        self.table = RowView(self.model)
        self.found = FoundPlot()
        tip = "Add a layer with missed pixels, false pixels and wrong classes"
        self.show_errors = button("Show errors", tip, self.add_errors)
        self.key = QLabel(
            " &nbsp; ".join(f'<span style="color: {COLORS[name]}">■</span> {name}' for name in ERRORS[1:])
        )
        self._judged: tuple[Labels, Comparison] | None = None
        self._lay_out()
        self.forget_on(self.prediction.changed, self.reference.changed)

    def evaluate(self) -> None:
        """Compare in a thread and fill the table, or show why that is not possible."""
        self.message.clear()
        layer, reference = self.prediction.value(), self.reference.value()
        if layer is None or reference is None:
            self._fail(InputError("Two labels layers are needed: the labels to score, and a reference."))
            return
        if layer is reference:
            self._fail(InputError("A layer cannot be its own reference; choose another one."))
            return
        masks = [np.array(one.data) for one in (layer, reference)]  # painting goes on meanwhile
        names = (repr(layer.name), repr(reference.name))
        spacing, _ = pixel_size(layer, list(range(layer.ndim)), np.ones(layer.ndim))
        found = sd_layer(self._viewer, layer)
        options: dict[str, Any] = {
            "foreground": self.foreground.isChecked(),
            "objects": self.objects.isChecked(),
            "sd": None if found is None else found.data,
        }

        def work() -> tuple[Comparison, Found | None]:
            comparison = compare(masks[0], masks[1], names, spacing=spacing, **options)
            wrong = comparison.errors > 0
            if options["sd"] is None or not wrong.any():
                return comparison, None
            return comparison, (found_curve(np.asarray(options["sd"]), wrong, SHARES), float(wrong.mean()))

        self.button.setEnabled(False)
        self.button.setText("Evaluating…")
        task = Task(work)
        task.inform(self, lambda done: self._on_done(layer, done))
        task.start()

    def add_errors(self) -> None:
        """Add a layer that shows where labels and reference differed when they were compared."""
        if self._judged is not None:
            layer, comparison = self._judged
            self._viewer.add_layer(errors_layer(layer, comparison.errors, COLORS))
            self.key.show()

    def _on_done(self, layer: Labels, done: Done) -> None:
        self.button.setEnabled(True)
        self.button.setText("Evaluate")
        if done.error is not None:
            self._fail(done.error)
        else:
            comparison, curve = done.value
            self._show((layer, comparison), curve, comparison.scores)
            self.evaluated.emit(comparison.scores)

    def _fail(self, error: Exception) -> None:
        self._show(None, None, {})
        self.show_error(error)
        self.evaluated.emit({})

    def _show(self, judged: tuple[Labels, Comparison] | None, curve: Found | None, scores: dict[str, float]) -> None:
        self._judged = judged
        self.show_errors.setEnabled(judged is not None)
        self.found.setVisible(curve is not None)
        if curve is not None:
            self.found.show_curve(SHARES, *curve)
        keys = [key.partition(" ") for key in scores]
        titles = [f"{NAMES[kind]} {name}".strip() for kind, _, name in keys]
        self.model.set_columns([Column("Score", titles), Column("Value", list(scores.values()), "{:.4g}".format)])
        self.table.fit()

    def _lay_out(self) -> None:
        self.show_errors.setEnabled(False)
        self.found.hide()
        self.key.hide()
        inputs = form(("Labels", self.prediction), ("Reference", self.reference))
        parts = (inputs, self.foreground, self.objects, self.button, self.progress, self.message, self.table)
        self.lay_out(*parts, self.found, self.show_errors, self.key, main=self.button, grow=self.table)
