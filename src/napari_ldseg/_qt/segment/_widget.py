"""The Segment widget turns an image into labels and their uncertainty."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from napari.layers import Image
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QFrame, QHBoxLayout, QPushButton, QWidget

from ...config import SegmentConfig
from ...errors import InputError, LDSegError
from .._tool import ToolWidget
from ..controls._forms import ConfigForm, form_layout, row_label
from ..controls._layout import column
from ..controls._progress import summary
from ..controls._section import Section
from ..models._library_dialog import serve
from ..models._picker import ModelPicker
from ..steer._panel import SteerPanel
from ..steer._steering import Request
from ..threads._segmentation import Engine, Job, Loading, Outcome, Run, engine
from ..viewer._disk_layers import result_folder
from ..viewer._layer_picker import LayerPicker
from ..viewer._result_layers import ResultLayers
from ..viewer._switches import Switches
from ..viewer._writing import Writing
from ._input_form import ReadingForm
from ._legend import Legend

if TYPE_CHECKING:
    import napari

    from ...inference import Segmentation, SegmentProgress


class SegmentWidget(ToolWidget):
    """Segment an image layer with a model, in a thread, with a live preview.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    run_engine : callable, optional
        Replaces the real engine in tests.
    """

    NAME, DOING = "segment", "segmenting"
    run_finished = Signal(object)

    def __init__(self, napari_viewer: "napari.Viewer", run_engine: Engine = engine) -> None:
        super().__init__(napari_viewer)
        self._engine = run_engine
        self._results: ResultLayers | None = None
        self._writing = Writing(self)
        self._writing.finished.connect(self._end)
        self.image = LayerPicker(
            self._viewer, Image, "The image layer to segment; follows the layer selected in the viewer"
        )
        self.model = ModelPicker()
        self.settings = ConfigForm(SegmentConfig(), "main")
        self.more_settings = ConfigForm(SegmentConfig(), "more")
        self.reading = ReadingForm(self._viewer, self._config)
        self.frames = self.reading.frames
        self.mean = QCheckBox("Add the mean probability map")
        self.segment_button = QPushButton("Segment")
        self.cancel_button = QPushButton("Cancel")
        self.steer_button, self.steer = QPushButton("Steer"), SteerPanel()
        self.legend, self.switches = Legend(), Switches()
        self._lay_out()
        self.run_finished.connect(lambda _: self.switches.refresh())
        self.image.changed.connect(self._on_image_changed)
        self.model.changed.connect(self._on_input_changed)
        for form in (self.settings, self.more_settings):
            form.valueChanged.connect(self.reading.refresh_soon)
        serve(self.model, self)
        self.forget_on(self.image.changed, self.model.changed)
        self.segment_button.clicked.connect(self.segment)
        self.cancel_button.clicked.connect(self.cancel)
        self.steer_button.setCheckable(True)
        self.steer_button.toggled.connect(self._on_steer)
        self.steer.progressed.connect(self.progress.show_progress)
        self.steer.finished.connect(self._on_steered)
        self.steer.ended.connect(self._end_steering)
        for changed in (self.image.changed, self.model.changed):
            changed.connect(self.steer.leave)
        self._on_image_changed()
        self._set_running(False)

    def segment(self) -> None:
        """Start a run with the form's settings, or show why it cannot start."""
        if self._run is not None:
            self.progress.say("A run is in progress; cancel it before you start another.")
            return
        self._end_steering()
        self.message.clear()
        try:
            job, self._results = self._asked()
        except LDSegError as error:
            self.show_error(error)
            return
        self._set_running(True)
        self.progress.start()
        run = Run(self._engine, job)
        run.progressed.connect(self._on_progressed)
        self.follow(run, self._on_finished)

    def cancel(self) -> None:
        """Stop the run at its next step and keep what it has computed."""
        if self._run is not None:
            self._run.stop()
            self.cancel_button.setEnabled(False)
            self.progress.say("Stopping…")

    def _asked(self) -> tuple[Job, ResultLayers]:
        """Return what the forms ask for, and the layers of its result.

        Raises
        ------
        InputError
            Image, model and settings do not fit each other, or one of them is missing.
        """
        layer, entry = self.image.value(), self.model.value()
        if layer is None:
            raise InputError("There is no image layer; open an image, or one of File > Open Sample > LDSeg.")
        if entry is None:
            raise InputError("There is no model; choose one under Model, or a file by Open….")
        source = self.reading.value()
        assert source.plan is not None
        into = result_folder(layer, entry.name, source.plan.part) if source.plan.on_disk else None
        results = ResultLayers(self._viewer, source, entry.name, mean=self.mean.isChecked())
        self.switches.follow(layer, results)
        return Job(source.plan, entry.path, into), results

    def _on_steer(self, on: bool) -> None:
        """Begin or end to steer."""
        if not on:
            self._end_steering()
            return
        self.message.clear()
        try:
            if self._run is not None:
                raise InputError("A run is in progress; cancel it, or wait for its end, before you steer.")
            self.progress.start()
            self.steer.start(self._viewer, self._request)
            self._show_forms(shown=False)
        except LDSegError as error:
            self._end_steering()
            self.progress.finish("")
            self.show_error(error)

    def _request(self) -> Request:
        """Return what is to be steered."""
        job, results = self._asked()
        layer = self.image.value()
        assert layer is not None
        return Request(layer, self.reading.whole(), job, results)

    def _show_forms(self, *, shown: bool) -> None:
        """Make room for the controls of steering; what is steered is settled by then."""
        self._forms.setVisible(shown)
        self.model.card.setVisible(shown)

    def _on_steered(self, outcome: Outcome) -> None:
        """Say how a draw ended."""
        self.progress.finish(self.steer.summary(outcome))
        if outcome.error is not None:
            self._end_steering()
            self.show_error(outcome.error)
        self.run_finished.emit(outcome)

    def _end_steering(self, words: str = "") -> None:
        """Leave what was said and what came of it as ordinary layers."""
        if self.steer.is_on:
            self.steer.stop()
            self._show_forms(shown=True)
            self.progress.finish(words)
        if self.steer_button.isChecked():
            self.steer_button.setChecked(False)

    def _config(self) -> SegmentConfig:
        return self.more_settings.value().replace(**self.settings.values())

    def _on_progressed(self, progress: "SegmentProgress | Loading") -> None:
        self.progress.show_progress(progress)
        preview: Any = getattr(progress, "preview", None)
        if self._results is not None and preview is not None:
            self._writing.write(self._written(preview))

    def _on_finished(self, outcome: Outcome) -> None:
        self._writing.write(self._written(outcome.result), outcome)

    def _written(self, result: "Segmentation | None") -> Iterator[None]:
        """Write a result or a preview, a layer at each step, and show it as the switches stand."""
        if result is not None and self._results is not None:
            for _ in self._results.steps(result):
                self.switches.refresh()
                yield

    def _end(self, outcome: Outcome) -> None:
        self._run = None
        self._set_running(False)
        if outcome.error is not None:
            self.progress.finish("")
            self.show_error(outcome.error)
        elif outcome.result is not None:
            self.progress.finish(summary(outcome.result, stopped=outcome.stopped))
            if doubts := outcome.result.doubts():
                self.message.show_error(" ".join(doubts))
        else:
            self.progress.finish("Stopped before the first sample.")
        self.run_finished.emit(outcome)

    def _on_image_changed(self) -> None:
        self.model.suggest(self.image.value())
        self._on_input_changed()

    def _on_input_changed(self) -> None:
        layer, entry = self.image.value(), self.model.value()
        if entry is not None:
            self.legend.show_classes(entry.config.class_names, entry.config.class_colors)
        self.legend.setVisible(entry is not None)
        self.reading.show_input(layer, entry.config if entry is not None else None)

    def _set_running(self, running: bool) -> None:
        self.segment_button.setEnabled(not running)
        self.cancel_button.setEnabled(running)

    def _lay_out(self) -> None:
        self.segment_button.setToolTip("Segment the image; a first preview appears after the first sample")
        self.cancel_button.setToolTip("Stop at the next step and keep what is done")
        self.steer_button.setToolTip("Say by clicks what is true of some pixels, and the samples follow")
        self.mean.setToolTip("A hidden layer with the mean probability of the foreground")
        inputs = QWidget()
        form = form_layout(inputs)
        for text, widget in (("Image", self.image), ("Model", self.model)):
            form.addRow(row_label(text), widget)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(self.segment_button, 2)
        buttons.addWidget(self.steer_button, 1)
        buttons.addWidget(self.cancel_button, 1)
        more = Section("More settings", self.more_settings, self.mean)
        self._forms = QWidget()
        column(self._forms, self.reading, _line(), self.settings, more, spacing=8)
        outputs = (self.steer, self.progress, self.message, _line(), self.switches, self.legend)
        self.lay_out(inputs, self._forms, buttons, *outputs, main=self.segment_button)


def _line() -> QFrame:
    line = QFrame()
    line.setFixedHeight(1)
    line.setStyleSheet("background: rgba(128, 128, 128, 80);")
    return line
