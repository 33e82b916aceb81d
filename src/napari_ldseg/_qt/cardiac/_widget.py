"""The Cardiac widget shows curves of an echocardiogram, volumes and ejection fraction."""

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Labels
from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QLabel,
    QSpinBox,
    QWidget,
)

from ..._util import Progress
from ...cardiac import Cardiac, cardiac_words, judge, measure_cardiac, write_cardiac
from ...config import CardiacConfig
from ...errors import InputError, LDSegError
from ...measure import Measured
from .._tool import ToolWidget
from ..controls._forms import ConfigForm, form_layout, row_label
from ..controls._layout import button, check_box, column, combo_box, row
from ..controls._message import WrappedLabel
from ..controls._section import Section
from ..viewer._labels_source import Subject, read_subject
from ..viewer._layer_picker import LayerPicker
from ..viewer._units import on_layer, to_view
from ._plot import CurvePlot

if TYPE_CHECKING:
    import napari

FILTER = "Table (*.csv);;Summary (*.json)"
# Light colours that are told apart with any kind of colour vision; the word stands beside them.
LIGHTS = {"green": "#3fb97f", "amber": "#f0b429", "red": "#e5484d", "unknown": "#8a8f98"}
PHASES = {"ED frame": "end-diastole", "ES frame": "end-systole"}


class CardiacWidget(ToolWidget):
    """Measure the left ventricle of a cine, or of two views of one heart.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    NAME, DOING, SIZE = "cardiac", "measuring", (430, 700)
    STYLE = "QLabel#ef { font-size: 20px; font-weight: bold; }"
    measured = Signal()
    saved = Signal()

    def __init__(self, napari_viewer: "napari.Viewer") -> None:
        super().__init__(napari_viewer)
        self._subject: Subject | None = None
        self._provenance: dict[str, Any] = {}
        self.result: Cardiac | None = None
        self.labels = LayerPicker(self._viewer, Labels, "The labels of the cine: ventricle, myocardium and atrium")
        tip = "Measure the volume from the four-chamber and the two-chamber view of the same heart"
        self.biplane = check_box("Two views of one heart (biplane)", tip)
        self.second = LayerPicker(
            self._viewer, Labels, "The apical two-chamber view; both views are measured at the same phase of the cine"
        )
        self.settings = ConfigForm(CardiacConfig(), "main")
        self.more_settings = ConfigForm(CardiacConfig(), "more")
        tip = "Measure areas, volumes and ejection fraction of these labels"
        self.measure_button = button("Measure", tip, self.measure)
        self.kind = combo_box(("Area", "Volume"), "What the curve shows")
        self.plot = CurvePlot()
        self.fraction = QLabel()
        self.volumes, self.quality = QLabel(), WrappedLabel()
        self.ed, self.es = QSpinBox(), QSpinBox()
        tip = "The curves as a table (.csv), or volumes and EF with all settings (.json)"
        self.save_button = button("Save…", tip, self._on_save)
        self.found = QWidget()
        self._lay_out()
        self.biplane.toggled.connect(self._on_biplane)
        self.kind.currentTextChanged.connect(self._draw)
        self.plot.frame_requested.connect(self.go_to)
        self.plot.phases_requested.connect(self.set_phases)
        for box in (self.ed, self.es):
            box.valueChanged.connect(self._on_phase_box)
        self.forget_on(self.labels.changed, self.second.changed)
        slider = self._viewer.dims.events.current_step
        slider.connect(self._on_slider)
        self.destroyed.connect(lambda: slider.disconnect(self._on_slider))

    def measure(self) -> None:
        """Measure the chosen labels, in a thread."""
        self.message.clear()
        try:
            subject = self._read(self.labels.value())
            second = self._read(self.second.value()) if self.biplane.isChecked() else None
            if second is not None and second.layer is subject.layer:
                raise InputError("Both views are the same layer; choose the other view of the heart as Labels 2CH.")
            if second is not None and second.unit != subject.unit:
                raise InputError(
                    f"The pixel sizes of the two views are in {subject.unit} and {second.unit}; give both layers one "
                    "unit."
                )
            config = self.more_settings.value().replace(**self.settings.values())
        except LDSegError as error:
            self.show_error(error)
            return
        # The user may paint meanwhile, so this is a copy.
        sources = [_copy(one.source) if one is not None else None for one in (subject, second)]
        provenance = {one.layer.name: one.provenance for one in (subject, second) if one is not None}
        unit = subject.unit

        def measuring() -> Generator[Progress, None, Cardiac]:
            first, other = sources
            assert first is not None
            return (yield from measure_cardiac(first, other, unit=unit, config=config))

        self.compute(measuring, lambda result: self._on_measured(subject, provenance, result), "Measuring")

    def set_phases(self, ed: int, es: int) -> None:
        """Use other frames as end-diastole and end-systole."""
        if self.result is None:
            return
        self.result = self.result.at(ed, es)
        self._show_numbers()

    def go_to(self, frame: int) -> None:
        """Show a frame in the viewer."""
        subject = self._subject
        if subject is None or subject.layer not in self._viewer.layers or subject.source.labels.ndim < 3:
            return
        axis, layer = subject.axes[0], subject.layer
        place = [0.0] * layer.ndim
        place[axis] = float(frame)
        world = to_view(self._viewer, layer, layer.data_to_world(place))
        self._viewer.dims.set_point(axis + self._viewer.dims.ndim - layer.ndim, float(world[axis]))

    def save(self, path: Path) -> None:
        """Write the curves (.csv) or the summary (.json)."""
        result = self.result
        if result is None:
            self.show_error(InputError("There is nothing to save yet; press Measure first."))
            return
        try:
            write_cardiac(result, path, self._provenance)
        except LDSegError as error:
            self.show_error(error)
            return
        self.progress.say(f"Saved {path}.")
        self.saved.emit()

    def _read(self, layer: "Labels | None") -> Subject:
        if layer is None:
            raise InputError("There is no labels layer; press Segment first, or open a label mask.")
        return read_subject(self._viewer, layer, volume=False)

    def _on_measured(self, subject: Subject, provenance: dict[str, Any], result: Cardiac) -> None:
        self.result, self._subject, self._provenance = result, subject, provenance
        self.progress.say(_summary(result))
        self.found.show()
        self._draw()
        self._show_numbers()
        self._on_slider()
        self.measured.emit()

    def _draw(self) -> None:
        if self.result is not None:
            self.plot.show_curves(self.result, self.kind.currentText())

    def _show_numbers(self) -> None:
        result = self.result
        if result is None:
            return
        words = cardiac_words(result)
        self.fraction.setText(words["EF"])
        self.volumes.setText(f"{words['EDV']}\n{words['ESV']}")
        self.plot.show_phases(result.ed, result.es)
        quality = judge(result, *self._provenance.values())
        self.quality.setText(f'<span style="color: {LIGHTS[quality.light]}">\u25cf</span> {quality.words}')
        for box, frame in ((self.ed, result.ed), (self.es, result.es)):
            box.blockSignals(True)
            box.setRange(0, result.frames - 1)
            box.setValue(frame)
            box.blockSignals(False)

    def _on_phase_box(self) -> None:
        self.set_phases(self.ed.value(), self.es.value())

    def _on_slider(self, event: object = None) -> None:
        del event
        subject = self._subject
        if subject is None or subject.source.labels.ndim < 3 or subject.layer not in self._viewer.layers:
            return
        layer, axis = subject.layer, subject.axes[0]
        point = on_layer(self._viewer, layer, self._viewer.dims.point)[0]
        self.plot.show_frame(round(float(layer.world_to_data(point)[axis])))

    def _on_biplane(self, both: bool) -> None:
        self.form.setRowVisible(self.second, both)

    def _on_save(self) -> None:
        name = f"{self._subject.layer.name if self._subject else 'cardiac'}.csv"
        path, chosen = QFileDialog.getSaveFileName(self, "Save measurements", str(Path.home() / name), FILTER)
        if path:
            suffix = chosen.split("*")[-1].rstrip(")")
            self.save(Path(path) if Path(path).suffix else Path(path + suffix))

    def _lay_out(self) -> None:
        self.fraction.setObjectName("ef")
        self.form = form_layout(top := QWidget())
        self.form.addRow(row_label("Labels"), self.labels)
        self.form.addRow(self.biplane)
        self.form.addRow(row_label("Labels 2CH"), self.second)
        self.form.setRowVisible(self.second, False)
        self._lay_out_found()
        self.found.hide()
        more = Section("More settings", self.more_settings)
        parts = (top, self.settings, more, self.measure_button, self.progress, self.message, self.found)
        self.lay_out(*parts, main=self.measure_button, grow=self.found)

    def _lay_out_found(self) -> None:
        self.plot.setToolTip("Click to show a frame. Drag ED or ES to another frame")
        for name, box in zip(PHASES, (self.ed, self.es), strict=True):
            box.setToolTip(f"The frame used as {PHASES[name]}")
        phases = [(_beside(name, box), 1) for name, box in zip(PHASES, (self.ed, self.es), strict=True)]
        numbers = row(self.fraction, (QWidget(), 1), self.volumes)
        self.quality.setToolTip("How well the model knows frames like those of ED and ES")
        column(self.found, numbers, self.quality, self.kind, (self.plot, 1), row(*phases, self.save_button), spacing=8)


def _beside(name: str, box: QSpinBox) -> QWidget:
    layout = QFormLayout(both := QWidget())
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addRow(QLabel(name), box)
    return both


def _copy(source: Measured) -> Measured:
    return replace(source, labels=source.labels.copy())


def _summary(result: Cardiac) -> str:
    planes = "Biplane" if result.biplane else "Single plane"
    count = len(result.volume.samples)
    if result.frames < 2:
        return f"{planes}. One frame has no ejection fraction: segment all frames (Frames, in the Segment widget)."
    if count < 2:
        return f"{planes}. There are no samples, so there are no intervals: press Segment in this session first."
    return f"{planes}; {result.config.interval:.0%} interval over {count} samples."
