"""The Measure widget: a table of all objects with error bars, and the files that are made of it."""

import logging
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from napari.layers import Labels
from napari.utils.notifications import show_error
from qtpy.QtCore import QModelIndex, QSize, Signal
from qtpy.QtWidgets import QCheckBox, QFileDialog, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from ..._util import Progress
from ...config import MeasureConfig
from ...errors import InputError, LDSegError
from ...measure import measure_objects
from ...reports import Report, Table, find_review, match_entries, table, write_report
from ..controls._forms import ConfigForm, form_layout, row_label
from ..controls._message import Message
from ..controls._progress import ProgressView
from ..controls._section import Section
from ..controls._style import style
from ..controls._table import Column, RowModel, RowView, number
from ..threads._background import Done, Steps, Task
from ..viewer._from_layers import place_on
from ..viewer._labels_source import Subject, read_subject
from ..viewer._layer_picker import ImagePicker, LabelsPicker
from ..viewer._navigate import add_unselected, go_to, outline

if TYPE_CHECKING:
    import napari

WIDTH = 410
FILTER = "Table (*.csv);;QuPath objects (*.geojson);;Report (*.html)"
STYLE = style("ldseg_measure", "measure")
logger = logging.getLogger(__name__)


Made = tuple[Report, Table]


def make_report(subject: Subject, config: MeasureConfig, name: str) -> Generator[Progress, None, Made]:
    """Measure a copy of the labels, which may be painted meanwhile; meant for a thread, for it reads lazy images."""
    source = replace(subject.source, labels=subject.source.labels.copy())
    if source.image is not None:
        source = replace(source, image=np.asarray(source.image))
    measurements = yield from measure_objects(source, config)
    found = find_review(source.labels)
    review = match_entries(found, [one.region for one in measurements]) if found is not None else None
    report = Report(
        source,
        measurements,
        config,
        name,
        subject.unit,
        subject.class_names,
        subject.class_colors,
        subject.provenance,
        dict(review.states) if review is not None else {},
    )
    return report, table(report, symbols=True)


class MeasureWidget(QWidget):
    """Measure the objects of a labels layer.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    measured = Signal()
    saved = Signal()

    def __init__(self, napari_viewer: "napari.Viewer") -> None:
        super().__init__()
        napari_viewer = getattr(napari_viewer, "__wrapped__", napari_viewer)
        self._viewer = napari_viewer
        self._work: Steps | None = None
        self._turn = 0
        self._subject: Subject | None = None
        self.report: Report | None = None
        self.labels = LabelsPicker(napari_viewer)
        self.image = ImagePicker(napari_viewer)
        self.settings = ConfigForm(MeasureConfig(), "main")
        self.more_settings = ConfigForm(MeasureConfig(), "more")
        self.volume = QCheckBox("The last three axes are a volume")
        self.measure_button = QPushButton("Measure")
        self.layer_button = QPushButton("Add as layer")
        self.save_button = QPushButton("Save…")
        self.progress = ProgressView()
        self.message = Message()
        self.model = RowModel(self)
        self.table = RowView(self.model)
        self._lay_out()
        self.measure_button.clicked.connect(self.measure)
        self.layer_button.clicked.connect(self.add_layer)
        self.save_button.clicked.connect(self._on_save)
        self.labels.changed.connect(self._on_labels)
        self.table.selectionModel().currentRowChanged.connect(self._on_row)
        self._on_labels()

    def sizeHint(self) -> QSize:
        """Return a width that leaves room for the picture; napari makes the dock this wide."""
        return QSize(WIDTH, 640)

    def measure(self) -> None:
        """Measure the chosen labels, in a thread."""
        self.message.clear()
        layer, image = self.labels.value(), self.image.value()
        try:
            if layer is None:
                raise InputError("There is no labels layer; press Segment first, or open a label mask.")
            config = self.more_settings.value().replace(**self.settings.values())
            subject = read_subject(self._viewer, layer, volume=self.volume.isChecked(), image=image)
        except LDSegError as error:
            self.show_error(error)
            return
        name = image.name if image is not None and subject.source.image is not None else layer.name
        if self._work is not None:
            self._work.stop()
        self._work = work = Steps(lambda: make_report(subject, config, name))
        self._turn = turn = self._turn + 1
        work.progressed.connect(self.progress.show_progress)
        work.inform(self, lambda done: self._on_measured(turn, subject, done.value, done.error))
        self.destroyed.connect(work.stop)
        self.progress.start()
        self.progress.say("Measuring")
        work.start()

    def add_layer(self) -> None:
        """Add a labels layer with a number for each object, and the table as its features."""
        report, subject = self.report, self._subject
        if report is None or subject is None:
            self.show_error(InputError("There is nothing to add yet; press Measure first."))
            return
        numbers = np.zeros(subject.layer.data.shape, np.int32)
        for one in report.measurements:
            numbers[subject.index(one.region.frame, one.region.box)][one.region.mask] = one.region.number
        found = table(report, symbols=True)
        features = pd.DataFrame(found.rows, columns=found.columns)
        features.insert(0, "index", features["object"])
        layer = subject.layer
        where = place_on(layer)
        add_unselected(self._viewer, Labels(numbers, name=f"{layer.name} objects", features=features, **where))

    def save(self, path: Path) -> None:
        """Write the table (.csv), the objects for QuPath (.geojson) or the report (.html), in a thread."""
        report = self.report
        if report is None:
            self.show_error(InputError("There is nothing to save yet; press Measure first."))
            return

        def writing() -> Path:
            write_report(report, path)
            return path

        work = Task(writing)
        work.finished.connect(self._on_saved)
        work.start()

    def show_error(self, error: Exception) -> None:
        """Tell the user, here and as a notification of napari."""
        expected = isinstance(error, LDSegError)
        text = str(error) if expected else f"{type(error).__name__}: {error}"
        if not expected:
            logger.error("unexpected error while measuring", exc_info=error)
        self.message.show_error(text)
        show_error(text)

    def _on_measured(self, turn: int, subject: Subject, made: Made | None, error: Exception | None) -> None:
        if turn != self._turn:
            return  # another measurement was asked for meanwhile
        self._work = None
        self.progress.finish("")
        if error is not None:
            self.show_error(error)
            return
        if made is None:
            return
        (report, found), self._subject = made, subject
        self.report = report
        texts = {"class", "review"}
        whole = {"object", "z", "y", "x"}
        columns = [
            Column(
                name[0].upper() + name[1:],
                [row[i] if name in texts | whole else float(row[i]) for row in found.rows],
                str if name in texts | whole else number,
                left=name == "object",
            )
            for i, name in enumerate(found.columns)
        ]
        self.model.set_columns(columns)
        self.table.fit()
        self.progress.say(_summary(report))
        self.measured.emit()

    def _on_row(self, current: QModelIndex, before: QModelIndex) -> None:
        del before
        if self.report is None or self._subject is None or not current.isValid():
            return
        region = self.report.measurements[self.model.row_at(current.row())].region
        if self._subject.layer in self._viewer.layers:
            go_to(self._viewer, self._subject, region)
            outline(self._viewer, self._subject, region)

    def _on_save(self) -> None:
        name = str(Path.home() / f"{self.report.name if self.report else 'objects'}.csv")
        path, chosen = QFileDialog.getSaveFileName(self, "Save measurements", name, FILTER)
        if path:
            suffix = chosen.split("*")[-1].rstrip(")")
            self.save(Path(path) if Path(path).suffix else Path(path + suffix))

    def _on_saved(self, done: Done) -> None:
        if done.error is not None:
            self.show_error(done.error)
        else:
            self.progress.say(f"Saved {done.value}.")
        self.saved.emit()

    def _on_labels(self) -> None:
        layer = self.labels.value()
        self.volume.setVisible(layer is not None and layer.ndim > 2)

    def _lay_out(self) -> None:
        self.setObjectName("ldseg_measure")
        self.setStyleSheet(STYLE)
        self.measure_button.setObjectName("measure")
        self.image.setToolTip("Its intensities are measured where it lies on the labels' grid")
        self.layer_button.setToolTip("A labels layer with a number for each object, and this table as its features")
        self.save_button.setToolTip("As a table (.csv), for QuPath (.geojson), or as a page with pictures (.html)")
        form = form_layout(top := QWidget())
        form.addRow(row_label("Labels"), self.labels)
        form.addRow(row_label("Image"), self.image)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 10, 10, 10)
        column.setSpacing(8)
        more = Section("More settings", self.more_settings)
        for part in (top, self.settings, self.volume, more, self.measure_button, self.progress, self.message):
            column.addWidget(part)
        column.addWidget(self.table, 1)
        row = QHBoxLayout()
        row.setSpacing(6)
        for button in (self.layer_button, self.save_button):
            row.addWidget(button)
        column.addLayout(row)


def _summary(report: Report) -> str:
    count = len(report.measurements)
    words = f"{count} object{'s' * (count != 1)}"
    if report.source.masks is None:
        return f"{words}. There are no samples, so there are no error bars: press Segment in this session first."
    return f"{words}; SD and {report.config.interval:.0%} interval over {report.source.masks.count} samples."
