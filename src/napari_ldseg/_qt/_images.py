"""Choosing an image layer of the viewer."""

from typing import TYPE_CHECKING, Any

from napari.layers import Image
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QWidget

from ._forms import narrow
from ._layers import is_result

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
