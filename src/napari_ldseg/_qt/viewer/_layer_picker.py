"""Choose a layer of the viewer."""

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from napari.layers import Image, Labels
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QWidget

from ..controls._forms import narrow
from ._labels_source import labels_layers
from ._result_layers import is_result

if TYPE_CHECKING:
    from napari.components import ViewerModel

L = TypeVar("L", Image, Labels)


class LayerPicker(QComboBox, Generic[L]):
    """The viewer's layers of one kind. It keeps its choice while that layer exists.

    Images come from the top, without our own results, and the choice follows the layer selected in the viewer. Among
    labels, our own results come first.

    Parameters
    ----------
    viewer : ViewerModel
    kind : Image or Labels
    tip : str
        The tooltip.
    """

    changed = Signal()

    def __init__(self, viewer: "ViewerModel", kind: type[L], tip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer, self._kind = viewer, kind
        self._chosen: L | None = None
        narrow(self)
        self.setObjectName(kind.__name__.lower())
        self.setToolTip(tip)
        self.activated.connect(self._on_activated)
        events = viewer.layers.events
        for event in (events.inserted, events.removed, events.reordered, events.renamed):
            event.connect(self._on_layers)
        if kind is Image:
            viewer.layers.selection.events.active.connect(self._on_active)
        self._on_layers()

    def value(self) -> L | None:
        """Return the chosen layer."""
        return self._chosen

    def setValue(self, layer: L | None) -> None:
        """Choose a layer of the viewer."""
        if layer is not self._chosen:
            self._chosen = layer
            self._rebuild()
            self.changed.emit()

    def _layers(self) -> list[Any]:
        """Return the layers on offer."""
        if self._kind is Labels:
            return labels_layers(self._viewer)
        return [layer for layer in reversed(self._viewer.layers) if isinstance(layer, Image) and not is_result(layer)]

    def _on_layers(self, event: Any = None) -> None:
        layers = self._layers()
        active = self._viewer.layers.selection.active if self._kind is Image else None
        if self._chosen in layers or not (layers or self._chosen):
            self._rebuild()
        else:
            self.setValue(active if active in layers else next(iter(layers), None))

    def _on_active(self, event: Any = None) -> None:
        active = self._viewer.layers.selection.active
        if active in self._layers():
            self.setValue(active)

    def _on_activated(self, index: int) -> None:
        # Use the item's own layer: the order changes silently when a layer becomes a result.
        layer = self.itemData(index)
        if isinstance(layer, self._kind):
            self.setValue(layer)

    def _rebuild(self) -> None:
        layers = self._layers()
        self.clear()
        for layer in layers:
            self.addItem(layer.name, layer)
        if not layers:
            self.addItem(f"No {self._kind.__name__.lower()} layer")
        self.setEnabled(bool(layers))
        if self._chosen in layers:
            self.setCurrentIndex(layers.index(self._chosen))
