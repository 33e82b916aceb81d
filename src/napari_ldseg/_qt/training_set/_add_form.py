"""Add an image layer with its labels to a training set, frame by frame."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari.layers import Image, Labels
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QLineEdit, QWidget

from ...annotations import Painted
from ...datasets import UNLABELLED, DuplicateError, TrainingSet, read_nnunet, write_nnunet
from ...errors import InputError, LDSegError
from ..controls._forms import row_label
from ..controls._layout import button, check_box, column, combo_box, form, row
from ..controls._message import Message, WrappedLabel, error_text
from ..threads._background import Done, Task
from ..viewer._drawn_layers import DRAWN_FILTER, paint_file, painted_layer
from ..viewer._from_layers import frame_axes
from ..viewer._layer_picker import LayerPicker
from ..viewer._units import on_layer
from ._annotations import Annotation, Chosen, keep, parse_frames, read_annotations
from ._picker import SetPicker

if TYPE_CHECKING:
    from napari.components import ViewerModel

FRAMES = ("Current frame", "Chosen frames", "All frames")
Model = Callable[[], tuple[int, Sequence[str]]]


class AddForm(QWidget):
    """A form and a button that add to a training set, in a thread.

    Parameters
    ----------
    viewer : ViewerModel
    dataset : SetPicker
        The target.
    model : callable
        Returns the number of the model's axes and its class names, for a new set.
    """

    added = Signal()
    opened = Signal()

    def __init__(self, viewer: "ViewerModel", dataset: SetPicker, model: Model, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer, self._dataset, self._model = viewer, dataset, model
        self._task: Task | None = None
        tip = "The image that the labels belong to; follows the layer selected in the viewer"
        self.image = LayerPicker(viewer, Image, tip)
        self.labels = LayerPicker(viewer, Labels, "The labels, corrected; 255 marks pixels that nobody annotated")
        tip = "Paint annotations of QuPath (GeoJSON), ImageJ (ROIs) or COCO on the image; what they leave out is 255"
        self.open_button = button("From a file…", tip, self._on_open)
        self.frames = combo_box(FRAMES, "The frames of the image to add, each with its labels")
        self.chosen = QLineEdit()
        self.group = QLineEdit()
        tip = "For labels that number objects: all foreground becomes class 1"
        self.foreground = check_box("All labels above 0 are one class", tip)
        tip = "Without this, an image that the set holds with other labels is refused"
        self.replace = check_box("Replace labels that are there already", tip)
        tip = "Copy the image and its labels into the folder of the training set"
        self.button = button("Add to training set", tip, self.add)
        self.count = WrappedLabel()
        self.message = Message()
        self._lay_out()
        self.image.changed.connect(self._on_image)
        self.frames.currentIndexChanged.connect(self._on_image)
        dataset.changed.connect(self.tell)
        dataset.imported.connect(self.import_nnunet)
        dataset.exported.connect(self.export_nnunet)
        self._on_image()
        self.tell()

    @property
    def is_adding(self) -> bool:
        """Whether images are being written."""
        return self._task is not None

    def add(self) -> None:
        """Add the chosen frames, or show why that is not possible."""
        image, labels = self.image.value(), self.labels.value()
        self.message.clear()
        try:
            if image is None or labels is None:
                missing = "image" if image is None else "labels"
                raise InputError(f"There is no {missing} layer; an image and its labels are needed.")
            frames: tuple[Chosen, ...] = ("current", (), "all")
            index = self.frames.currentIndex()
            chosen = parse_frames(self.chosen.text()) if index == 1 and self.chosen.isVisibleTo(self) else frames[index]
            ndim, point = self._model()[0], on_layer(self._viewer, image, self._viewer.dims.point)[0]
            self.write(read_annotations(image, labels, ndim, chosen, point, group=self.group.text().strip()))
        except LDSegError as error:
            self.message.show_error(str(error))

    def write(self, found: list[Annotation]) -> None:
        """Add these frames in a thread."""
        folder, names = self._dataset.value(), tuple(self._model()[1])
        foreground, replace = self.foreground.isChecked(), self.replace.isChecked()
        if foreground:
            names = ("background", "foreground") if len(names) != 2 else names

        def work() -> tuple[int, list[InputError], str]:
            dataset = _open(folder, names)
            refused = keep(dataset, found, foreground=foreground, replace=replace)
            return len(found) - len(refused), refused, _size(dataset)

        self._write(work, f"Adding {_many(len(found), 'image')}…")

    def _write(self, work: Callable[[], tuple[int, list[InputError], str]], text: str) -> None:
        if self._task is not None:
            self.message.show_error("The last images are still being written; wait a moment.")
            return
        self.message.clear()
        self.button.setEnabled(False)
        self.count.setText(text)
        self._task = Task(work)
        self._task.finished.connect(self._on_written)
        self._task.start()

    def open_drawn(self, path: Path) -> None:
        """Add a labels layer of the annotations in a file, on the chosen image. A thread reads and paints them."""
        image = self.image.value()
        self.message.clear()
        if image is None:
            self.message.show_error("There is no image layer that the annotations belong to; open the image first.")
            return
        folder = self._dataset.value()

        def work() -> Painted:
            names = TrainingSet(folder).class_names if (folder / "index.jsonl").exists() else None
            return paint_file(path, image, names, UNLABELLED)

        task = Task(work)
        task.inform(self, lambda done: self._on_opened(path, image, done))
        task.start()

    def import_nnunet(self, source: Path) -> None:
        """Add all cases of an nnU-Net data set to the training set, in a thread."""
        folder = self._dataset.value()

        def work() -> tuple[int, list[InputError], str]:
            outcomes = [outcome for _, outcome in read_nnunet(source, folder)]
            refused = [outcome for outcome in outcomes if isinstance(outcome, InputError)]
            return len(outcomes) - len(refused), refused, _size(TrainingSet(folder))

        self._write(work, f"Importing {source.name}…")

    def export_nnunet(self, target: Path) -> None:
        """Write the training set as a new data set of nnU-Net, in a thread."""
        folder = self._dataset.value()
        self.message.clear()

        def work() -> str:
            cases = write_nnunet(TrainingSet(folder), target, target.name.split("_", 1)[-1])
            return f"{_many(len(cases), 'case')} written to {target}. {_size(TrainingSet(folder))}"

        def end(done: Done) -> None:
            if done.error is not None:
                self.message.show_error(error_text(done.error, "exporting a training set"))
            else:
                self.count.setText(str(done.value))

        self.count.setText(f"Exporting to {target.name}…")
        task = Task(work)
        task.inform(self, end)
        task.start()

    def tell(self) -> None:
        """Show what the training set holds. A thread reads it, because the disk may be slow."""
        folder = self._dataset.value()
        task = Task(lambda: _size(TrainingSet(folder)) if (folder / "index.jsonl").exists() else "A new training set.")
        task.inform(self, lambda done: self.count.setText(done.value if done.error is None else str(done.error)))
        task.start()

    def _on_open(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Open annotations", str(Path.home()), DRAWN_FILTER)
        if path:
            self.open_drawn(Path(path))

    def _on_opened(self, path: Path, image: Image, done: Done) -> None:
        if done.error is not None:
            self.message.show_error(error_text(done.error, "reading annotations"))
            return
        layer = painted_layer(done.value, path, image)
        self._viewer.add_layer(layer)
        self.labels.setValue(layer)
        self.count.setText(" ".join((f"Painted {', '.join(done.value.class_names[1:])}.", *done.value.notes)))
        self.opened.emit()

    def _on_written(self, done: Done) -> None:
        self._task = None
        self.button.setEnabled(True)
        if done.error is not None:
            self.message.show_error(error_text(done.error, "adding to a training set"))
            self.tell()
        else:
            number, refused, size = done.value
            self.count.setText(f"Added {_many(number, 'image')}. {size}")
            if refused:
                twice = sum(isinstance(error, DuplicateError) for error in refused)
                first = f"{refused[0]}" + (f" (and {len(refused) - 1} more)" if len(refused) > 1 else "")
                what = "was there already" if twice == 1 else "were there already"
                self.message.show_error(f"{twice} {what}. {first}" if twice and len(refused) > 1 else first)
        self.added.emit()

    def _on_image(self) -> None:
        image = self.image.value()
        deep = image is not None and bool(frame_axes(image, self._model()[0]))
        for widget in (self.frames, self._frames_label):
            widget.setVisible(deep)
        for widget in (self.chosen, self._chosen_label):
            widget.setVisible(deep and self.frames.currentIndex() == 1)

    def hide_sources(self) -> None:
        """Hide the choice of labels and frames, which another widget makes."""
        for widget in (self.labels, self.open_button, self._labels_label, self.frames, self._frames_label, self.button):
            widget.hide()
        self.image.changed.disconnect(self._on_image)

    def _lay_out(self) -> None:
        self.button.setObjectName("add")
        self.chosen.setPlaceholderText("0-3, 7")
        self.chosen.setToolTip("Numbers and ranges of frames, counted from 0 as on the viewer's slider")
        self.group.setPlaceholderText("the image")
        self.group.setToolTip("Patient or source: a group is never split between training and validation")
        self._labels_label, self._frames_label, self._chosen_label = map(row_label, ("Labels", "Frames", "Which"))
        fields = form(
            ("Image", self.image),
            (self._labels_label, row((self.labels, 1), self.open_button)),
            (self._frames_label, self.frames),
            (self._chosen_label, self.chosen),
            ("Patient", self.group),
        )
        column(self, fields, self.foreground, self.replace, self.button, self.count, self.message)


def _open(folder: Path, class_names: Sequence[str]) -> TrainingSet:
    return TrainingSet(folder) if (folder / "index.jsonl").exists() else TrainingSet.create(folder, class_names)


def _size(dataset: TrainingSet) -> str:
    entries = dataset.entries()
    groups = len({entry.group for entry in entries})
    return f"The training set has {_many(len(entries), 'image')} of {_many(groups, 'source')}."


def _many(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
