"""The Measure widget lists all objects with error bars, and saves tables and reports."""

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image, Labels
from qtpy.QtCore import QModelIndex, Signal
from qtpy.QtWidgets import QFileDialog

from ..._util import Progress
from ...annotations import read_drawn
from ...config import MeasureConfig
from ...errors import InputError, LDSegError
from ...measure import measure_objects
from ...reports import Report, Table, find_review, match_entries, name_cores, table, write_report
from .._tool import ToolWidget
from ..controls._forms import ConfigForm
from ..controls._layout import button, check_box, form, row
from ..controls._section import Section
from ..controls._table import Column, RowModel, RowView, number
from ..threads._background import Done, Task
from ..viewer._extra_layers import objects_layer
from ..viewer._labels_source import Subject, read_subject
from ..viewer._layer_picker import LayerPicker
from ..viewer._navigate import add_unselected, show_region

if TYPE_CHECKING:
    import napari

FILTER = ";;".join(
    (
        "Table (*.csv)",
        "QuPath objects (*.geojson)",
        "QuPath objects, packed (*.geojson.gz)",
        "ImageJ ROIs (*.zip)",
        "COCO (*.json)",
        "Report (*.html)",
    )
)
Made = tuple[Report, Table]


def make_report(subject: Subject, config: MeasureConfig, name: str) -> Generator[Progress, None, Made]:
    """Measure a copy of the labels, because the user may paint meanwhile. Call it in a thread: it reads lazy images."""
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
        {} if subject.class_colors else {k: subject.class_color(k) for k in {one.region.label for one in measurements}},
    )
    return report, table(report, symbols=True)


class MeasureWidget(ToolWidget):
    """Measure the objects of a labels layer.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    NAME, DOING, SIZE = "measure", "measuring", (410, 640)
    measured = Signal()
    saved = Signal()

    def __init__(self, napari_viewer: "napari.Viewer") -> None:
        super().__init__(napari_viewer)
        self._subject: Subject | None = None
        self.report: Report | None = None
        self.labels = LayerPicker(self._viewer, Labels, "The labels whose objects are measured")
        self.image = LayerPicker(self._viewer, Image, "Its intensities are measured if it has the labels' grid")
        self.settings = ConfigForm(MeasureConfig(), "main")
        self.more_settings = ConfigForm(MeasureConfig(), "more")
        self.volume = check_box(
            "The last three axes are a volume",
            "Measure objects in 3D; otherwise each slice or frame is measured on its own",
        )
        tip = "Measure all objects; with uncertainty if they were segmented in this session"
        self.measure_button = button("Measure", tip, self.measure)
        tip = "Add a labels layer that numbers the objects, with this table as its features"
        self.layer_button = button("Add as layer", tip, self.add_layer)
        tip = "Read the TMA cores of QuPath (GeoJSON), and say of each object in which core it lies"
        self.cores_button = button("Cores…", tip, self._on_cores)
        tip = "Save a table (.csv), a report (.html), or outlines: QuPath (.geojson), ImageJ (.zip), COCO (.json)"
        self.save_button = button("Save…", tip, self._on_save)
        self.model = RowModel(self)
        self.table = RowView(self.model)
        self._lay_out()
        self.labels.changed.connect(self._on_labels)
        self.table.selectionModel().currentRowChanged.connect(self._on_row)
        self.forget_on(self.labels.changed, self.image.changed)
        self._on_labels()

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
        self.compute(
            lambda: make_report(subject, config, name), lambda made: self._on_measured(subject, made), "Measuring"
        )

    def add_layer(self) -> None:
        """Add a labels layer that numbers the objects, with the table as its features."""
        report, subject = self.report, self._subject
        if report is None or subject is None:
            self.show_error(InputError("There is nothing to add yet; press Measure first."))
            return
        numbers = np.zeros(subject.layer.data.shape, np.int32)
        for one in report.measurements:
            numbers[subject.index(one.region.frame, one.region.box)][one.region.mask] = one.region.number
        found = table(report, symbols=True)
        add_unselected(self._viewer, objects_layer(subject.layer, numbers, found.rows, found.columns))

    def save(self, path: Path) -> None:
        """Write the table, the report or the outlines, as the suffix says (:func:`write_report`), in a thread."""
        report = self.report
        if report is None:
            self.show_error(InputError("There is nothing to save yet; press Measure first."))
            return

        task = Task(lambda: write_report(report, path))
        task.inform(self, lambda done: self._on_saved(path, done))
        task.start()

    def read_cores(self, path: Path) -> None:
        """Name the core of each object from a file of QuPath, in a thread."""
        report = self.report
        if report is None:
            self.show_error(InputError("There are no objects yet; press Measure first."))
            return
        task = Task(lambda: name_cores(report, read_drawn(path)))
        task.inform(self, self._on_named)
        task.start()

    def _on_cores(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, "Open TMA cores", str(Path.home()), "QuPath (*.geojson *.geojson.gz)"
        )
        if path:
            self.read_cores(Path(path))

    def _on_named(self, done: Done) -> None:
        if done.error is not None:
            self.show_error(done.error)
        elif self._subject is not None:
            self._on_measured(self._subject, (done.value, table(done.value, symbols=True)))

    def _on_measured(self, subject: Subject, made: Made) -> None:
        (report, found), self._subject = made, subject
        self.report = report
        texts = {"class", "core", "review"}
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
        show_region(self._viewer, self._subject, region)

    def _on_save(self) -> None:
        name = str(Path.home() / f"{self.report.name if self.report else 'objects'}.csv")
        path, chosen = QFileDialog.getSaveFileName(self, "Save measurements", name, FILTER)
        if path:
            suffix = chosen.split("*")[-1].rstrip(")")
            self.save(Path(path) if Path(path).suffix else Path(path + suffix))

    def _on_saved(self, path: Path, done: Done) -> None:
        if done.error is not None:
            self.show_error(done.error)
        else:
            self.progress.say(f"Saved {path}.")
        self.saved.emit()

    def _on_labels(self) -> None:
        layer = self.labels.value()
        self.volume.setVisible(layer is not None and layer.ndim > 2)

    def _lay_out(self) -> None:
        top = form(("Labels", self.labels), ("Image", self.image))
        more = Section("More settings", self.more_settings)
        parts = (top, self.settings, self.volume, more, self.measure_button, self.progress, self.message)
        self.lay_out(
            *parts,
            self.table,
            row(self.layer_button, self.cores_button, self.save_button),
            main=self.measure_button,
            grow=self.table,
        )


def _summary(report: Report) -> str:
    count = len(report.measurements)
    words = f"{count} object{'s' * (count != 1)}"
    if report.source.masks is None:
        return f"{words}. There are no samples, so there are no error bars: press Segment in this session first."
    return f"{words}; SD and {report.config.interval:.0%} interval over {report.source.masks.count} samples."
