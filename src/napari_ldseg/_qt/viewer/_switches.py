"""One row of switches: what of an image and its result is shown, and how."""

from collections.abc import Callable
from contextlib import suppress

from napari.layers import Labels, Layer
from napari.utils.events import Event
from qtpy.QtWidgets import QPushButton, QWidget

from ..controls._layout import button, column, row
from ._result_layers import KEY, ResultLayers, show_filled, show_outlined


class Switches(QWidget):
    """Buttons, with keys, for the image, the outlines and the SD of what was segmented last.

    The row is hidden until there is a result. A layer that is added later follows the buttons as they are.
    """

    def __init__(self) -> None:
        super().__init__()
        self._image: Layer | None = None
        self._results: ResultLayers | None = None
        self.image = self._switch("Image", "Show the image (Alt+I)", "Alt+I", self._on_image)
        self.labels = self._switch("Labels", "Show the labels (Alt+L)", "Alt+L", self._on_labels)
        self.outline = self._switch(
            "Outline",
            "Show labels as outlines; off: filled (Alt+O). Volumes in 3D are always filled",
            "Alt+O",
            self._on_outline,
        )
        self.sd = self._switch("SD", "Show where the samples differ (Alt+D)", "Alt+D", self._on_sd)
        column(self, row((self.image, 1), (self.labels, 1), (self.outline, 1), (self.sd, 1)))
        self.hide()

    def follow(self, image: Layer, results: ResultLayers) -> None:
        """Switch the layers of these from now on."""
        if self._image is not None:
            self._image.events.visible.disconnect(self._on_eye)
        self._image, self._results = image, results
        self.image.setChecked(image.visible)
        self._watch(image)

    def refresh(self) -> None:
        """Bring layers that are new into line with the buttons."""
        self.setVisible(bool(self._of("labels")))
        for layer in (*self._of("labels"), *self._of("SD")):
            self._watch(layer)
        self._on_outline(self.outline.isChecked())
        if not self.labels.isChecked():
            self._on_labels(False)
        if not self.sd.isChecked():
            self._on_sd(False)

    def _switch(self, text: str, tip: str, key: str, slot: Callable[[bool], None]) -> QPushButton:
        made = button(text, tip)
        made.setAccessibleName(tip)
        made.setCheckable(True)
        made.setChecked(True)
        made.setShortcut(key)
        made.toggled.connect(slot)
        return made

    def _watch(self, layer: Layer) -> None:
        """Let the button follow the eye in napari's list of layers."""
        layer.events.visible.disconnect(self._on_eye)
        layer.events.visible.connect(self._on_eye)

    def _on_eye(self, event: Event) -> None:
        kind = event.source.metadata.get(KEY, {}).get("kind")
        made = {"labels": self.labels, "SD": self.sd}.get(kind, self.image)
        with suppress(RuntimeError):  # deleted already
            made.setChecked(event.source.visible)

    def _of(self, kind: str) -> list[Layer]:
        layers = self._results.layers if self._results is not None else ()
        return [layer for layer in layers if layer.metadata.get(KEY, {}).get("kind") == kind]

    def _on_image(self, on: bool) -> None:
        if self._image is not None:
            self._image.visible = on

    def _on_labels(self, on: bool) -> None:
        for layer in self._of("labels"):
            layer.visible = on

    def _on_outline(self, on: bool) -> None:
        for layer in self._of("labels"):
            if isinstance(layer, Labels) and on != bool(layer.contour):
                (show_outlined if on else show_filled)(layer)

    def _on_sd(self, on: bool) -> None:
        for layer in self._of("SD"):
            layer.visible = on
