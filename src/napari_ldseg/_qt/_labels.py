"""Choosing a labels layer of the viewer."""

from typing import TYPE_CHECKING, Any

from napari.layers import Labels
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QWidget

from ._forms import narrow
from ._subject import labels_layers

if TYPE_CHECKING:
    from napari.components import ViewerModel

NO_LABELS = "No labels layer"


class LabelsPicker(QComboBox):
    """The viewer's labels layers, results of ours first; keeps its choice while that is there."""

    changed = Signal()

    def __init__(self, viewer: "ViewerModel", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._chosen: Labels | None = None
        narrow(self)
        self.setObjectName("labels")
        self.setToolTip("The labels layer whose objects are listed")
        self.activated.connect(self._on_activated)
        for event in self._events():
            event.connect(self._on_layers)
        self._on_layers()

    def value(self) -> Labels | None:
        """Return the chosen layer."""
        return self._chosen

    def setValue(self, layer: Labels | None) -> None:
        """Choose a layer of the viewer."""
        if layer is not self._chosen:
            self._chosen = layer
            self._rebuild()
            self.changed.emit()

    def _events(self) -> tuple[Any, ...]:
        events = self._viewer.layers.events
        return events.inserted, events.removed, events.reordered, events.renamed

    def _on_layers(self, event: Any = None) -> None:
        layers = labels_layers(self._viewer)
        if self._chosen in layers or not (layers or self._chosen):
            self._rebuild()
        else:
            self.setValue(next(iter(layers), None))

    def _rebuild(self) -> None:
        layers = labels_layers(self._viewer)
        self.clear()
        for layer in layers:
            self.addItem(layer.name, layer)
        if not layers:
            self.addItem(NO_LABELS)
        self.setEnabled(bool(layers))
        if self._chosen in layers:
            self.setCurrentIndex(layers.index(self._chosen))

    def _on_activated(self, index: int) -> None:
        # The item's own layer: their order changes when one becomes a result, of which nobody is told.
        layer = self.itemData(index)
        if isinstance(layer, Labels):
            self.setValue(layer)
