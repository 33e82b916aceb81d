"""Choosing an image layer of the viewer."""

from typing import TYPE_CHECKING, Any

from napari.layers import Image, Labels
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QWidget

from ..controls._forms import narrow
from ._labels_source import labels_layers
from ._result_layers import is_result

if TYPE_CHECKING:
    from napari.components import ViewerModel

NO_IMAGE = "No image layer"


class ImagePicker(QComboBox):
    """The viewer's image layers, our own results left out; follows the viewer, and the layer selected there."""

    changed = Signal()

    def __init__(self, viewer: "ViewerModel", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._chosen: Image | None = None
        narrow(self)
        self.setObjectName("image")
        self.setToolTip("The image layer to segment; follows the layer selected in the viewer")
        self.activated.connect(self._on_activated)
        events = viewer.layers.events
        for event in (events.inserted, events.removed, events.reordered, events.renamed):
            event.connect(self._on_layers)
        viewer.layers.selection.events.active.connect(self._on_active)
        self._chosen = self._wanted()
        self._rebuild()

    def value(self) -> Image | None:
        """Return the chosen layer."""
        return self._chosen

    def setValue(self, layer: Image | None) -> None:
        """Choose a layer of the viewer."""
        if layer is not self._chosen:
            self._chosen = layer
            self._rebuild()
            self.changed.emit()

    def release(self) -> None:
        """Stop following the viewer."""
        events = self._viewer.layers.events
        for event in (events.inserted, events.removed, events.reordered, events.renamed):
            event.disconnect(self._on_layers)
        self._viewer.layers.selection.events.active.disconnect(self._on_active)

    def _images(self) -> list[Image]:
        """Return the layers on offer, the topmost first, as in the layer list."""
        return [layer for layer in reversed(self._viewer.layers) if isinstance(layer, Image) and not is_result(layer)]

    def _wanted(self) -> Image | None:
        images = self._images()
        if self._chosen in images:
            return self._chosen
        active = self._viewer.layers.selection.active
        return active if active in images else next(iter(images), None)

    def _on_layers(self, event: Any = None) -> None:
        wanted = self._wanted()
        if wanted is self._chosen:
            self._rebuild()
        else:
            self.setValue(wanted)

    def _on_active(self, event: Any = None) -> None:
        active = self._viewer.layers.selection.active
        if active in self._images():
            self.setValue(active)

    def _on_activated(self, index: int) -> None:
        images = self._images()
        if index < len(images):
            self.setValue(images[index])

    def _rebuild(self) -> None:
        images = self._images()
        self.blockSignals(True)
        self.clear()
        self.addItems([layer.name for layer in images] or [NO_IMAGE])
        self.setCurrentIndex(images.index(self._chosen) if self._chosen in images else 0)
        self.blockSignals(False)
        self.setEnabled(bool(images))


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
