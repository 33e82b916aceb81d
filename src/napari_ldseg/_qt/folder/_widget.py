"""The Segment folder widget segments many files and ranks them by how much they need a look."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QModelIndex, Signal
from qtpy.QtWidgets import QFileDialog, QLineEdit

from ..._util import Progress
from ...batch import Batch, BatchReport, Update
from ...checkpoints import ModelEntry
from ...config import BatchConfig, PartConfig, SegmentConfig
from ...data import find_images, shortlist, stem
from ...errors import InputError, LDSegError
from .._tool import ToolWidget
from ..controls._forms import ConfigForm
from ..controls._layout import button, form, row
from ..controls._message import WrappedLabel
from ..controls._section import Section
from ..models._library_dialog import serve
from ..models._picker import ModelPicker
from ..threads._background import Done, Steps, Task
from ..viewer._file_layers import read_row, show_row
from ._run import Order, Planned, finished_outputs, segment_order
from ._table import FolderTable

if TYPE_CHECKING:
    import napari

LISTED = 40
TABLE_HEIGHT = 160


class FolderWidget(ToolWidget):
    """Segment the images of a folder into files.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    NAME, DOING, SIZE = "folder", "segmenting a folder", (420, 700)
    run_finished = Signal(object)
    opened = Signal(object)
    _run: Steps | None

    def __init__(self, napari_viewer: "napari.Viewer") -> None:
        super().__init__(napari_viewer)
        self._batch: Batch | None = None
        self._entry: ModelEntry | None = None
        self._reasons: dict[int, str] = {}
        self._opening: Task | None = None
        self._proposed = ""
        self.inputs: tuple[Path, ...] = ()
        self.input_line, self.found = QLineEdit(), WrappedLabel()
        self.folder_button = button("Folder…", "Segment all images of a folder", self._on_choose)
        self.files_button = button("Files…", "Segment single files", self._on_choose)
        self.out_line = QLineEdit()
        self.out_button = button("Choose…", "Choose the folder for the results", self._on_choose)
        self.model = ModelPicker()
        self.settings = ConfigForm(SegmentConfig(), "main")
        self.more_settings, self.part = ConfigForm(SegmentConfig(), "more"), ConfigForm(PartConfig(), "more")
        self.outputs = ConfigForm(BatchConfig(), "main")
        self.more_outputs = ConfigForm(BatchConfig(), "more")
        tip = "Segment the images that are not done yet; earlier results are kept"
        self.start_button = button("Start", tip, self.start)
        self.pause_button = button("Pause", "Pause at the next step, or continue", self.pause)
        self.cancel_button = button("Cancel", "Stop at the next step and keep finished images", self.cancel)
        self.table = FolderTable()
        self._lay_out()
        self.table.doubleClicked.connect(self._on_double_clicked)
        serve(self.model, self)
        self.forget_on(self.model.changed, self.input_line.textChanged)
        self._set_running(False)

    def set_inputs(self, paths: Sequence[Path]) -> None:
        """Choose a folder or files. An output folder beside them is proposed unless one was chosen."""
        self.inputs = tuple(paths)
        self.input_line.setText(str(paths[0]) if len(paths) == 1 else f"{len(paths)} files in {paths[0].parent}")
        first = paths[0]
        if self.out_line.text() in ("", self._proposed):
            beside = first if first.is_dir() else first.parent
            self._proposed = str(beside.with_name(f"{stem(first)}_segmented"))
            self.out_line.setText(self._proposed)
        self.found.setText("Looking for images…")
        inputs = self.inputs
        task = Task(lambda: find_images(inputs))
        task.inform(self, lambda done: self._on_found(inputs, done))
        task.start()

    def start(self) -> None:
        """Compare with earlier results and segment the rest, or show why that is not possible."""
        if self._run is not None:
            return
        self.message.clear()
        try:
            order = self._order()
        except LDSegError as error:
            self.show_error(error)
            return
        self._reasons = {}
        self._set_running(True)
        self.progress.start()
        self.progress.say("Comparing with what is done")
        run = Steps(lambda: segment_order(order))
        run.progressed.connect(self._on_progressed)
        self.follow(run, self._on_finished)

    def pause(self) -> None:
        """Pause at the next step; pressed again, continue."""
        if self._run is not None:
            self._run.pause(not self._run.paused)
            self.pause_button.setText("Go on" if self._run.paused else "Pause")
            if self._run.paused:
                self.progress.say("Paused")

    def cancel(self) -> None:
        """Stop at the next step. Finished images stay, and Start continues with the rest."""
        if self._run is not None:
            self._run.stop()
            self.cancel_button.setEnabled(False)
            self.progress.say("Stopping…")

    def open_row(self, row: int) -> None:
        """Show an image with its labels and SD map if it is done, or why it failed."""
        if self._batch is None or self._entry is None or self._opening is not None:
            return
        task = self._batch.items[row].task
        if row in self._reasons:
            self.message.show_error(f"{task.image.name}: {self._reasons[row]}")
            return
        outputs = finished_outputs(task)
        if not outputs:
            self.progress.say(f"{task.image.name} is not segmented yet.")
            return
        self._opening = Task(lambda: read_row(task.image, outputs))
        self._opening.inform(self, self._on_opened)
        self._opening.start()

    def _order(self) -> Order:
        entry = self.model.value()
        if not self.inputs:
            raise InputError("No images are chosen; press Folder… or Files….")
        if entry is None:
            raise InputError("There is no model; choose one under Model, or a file by Open….")
        if not self.out_line.text().strip():
            raise InputError("No folder for the results is chosen; press Choose….")
        self._entry = entry
        config = self.more_settings.value().replace(**self.settings.values())
        run = self.more_outputs.value().replace(**self.outputs.values())
        return Order(self.inputs, entry.path, Path(self.out_line.text().strip()), config, run, self.part.value())

    def _on_progressed(self, progress: Progress) -> None:
        if isinstance(progress, Planned) and progress.batch is not None:
            self._on_planned(progress.batch)
        elif isinstance(progress, Update):
            self._on_updated(progress)
        else:
            self.progress.show_progress(progress)

    def _on_found(self, inputs: tuple[Path, ...], done: Done) -> None:
        """Show which images Start will segment."""
        if inputs != self.inputs:
            return
        if done.error is not None:
            self.found.setText("")
            self.show_error(done.error)
            return
        names = [path.name for path in done.value]
        self.found.setText(f"{len(names)} image{'s' * (len(names) != 1)}: {shortlist(names, 3)}")
        self.found.setToolTip(shortlist(names, LISTED).replace(", ", "\n"))

    def _on_planned(self, batch: Batch) -> None:
        self._batch = batch
        if self._entry is not None:
            self.table.show_batch(batch, self._entry.config.class_names[1:])
        self._reasons = {index: item.reason for index, item in enumerate(batch.items) if item.state == "blocked"}
        self.progress.bar.show_progress(Progress(len(batch.items) - len(batch.waiting), len(batch.items)))

    def _on_updated(self, update: Update) -> None:
        batch = self._batch
        if batch is None or self._run is None:
            return
        if update.index < 0:
            self.progress.say(update.text)
            return
        if update.state == "failed":
            self._reasons[update.index] = update.text
        self.table.show_update(update)
        done, name = len(batch.items) - update.total + update.done, batch.items[update.index].task.image.name
        self.progress.show_progress(Progress(done, len(batch.items), name))

    def _on_finished(self, done: Done) -> None:
        self._run = None
        self._set_running(False)
        self.table.back_to_waiting()
        report: BatchReport | None = done.value
        if done.error is not None:
            self.progress.finish("")
            self.show_error(done.error)
        elif report is None:
            self.progress.finish("Stopped. Finished images are kept; Start continues with the rest.")
        else:
            self.table.sort_by_urgency()
            count = report.count("done", "earlier")
            self.progress.finish(f"{count} of {len(report.rows)} done. Double-click a row to look at it.")
            if report.failed:
                reasons = [f"{image.name}: {reason}" for image, reason in report.failed.items()]
                self.message.show_error(f"Failed: {shortlist(reasons, 3)}")
        self.run_finished.emit(done)

    def _on_double_clicked(self, index: QModelIndex) -> None:
        self.open_row(self.table.rows.row_at(index.row()))

    def _on_opened(self, done: Done) -> None:
        self._opening = None
        if done.error is not None or self._entry is None:
            self.show_error(done.error or InputError("There is no model; choose one under Model, or a file by Open…."))
            return
        layers = show_row(self._viewer, done.value, self._entry.config)
        self._viewer.layers.selection.active = layers[0]
        self._viewer.reset_view()
        self.opened.emit(layers)

    def _on_choose(self) -> None:
        sender = self.sender()
        home = str(Path.home())
        if sender is self.files_button:
            names = QFileDialog.getOpenFileNames(self, "Images to segment", home)[0]
            if names:
                self.set_inputs([Path(name) for name in names])
            return
        title = "Folder for the results" if sender is self.out_button else "Folder of images"
        name = QFileDialog.getExistingDirectory(self, title, home)
        if name and sender is self.out_button:
            self.out_line.setText(name)
        elif name:
            self.set_inputs([Path(name)])

    def _set_running(self, running: bool) -> None:
        self.start_button.setEnabled(not running)
        self.pause_button.setEnabled(running)
        self.cancel_button.setEnabled(running)
        self.pause_button.setText("Pause")

    def _lay_out(self) -> None:
        self.input_line.setReadOnly(True)
        self.input_line.setPlaceholderText("A folder, or files")
        self.out_line.setPlaceholderText("Folder for the results")
        self.input_line.setToolTip("The images to segment")
        self.out_line.setToolTip("The folder into which the results are written; the images are never changed")
        top = form(
            ("Images", row((self.input_line, 1), self.folder_button, self.files_button)),
            ("", self.found),
            ("Model", self.model),
            ("Results", row((self.out_line, 1), self.out_button)),
        )
        buttons = row(self.start_button, self.pause_button, self.cancel_button)
        more = Section("More settings", self.more_settings, self.part, self.more_outputs)
        self.table.setMinimumHeight(TABLE_HEIGHT)
        parts = (top, self.outputs, self.settings, more, buttons, self.progress, self.message, self.table)
        self.lay_out(*parts, main=self.start_button, grow=self.table)
