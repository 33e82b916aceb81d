"""Show overlays while reviewing: SD or mean map, contours of confidence, and single samples."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Layer
from numpy.typing import NDArray
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QSlider, QSpinBox, QWidget

from ..controls._forms import form_layout, ignore_wheel, row_label
from ..controls._layout import button, check_box, combo_box, row
from ..viewer._extra_layers import contour_layer, mean_layer, sample_layer
from ..viewer._from_layers import place_on
from ..viewer._labels_source import Subject, sd_layer
from ..viewer._navigate import add_unselected, move_to
from ..viewer._result_layers import HELPER, SD_OPACITY, SD_RANGE, sd_colormap, sd_layer as new_sd_layer

if TYPE_CHECKING:
    from napari.components import ViewerModel

STEPS = 100
MAPS = ("SD map", "Mean map", "No map")
KINDS = ("mean", "sd", "contours", "sample")


class Overlays(QWidget):
    """The controls. ``paste_requested`` carries the number of the sample to paste from."""

    paste_requested = Signal(int)

    def __init__(self, viewer: "ViewerModel", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._subject: Subject | None = None
        self._shown: dict[str, Subject] = {}
        self.map = combo_box(MAPS, "The map over the image (key H)")
        self.above = _slider("Show the SD only where it is above this (0 to 0.5)")
        self.opacity = _slider("Opacity of the map", round(SD_OPACITY * STEPS))
        self.contours = check_box("Contours at", "Draw lines of equal confidence from the mean probability")
        self.confidence = QSpinBox()
        self.sample = QSpinBox()
        tip = "Put this sample's version of the selected object into the labels (key U)"
        self.paste_button = button("Use it", tip, self.paste)
        self._lay_out()
        self.map.activated.connect(self._on_map)
        self.above.valueChanged.connect(self._on_map)
        self.opacity.valueChanged.connect(self._on_map)
        self.contours.toggled.connect(self._on_contours)
        self.confidence.valueChanged.connect(self._on_contours)
        self.sample.valueChanged.connect(self._on_sample)
        self.show_subject(None)

    def show_subject(self, subject: Subject | None) -> None:
        """Offer the overlays of these labels, and replace those of other labels."""
        self._subject = subject
        for kind in KINDS:
            self._hide(kind)
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
        if self.map.currentIndex() == 1:
            self._on_map()
        self._on_contours()
        self._on_sample(self.sample.value())

    def flip(self, by: int) -> None:
        """Show the next or the previous sample. After the last one comes none."""
        if self.sample.isEnabled():
            self.sample.setValue((self.sample.value() + by) % (self.sample.maximum() + 1))

    def paste(self) -> None:
        """Request the version of the current sample."""
        self.paste_requested.emit(self.sample.value())

    def toggle_map(self) -> None:
        """Show or hide the map."""
        self.map.setCurrentIndex(0 if self.map.currentIndex() == 2 else 2)
        self._on_map()

    def _on_map(self) -> None:
        """Show the chosen map with the chosen threshold and opacity."""
        subject = self._subject
        if subject is None:
            return
        chosen, above = self.map.currentIndex(), self.above.value() / STEPS * SD_RANGE[1]
        sd = sd_layer(self._viewer, subject.layer) or self._sd_of(subject, wanted=chosen == 0)
        if sd is not None:
            sd.visible = chosen == 0
            sd.opacity = self.opacity.value() / STEPS
            sd.colormap = sd_colormap(above)
        mean = self._fresh("mean")
        if chosen == 1 and mean is None:
            mean = self._put("mean", _foreground(subject), _own_place(subject), mean_layer)
        if mean is not None:
            mean.visible = chosen == 1
            mean.opacity = self.opacity.value() / STEPS

    def _sd_of(self, subject: Subject, *, wanted: bool) -> Layer | None:
        """Return a layer with the SD of a result whose own layer is gone or shows another run."""
        sd = self._fresh("sd")
        if sd is None and wanted and subject.source.sd is not None:
            data = np.asarray(subject.source.sd).reshape(subject.layer.data.shape)
            ndim = subject.source.ndim
            sd = self._put("sd", data, _own_place(subject), lambda data, **o: new_sd_layer(data, ndim, name="SD", **o))
        return sd

    def _on_contours(self) -> None:
        """Draw lines where the mean probability of the foreground crosses 1 - p, one half and p."""
        subject = self._subject
        if subject is None or subject.source.mean is None or not self.contours.isChecked():
            self._hide("contours")
            return
        high = self.confidence.value() / 100
        bands = np.digitize(_foreground(subject), [1 - high, 0.5, high]).astype(np.uint8)
        self._put("contours", bands, _own_place(subject), contour_layer)

    def _on_sample(self, number: int) -> None:
        """Show one sample as an outline, on its own grid: no pixel is resampled."""
        subject = self._subject
        if subject is None or subject.source.masks is None or number == 0:
            self._hide("sample")
            return
        masks = subject.source.masks
        frames = masks.array.ndim - masks.ndim - 1
        shown = masks.classes[(slice(None),) * frames + (number - 1,)]
        shape, stretch = [1] * subject.layer.ndim, np.ones(subject.layer.ndim)
        for axis, side in zip(subject.axes, shown.shape, strict=True):
            shape[axis] = side
        for axis, factor in zip(subject.axes[frames:], masks.factors, strict=True):
            stretch[axis] = factor
        where = place_on(subject.layer, stretch)
        self._put("sample", shown.reshape(shape), where, sample_layer).name = f"Sample {number}"

    def _put(self, kind: str, data: NDArray[Any], where: dict[str, Any], make: Callable[..., Layer]) -> Layer:
        """Show data in the helper layer of a kind, in place of what it showed before."""
        assert self._subject is not None
        layer = self._helper(kind)
        if layer is not None and layer.ndim != data.ndim:
            self._viewer.layers.remove(layer)
            layer = None
        if layer is None:
            layer = make(data, metadata={HELPER: kind}, **where)
            add_unselected(self._viewer, layer)
        else:
            layer.data = data
            move_to(layer, where)
            layer.visible = True
        self._shown[kind] = self._subject
        return layer

    def _helper(self, kind: str) -> Layer | None:
        """Return the helper layer of a kind, whatever it shows."""
        return next((layer for layer in self._viewer.layers if layer.metadata.get(HELPER) == kind), None)

    def _fresh(self, kind: str) -> Layer | None:
        """Return the helper layer of a kind if it belongs to the current review."""
        return self._helper(kind) if self._shown.get(kind) is self._subject else None

    def _hide(self, kind: str) -> None:
        layer = self._helper(kind)
        if layer is not None:
            layer.visible = False

    def _lay_out(self) -> None:
        self.confidence.setRange(51, 99)
        self.confidence.setValue(90)
        self.confidence.setSuffix(" %")
        self.confidence.setToolTip("Lines at this mean probability, at one half, and at 1 minus this")
        self.sample.setSpecialValueText("none")
        self.sample.setWrapping(True)
        self.sample.setToolTip("Flip through the alternatives (keys , and .)")
        for box in (self.confidence, self.sample):
            ignore_wheel(box)
        form = form_layout(self)
        for title, widget in (
            ("Map", self.map),
            ("Above", self.above),
            ("Opacity", self.opacity),
            ("Lines", row(self.contours, (self.confidence, 1), spacing=8)),
            ("Sample", row(self.sample, (self.paste_button, 1), spacing=8)),
        ):
            form.addRow(row_label(title), widget)


def _own_place(subject: Subject) -> dict[str, Any]:
    """Return the transforms of a helper layer on the labels' own grid."""
    return place_on(subject.layer)


def _foreground(subject: Subject) -> NDArray[np.float32]:
    """Return the mean probability of the foreground, in the shape of the layer."""
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
