"""The Segment widget: choose an image and a model, press Segment, get labels and their uncertainty."""

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error
from qtpy.QtCore import QSize, QTimer, Signal
from qtpy.QtWidgets import QCheckBox, QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from ...config import SegmentConfig
from ...errors import InputError, LDSegError
from ..controls._forms import ConfigForm, form_layout, row_label
from ..controls._message import Message
from ..controls._progress import ProgressView, summary
from ..controls._section import Section
from ..controls._style import let_scroll, style
from ..models._picker import ModelDrops, ModelPicker
from ..threads._segmentation import Engine, Job, Loading, Outcome, Run, engine
from ..viewer._disk_layers import LargeLayers, large_image, result_folder
from ..viewer._layer_picker import ImagePicker
from ..viewer._result_layers import ResultLayers
from ._input_form import ReadingForm
from ._legend import Legend

if TYPE_CHECKING:
    import napari

    from ...inference import SegmentProgress

PART = ("axes", "frames", "region")  # which the reading form asks for
WIDTH = 320
DONE = object()
STYLE = style("ldseg_segment", "segment")

logger = logging.getLogger(__name__)


class SegmentWidget(QWidget):
    """Segment an image layer with a model, in a thread, with a live preview.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    run_engine : callable, optional
        Another engine in place of the real one, for tests.
    """

    run_finished = Signal(object)

    def __init__(self, napari_viewer: "napari.Viewer", run_engine: Engine = engine) -> None:
        super().__init__()
        # napari hands plugins a proxy that wraps each layer anew at each access; here their identity counts.
        napari_viewer = getattr(napari_viewer, "__wrapped__", napari_viewer)
        self._viewer = napari_viewer
        self._engine = run_engine
        self._run: Run | None = None
        self._results: ResultLayers | LargeLayers | None = None
        self._outcome: Outcome | None = None
        self._writing: Iterator[None] = iter(())
        self._writer = QTimer(self)
        self._writer.timeout.connect(self._on_write)
        self.image = ImagePicker(napari_viewer)
        self.model = ModelPicker()
        self.reading = ReadingForm(napari_viewer)
        self.frames = self.reading.frames
        self.settings = ConfigForm(SegmentConfig(), "main")
        self.more_settings = ConfigForm(SegmentConfig(), "more", PART)
        self.mean = QCheckBox("Add the mean probability map")
        self.segment_button = QPushButton("Segment")
        self.cancel_button = QPushButton("Cancel")
        self.progress = ProgressView()
        self.message = Message()
        self.legend = Legend()
        self._lay_out()
        self.image.changed.connect(self._on_image_changed)
        self.model.changed.connect(self._on_input_changed)
        self.model.failed.connect(self.show_error)
        self._drops = ModelDrops(self.model, self)
        self.segment_button.clicked.connect(self.segment)
        self.cancel_button.clicked.connect(self.cancel)
        self._on_image_changed()
        self._set_running(False)

    def sizeHint(self) -> QSize:
        """Return a width that leaves room for the picture; napari makes the dock this wide."""
        return QSize(WIDTH, 640)

    @property
    def is_running(self) -> bool:
        """Whether a run is going on."""
        return self._run is not None

    def segment(self) -> None:
        """Start a run with what the form says; say in words why that cannot be."""
        if self._run is not None:
            self.progress.say("A run is going on; press Cancel first to start another.")
            return
        self.message.clear()
        layer, entry = self.image.value(), self.model.value()
        try:
            if layer is None:
                raise InputError("There is no image layer; open an image, or one of File > Open Sample > LDSeg.")
            if entry is None:
                raise InputError("There is no model; choose one under Model, or a file by Open….")
            source = self.reading.value(checked=True)
            large = large_image(layer, entry.config) if self.reading.is_whole else None
            if large is not None:
                path = result_folder(layer, entry.name)
                job = Job(large, entry.path, self._config(), path)
                self._results = LargeLayers(self._viewer, layer, path, entry)
            else:
                job = Job(source.image, entry.path, self._config())
                self._results = ResultLayers(self._viewer, source, entry.name, mean=self.mean.isChecked())
        except LDSegError as error:
            self.show_error(error)
            return
        self._set_running(True)
        self.progress.start()
        self._run = Run(self._engine, job)
        self._run.progressed.connect(self._on_progressed)
        self._run.finished.connect(self._on_finished)
        # Closing the dock or the viewer stops the thread; signals to a deleted widget are dropped by Qt.
        self.destroyed.connect(self._run.stop)
        self._run.start()

    def cancel(self) -> None:
        """Stop the run at its next step and keep what it has computed."""
        if self._run is not None:
            self._run.stop()
            self.cancel_button.setEnabled(False)
            self.progress.say("Stopping…")

    def show_error(self, error: Exception) -> None:
        """Tell the user, here and as a notification of napari."""
        expected = isinstance(error, LDSegError)
        text = str(error) if expected else f"{type(error).__name__}: {error}"
        if not expected:
            logger.error("unexpected error while segmenting", exc_info=error)
        self.message.show_error(text)
        show_error(text)

    def _config(self) -> SegmentConfig:
        return self.more_settings.value().replace(**self.settings.values())

    def _on_progressed(self, progress: "SegmentProgress | Loading") -> None:
        self.progress.show_progress(progress)
        preview: Any = getattr(progress, "preview", None)
        if self._results is not None and (preview is not None or isinstance(self._results, LargeLayers)):
            self._writing = self._results.steps(preview)
            self._writer.start()

    def _on_finished(self, outcome: Outcome) -> None:
        self._outcome = outcome
        self._writing = iter(())
        if outcome.result is not None and self._results is not None:
            self._writing = self._results.steps(outcome.result)
        self._writer.start()

    def _on_write(self) -> None:
        """Write the next layer; after the last one of a run, end it."""
        if next(self._writing, DONE) is not DONE:
            return
        self._writer.stop()
        if self._outcome is not None:
            outcome, self._outcome = self._outcome, None
            self._end(outcome)

    def _end(self, outcome: Outcome) -> None:
        if self._run is not None:
            self.destroyed.disconnect(self._run.stop)
        self._run = None
        self._set_running(False)
        if outcome.error is not None:
            self.progress.finish("")
            self.show_error(outcome.error)
        elif outcome.result is not None:
            self.progress.finish(summary(outcome.result, stopped=outcome.stopped))
        elif isinstance(self._results, LargeLayers):
            self.progress.finish("Stopped. What was computed is kept on disk; press Segment to go on.")
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
        self.setObjectName("ldseg_segment")
        self.setStyleSheet(STYLE)
        self.segment_button.setObjectName("segment")
        self.cancel_button.setObjectName("cancel")
        inputs = QWidget()
        form = form_layout(inputs)
        for text, widget in (("Image", self.image), ("Model", self.model)):
            form.addRow(row_label(text), widget)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(self.segment_button, 2)
        buttons.addWidget(self.cancel_button, 1)
        more = Section("More settings", self.more_settings, self.mean)
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(10, 10, 10, 10)
        column.setSpacing(10)
        for part in (inputs, self.reading, _line(), self.settings, more):
            column.addWidget(part)
        column.addLayout(buttons)
        for part in (self.progress, self.message, _line(), self.legend):
            column.addWidget(part)
        column.addStretch(1)
        let_scroll(page, self, 300)


def _line() -> QFrame:
    line = QFrame()
    line.setFixedHeight(1)
    line.setStyleSheet("background: rgba(128, 128, 128, 80);")
    return line
