"""Choose axes, frames and region of the layer; a sentence says what will be segmented."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Shapes
from numpy.typing import NDArray
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSpinBox, QVBoxLayout, QWidget

from ...config import ModelConfig, SegmentConfig
from ...errors import InputError
from ..controls._forms import form_layout, ignore_wheel, narrow, row_label
from ..controls._section import Section
from ..viewer._from_layers import ROLES, Frames, Role, Source, automatic_roles, read_layer
from ..viewer._navigate import camera_of
from ..viewer._result_layers import add_region_layer, is_result
from ..viewer._roi import current_view, drawn, order_on
from ..viewer._units import on_layer

if TYPE_CHECKING:
    from napari.components import ViewerModel

WHOLE, VIEW, DRAW = "Whole image", "Current view", "Draw a rectangle…"
FRAMES: tuple[Frames, ...] = ("current", "all", "range")
WAIT = 40
WARNING = "QLabel { background: rgba(240, 173, 78, 45); border-left: 3px solid #f0ad4e; padding: 6px 8px; }"
LAYER_EVENTS = ("data", "name", "scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")


class ReadingForm(QWidget):
    """Region, frames and axes, with a sentence that says what will be segmented, and warnings.

    The sentence follows the viewer: its sliders, its camera, the layer's scale and units, and drawn shapes.

    Parameters
    ----------
    viewer : ViewerModel
    settings : callable
        Returns the settings of the next run.
    """

    def __init__(
        self,
        viewer: "ViewerModel",
        settings: Callable[[], SegmentConfig] = SegmentConfig,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer, self._settings = viewer, settings
        self._layer: Image | None = None
        self._config: ModelConfig | None = None
        self._watched: list[Any] = []
        self.region, self.frames = QComboBox(), QComboBox()
        self.ranges: list[tuple[QSpinBox, QSpinBox]] = []
        self.roles: list[QComboBox] = []
        self.sentence, self.warning = QLabel(), QLabel()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(WAIT)
        self._timer.timeout.connect(self.refresh)
        self._lay_out()
        self._fill_regions()
        self.region.activated.connect(self._on_region)
        self.frames.currentIndexChanged.connect(self._on_frames)
        dims, camera, layers = viewer.dims.events, camera_of(viewer).events, viewer.layers.events
        for event in (dims.point, dims.order, dims.ndisplay, camera.center, camera.zoom):
            event.connect(self.refresh_soon)
        for event in (layers.inserted, layers.removed, layers.renamed):
            event.connect(self._on_layers)

    def show_input(self, layer: Image | None, config: ModelConfig | None) -> None:
        """Describe this layer for this model."""
        if layer is not self._layer:
            self._layer = layer
            self._fill_roles()
        self._config = config
        self._watch()
        self.refresh()

    def value(self) -> Source:
        """Return the selected part.

        Raises
        ------
        InputError
            If the layer, the axes or the region cannot be used, or do not fit the model.
        """
        layer, config = self._layer, self._config
        if layer is None or config is None:
            raise InputError("There is no image layer or no model yet.")
        return read_layer(
            layer,
            config.network.ndim,
            FRAMES[self.frames.currentIndex()],
            on_layer(self._viewer, layer, self._viewer.dims.point)[0],
            roles=self._roles(),
            ranges=[(first.value(), last.value()) for first, last in self.ranges],
            region=self._region(layer),
            config=config,
            settings=self._settings(),
        )

    def whole(self) -> Source:
        """Return all of the layer, in the same axes.

        Raises
        ------
        InputError
            As :meth:`value`.
        """
        layer, config = self._layer, self._config
        if layer is None or config is None:
            raise InputError("There is no image layer or no model yet.")
        return read_layer(layer, config.network.ndim, "all", [0.0] * layer.ndim, roles=self._roles())

    def refresh(self) -> None:
        """Update the sentence."""
        self._timer.stop()
        self._show_frames()
        sentence, warnings = "", []
        if self._layer is not None and self._config is not None:
            try:
                plan = self.value().plan
                if plan is not None:
                    sentence, warnings = plan.sentence(), plan.warnings()
            except InputError as error:
                warnings = [str(error)]
        said = f"{sentence[0].upper()}{sentence[1:]}." if sentence else ""
        for label, text in ((self.sentence, said), (self.warning, "\n".join(warnings))):
            label.setText(text)
            label.setVisible(bool(text))
        self.setVisible(self._layer is not None)

    def _roles(self) -> tuple[Role, ...]:
        """Return the role of each axis: the chosen one, or else what the viewer shows."""
        assert self._layer is not None
        assert self._config is not None
        if len(self.roles) != self._layer.ndim:  # its data was replaced
            self._fill_roles()
        chosen = [box.currentData() for box in self.roles]
        automatic = automatic_roles(self._layer, self._config.network.ndim, order_on(self._viewer, self._layer))
        return tuple(role or own for role, own in zip(chosen, automatic, strict=True)) if chosen else automatic

    def _region(self, layer: Image) -> NDArray[np.float64] | None:
        if self.region.currentText() == VIEW:
            return current_view(self._viewer, layer)
        shapes = self.region.currentData()
        return drawn(self._viewer, shapes, layer) if isinstance(shapes, Shapes) else None

    def _show_frames(self) -> None:
        """Show a range for each frame axis, if there are any."""
        layer = self._layer
        axes = []
        if layer is not None and self._config is not None:
            axes = [axis for axis, role in enumerate(self._roles()) if role == "frames"]
            sizes = [_shape(layer)[axis] for axis in axes]
            self.frames.setItemText(1, f"All {math.prod(sizes)} frames")
            if [last.maximum() + 1 for _, last in self.ranges] != sizes:
                self._fill_ranges(sizes)
        for widget in (self.frames, self._frames_label):
            widget.setVisible(bool(axes))
        ranged = bool(axes) and FRAMES[self.frames.currentIndex()] == "range"
        for widget in (self._ranges, self._ranges_label):
            widget.setVisible(ranged)

    def _fill_ranges(self, sizes: list[int]) -> None:
        _clear(self._ranges)
        self.ranges = []
        for size in sizes:
            row = QHBoxLayout()
            pair = QSpinBox(), QSpinBox()
            for box, start, tip in zip(pair, (0, size - 1), ("First frame", "Last frame"), strict=True):
                box.setRange(0, size - 1)
                box.setValue(start)
                box.setToolTip(f"{tip}, counted from 0 as on the viewer's slider")
                ignore_wheel(box)
                box.valueChanged.connect(self._timer.start)
            row.addWidget(pair[0], 1)
            row.addWidget(QLabel("to"))
            row.addWidget(pair[1], 1)
            self._ranges.layout().addLayout(row)
            self.ranges.append(pair)

    def _fill_roles(self) -> None:
        """Make a row for each axis of the layer."""
        _clear(self._axes)
        self.roles = []
        if self._layer is None:
            return
        for label, size in zip(self._layer.axis_labels, _shape(self._layer), strict=False):
            row, box = QHBoxLayout(), QComboBox()
            for text, role in (("automatic", None), *((role, role) for role in ROLES)):
                box.addItem(text, role)
            box.setToolTip("What this axis is; automatic: space is what the viewer shows")
            narrow(box)
            box.currentIndexChanged.connect(self._on_role)
            row.addWidget(row_label(f"{label} ({size})"))
            row.addWidget(box, 1)
            self._axes.layout().addLayout(row)
            self.roles.append(box)

    def _fill_regions(self) -> None:
        """List the shapes layers of the viewer."""
        chosen = self.region.currentData()
        view = self.region.currentText() == VIEW
        shapes = [layer for layer in self._viewer.layers if isinstance(layer, Shapes) and not is_result(layer)]
        self.region.blockSignals(True)
        self.region.clear()
        self.region.addItems([WHOLE, VIEW])
        for layer in shapes:
            self.region.addItem(f"Rectangle in {layer.name}", layer)
        self.region.addItem(DRAW)
        self.region.setCurrentIndex(shapes.index(chosen) + 2 if chosen in shapes else int(view))
        self.region.blockSignals(False)

    def _watch(self) -> None:
        """Follow the layer, and the shapes layer that may hold a rectangle."""
        for event in self._watched:
            event.disconnect(self.refresh_soon)
        self._watched = [] if self._layer is None else [getattr(self._layer.events, name) for name in LAYER_EVENTS]
        shapes = self.region.currentData()
        if isinstance(shapes, Shapes):
            self._watched += [shapes.events.data, shapes.events.highlight]
        for event in self._watched:
            event.connect(self.refresh_soon)

    def refresh_soon(self, event: Any = None) -> None:
        """Update the sentence soon; many changes in a row cause one update."""
        self._timer.start()

    def _on_layers(self, event: Any = None) -> None:
        self._fill_regions()
        self._watch()
        self._timer.start()

    def _on_frames(self) -> None:
        self.refresh()

    def _on_role(self) -> None:
        self.refresh()

    def _on_region(self, index: int) -> None:
        if self.region.itemText(index) == DRAW:
            layer = add_region_layer(self._viewer)
            self.region.setCurrentIndex(self.region.findText(f"Rectangle in {layer.name}"))
        self._watch()
        self.refresh()

    def _lay_out(self) -> None:
        self.region.setToolTip("Segment all of the image, what is on screen, or what lies inside a shape")
        self.frames.addItems(["Current frame", "All frames", "Range of frames"])
        self.frames.setToolTip("This layer has more axes than the model: segment what is shown, or more")
        for box in (self.region, self.frames):
            narrow(box)
        for label in (self.sentence, self.warning):
            label.setWordWrap(True)
        self.sentence.setObjectName("reading")
        self.warning.setObjectName("reading_warning")
        self.warning.setStyleSheet(WARNING)
        self._ranges, self._axes = QWidget(), QWidget()
        self._frames_label, self._ranges_label = row_label("Frames"), row_label("Range")
        for widget in (self._ranges, self._axes):
            column = QVBoxLayout(widget)
            column.setContentsMargins(0, 0, 0, 0)
            column.setSpacing(6)
        rows = QWidget()
        form = form_layout(rows)
        form.addRow(row_label("Region"), self.region)
        form.addRow(self._frames_label, self.frames)
        form.addRow(self._ranges_label, self._ranges)
        self.axes = Section("Axes", self._axes)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        for widget in (rows, self.axes, self.sentence, self.warning):
            column.addWidget(widget)


def _shape(layer: Image) -> tuple[int, ...]:
    """Return the shape of a layer along its own axes."""
    data = layer.data[0] if layer.multiscale else layer.data
    return tuple(data.shape[: layer.ndim])


def _clear(widget: QWidget) -> None:
    """Remove all rows of a column."""
    column = widget.layout()
    while column.count():
        row = column.takeAt(0).layout()
        while row is not None and row.count():
            row.takeAt(0).widget().deleteLater()
