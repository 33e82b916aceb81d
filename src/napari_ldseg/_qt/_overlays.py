"""What is shown over the image while reviewing: SD or mean map, contours of confidence, and single samples."""

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels, Layer
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QPushButton, QSlider, QSpinBox, QWidget

from ._forms import form_layout, ignore_wheel, narrow, row_label
from ._layers import HELPER, SD_OPACITY, SD_RANGE, sd_colormap
from ._navigate import add_unselected
from ._sources import place_on
from ._subject import Subject, sd_layer

if TYPE_CHECKING:
    from napari.components import ViewerModel

STEPS = 100
CONTOUR_COLORS = {0: "transparent", 1: "#56b4e9", 2: "white", 3: "#f0e442", None: "transparent"}
SAMPLE_COLOR = "#ff4fa3"
MAPS = ("SD map", "Mean map", "No map")


class Overlays(QWidget):
    """The controls; ``paste_requested`` carries the number of the sample whose version is wanted."""

    paste_requested = Signal(int)

    def __init__(self, viewer: "ViewerModel", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._subject: Subject | None = None
        self.map = QComboBox()
        self.above = _slider("Show the SD only where it is above this (0 to 0.5)")
        self.opacity = _slider("Opacity of the map", round(SD_OPACITY * STEPS))
        self.contours = QCheckBox("Contours at")
        self.confidence = QSpinBox()
        self.sample = QSpinBox()
        self.paste_button = QPushButton("Use it")
        self._lay_out()
        self.map.activated.connect(self._on_map)
        self.above.valueChanged.connect(self._on_map)
        self.opacity.valueChanged.connect(self._on_map)
        self.contours.toggled.connect(self._on_contours)
        self.confidence.valueChanged.connect(self._on_contours)
        self.sample.valueChanged.connect(self._on_sample)
        self.paste_button.clicked.connect(self.paste)
        self.show_subject(None)

    def show_subject(self, subject: Subject | None) -> None:
        """Offer what there is for these labels."""
        self._subject = subject
        mean = subject is not None and subject.source.mean is not None
        samples = subject.samples if subject is not None else 0
        self.map.model().item(1).setEnabled(mean)
        if not mean and self.map.currentIndex() == 1:
            self.map.setCurrentIndex(0)
        for widget in (self.contours, self.confidence):
            widget.setEnabled(mean)
        self.sample.setRange(0, samples)
        self.sample.setSuffix(f" of {samples}" if samples else "")
        for widget in (self.sample, self.paste_button):
            widget.setEnabled(samples > 0)

    def flip(self, by: int) -> None:
        """Show the next or the previous sample; after the last one comes none."""
        if self.sample.isEnabled():
            self.sample.setValue((self.sample.value() + by) % (self.sample.maximum() + 1))

    def paste(self) -> None:
        """Ask for the version of the sample that is shown."""
        self.paste_requested.emit(self.sample.value())

    def toggle_map(self) -> None:
        """Show the map, or no map."""
        self.map.setCurrentIndex(0 if self.map.currentIndex() == 2 else 2)
        self._on_map()

    def _on_map(self) -> None:
        """Show the chosen map with the chosen threshold and opacity."""
        if self._subject is None:
            return
        chosen, above = self.map.currentIndex(), self.above.value() / STEPS * SD_RANGE[1]
        sd, mean = sd_layer(self._viewer, self._subject.layer), self._helper("mean")
        if sd is not None:
            sd.visible = chosen == 0
            sd.opacity = self.opacity.value() / STEPS
            sd.colormap = sd_colormap(above)
        if chosen == 1 and mean is None:
            mean = Image(
                _foreground(self._subject),
                name="Mean probability",
                rgb=False,
                colormap="viridis",
                contrast_limits=(0, 1),
                blending="translucent",
                **self._options(self._subject, "mean"),
            )
            add_unselected(self._viewer, mean)
        if mean is not None:
            mean.visible = chosen == 1
            mean.opacity = self.opacity.value() / STEPS

    def _on_contours(self) -> None:
        """Draw lines where the mean probability of the foreground crosses 1 - p, one half and p."""
        layer = self._helper("contours")
        if self._subject is None or self._subject.source.mean is None or not self.contours.isChecked():
            if layer is not None:
                layer.visible = False
            return
        high = self.confidence.value() / 100
        bands = np.digitize(_foreground(self._subject), [1 - high, 0.5, high]).astype(np.uint8)
        if layer is not None:
            layer.data, layer.visible = bands, True
            return
        new = Labels(bands, name="Confidence contours", opacity=0.9, **self._options(self._subject, "contours"))
        new.colormap = DirectLabelColormap(color_dict=CONTOUR_COLORS)
        new.contour = 1
        add_unselected(self._viewer, new)

    def _on_sample(self, number: int) -> None:
        """Show one sample as a line, on the grid on which it was drawn: no pixel is computed for it."""
        layer, subject = self._helper("sample"), self._subject
        if subject is None or subject.source.masks is None or number == 0:
            if layer is not None:
                layer.visible = False
            return
        masks = subject.source.masks
        frames = masks.array.ndim - masks.ndim - 1
        shown = masks.array[(slice(None),) * frames + (number - 1,)]
        shape, stretch = [1] * subject.layer.ndim, np.ones(subject.layer.ndim)
        for axis, side in zip(subject.axes, shown.shape, strict=True):
            shape[axis] = side
        for axis, factor in zip(subject.axes[frames:], masks.factors, strict=True):
            stretch[axis] = factor
        if layer is not None:
            layer.data, layer.visible, layer.name = shown.reshape(shape), True, f"Sample {number}"
            return
        where = place_on(subject.layer, stretch, np.zeros(subject.layer.ndim))
        options = {**self._options(subject, "sample"), **where}
        new = Labels(shown.reshape(shape), name=f"Sample {number}", opacity=1, **options)
        new.colormap = DirectLabelColormap(color_dict={0: "transparent", None: SAMPLE_COLOR})
        new.contour = 1
        add_unselected(self._viewer, new)

    def _options(self, subject: Subject, kind: str) -> dict[str, Any]:
        """Return metadata and place of a helper that lies on the labels' own grid."""
        layer = subject.layer
        where = place_on(layer, np.ones(layer.ndim), np.zeros(layer.ndim))
        return {"metadata": {HELPER: kind, "of": layer.name}, **where}

    def _helper(self, kind: str) -> Layer | None:
        """Return the layer of that kind that was made here for these labels; one for others is taken away."""
        found = next((layer for layer in self._viewer.layers if layer.metadata.get(HELPER) == kind), None)
        if found is None or self._subject is None:
            return found
        if found.ndim != self._subject.layer.ndim or found.metadata.get("of") != self._subject.layer.name:
            self._viewer.layers.remove(found)
            return None
        return found

    def _lay_out(self) -> None:
        self.map.addItems(MAPS)
        narrow(self.map)
        self.map.setToolTip("What lies over the image (key H)")
        self.confidence.setRange(51, 99)
        self.confidence.setValue(90)
        self.confidence.setSuffix(" %")
        self.confidence.setToolTip("Lines where the mean probability is this, one half, and 1 minus this")
        self.sample.setSpecialValueText("none")
        self.sample.setWrapping(True)
        self.sample.setToolTip("Flip through the alternatives (keys , and .)")
        self.paste_button.setToolTip("Put this sample's version of the selected object into the labels (key U)")
        for box in (self.confidence, self.sample):
            ignore_wheel(box)
        form = form_layout(self)
        for title, widgets in (
            ("Map", (self.map,)),
            ("Above", (self.above,)),
            ("Opacity", (self.opacity,)),
            ("Lines", (self.contours, self.confidence)),
            ("Sample", (self.sample, self.paste_button)),
        ):
            row = QHBoxLayout()
            row.setSpacing(8)
            for index, widget in enumerate(widgets):
                row.addWidget(widget, 1 if index == len(widgets) - 1 or len(widgets) == 1 else 0)
            form.addRow(row_label(title), row)


def _foreground(subject: Subject) -> NDArray[np.float32]:
    """Return the mean probability of all that is not background, in the shape of the layer."""
    assert subject.source.mean is not None
    background = subject.source.mean.take(0, axis=-subject.source.ndim - 1)
    return np.asarray(1 - background).reshape(subject.layer.data.shape)


def _slider(tip: str, value: int = 0) -> QSlider:
    slider = QSlider(Qt.Orientation.Horizontal)
    slider.setRange(0, STEPS)
    slider.setValue(value)
    slider.setToolTip(tip)
    ignore_wheel(slider)
    return slider
