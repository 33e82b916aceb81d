"""The Review widget lists objects, the most uncertain first, and leads the viewer from one to the next."""

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QModelIndex, Qt, QTimer, Signal
from qtpy.QtGui import QHideEvent
from qtpy.QtWidgets import QWidget

from ...config import MeasureConfig, Ranking
from ...errors import InputError, LDSegError
from ...measure import usable_ranking
from ...reports import State
from .._tool import ToolWidget
from ..controls._message import error_text
from ..threads._background import Done, Task
from ..training_set._annotations import read_annotations
from ..viewer._labels_source import Subject, image_layer, image_name, is_of, read_subject
from ..viewer._navigate import outline, show_region
from ..viewer._units import on_layer
from ._columns import SCORE, STATE, columns
from ._page import ReviewPage
from ._session import Listed, Session, list_rows, reviewed_labels

if TYPE_CHECKING:
    import napari
    from napari.layers import Labels

AUTOSAVE = 800
RETRY = 5_000


class ReviewWidget(ToolWidget):
    """Review the objects, frames or slices of a labels layer, ranked by uncertainty.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    NAME, DOING, SIZE = "review", "reviewing", (410, 700)
    listed = Signal()
    saved = Signal()

    def __init__(self, napari_viewer: "napari.Viewer") -> None:
        super().__init__(napari_viewer)
        self.session: Session | None = None
        self._saving: Task | None = None
        self._atoms: list[Any] = []
        self._refused = ""
        self.page = ReviewPage(self._viewer, self)
        page = self.page
        self._autosave = _timer(self, AUTOSAVE, self._on_autosave)
        self._retry = _timer(self, RETRY, self._on_autosave)
        # napari announces an edit before it makes it.
        self._noticing = _timer(self, 0, self._on_edited)
        page.list_requested.connect(self.list_rows)
        page.ranking.activated.connect(self._on_ranking)
        page.table.selectionModel().currentRowChanged.connect(self._on_row)
        page.next_requested.connect(lambda: self.step(1))
        page.previous_requested.connect(lambda: self.step(-1))
        page.state_requested.connect(self.mark)
        page.overlays.paste_requested.connect(self.paste)
        page.teach_requested.connect(self.teach)
        page.labels.changed.connect(self.message.clear)
        removed = self._viewer.layers.events.removed
        removed.connect(self._on_removed)
        self.destroyed.connect(lambda: removed.disconnect(self._on_removed))

    @property
    def row(self) -> int | None:
        """The selected row, in the order as listed."""
        index = self.page.table.currentIndex()
        return self.page.model.row_at(index.row()) if index.isValid() and self.session is not None else None

    def list_rows(self) -> None:
        """Find and rank the objects of the chosen labels, in a thread."""
        self.page.message.clear()
        self._refused = ""
        self.flush()
        layer = self.page.labels.value()
        try:
            if layer is None:
                raise InputError("There is no labels layer; press Segment first, or open a label mask.")
            subject = read_subject(self._viewer, layer, volume=self.page.volume.isChecked())
        except LDSegError as error:
            self.show_error(error)
            return
        self._leave()
        frames = self.page.rows.currentIndex() == 1
        config, salt = MeasureConfig(shapes=False), self._salt(layer)
        self.compute(
            lambda: list_rows(subject, config, frames=frames, salt=salt),
            lambda listed: self._on_listed(subject, listed),
            "Listing",
        )

    def step(self, by: int) -> None:
        """Go to the next or the previous line."""
        if self.session is not None and self.session.regions:
            line = self.page.table.currentIndex().row()
            self.page.select_line(min(max(line + by, 0), len(self.session.regions) - 1))

    def mark(self, state: State) -> None:
        """Accept or reject the selected row, and go to the next open one."""
        if self.session is None or self.row is None:
            return
        self.session.set_state(self.row, state)
        self._show_states([self.row])
        line = self.page.table.currentIndex().row()
        count = len(self.session.regions)
        for ahead in (*range(line + 1, count), *range(line)):
            if self.session.review.state(self.session.regions[self.page.model.row_at(ahead)].number) == "to do":
                self.page.select_line(ahead)
                return
        self.page.say_done()

    def paste(self, sample: int) -> None:
        """Put a sample's version of the selected object into the labels. Ctrl+Z undoes it."""
        session, row = self.session, self.row
        if session is None or row is None or session.regions[row].label == 0 or sample == 0:
            self.page.message.show_error("Select an object in the list and a sample to take it from.")
            return
        self.page.message.clear()
        task = Task(lambda: session.version(row, sample))
        task.inform(self, lambda done: self._on_version(session, done))
        task.start()

    def teach(self) -> None:
        """Add accepted and corrected objects to the training set. The rest counts as unlabelled."""
        form = self.page.add
        form.message.clear()
        try:
            image = form.image.value()
            if self.session is None:
                raise InputError("Press List first, then accept or correct the objects to learn from.")
            if image is None:
                raise InputError("There is no image layer that the labels belong to.")
            layer, ndim = self.session.subject.layer, self.session.subject.source.ndim
            if not is_of(layer, image):
                raise InputError(
                    f"The labels {layer.name!r} were made from the image {image_name(layer)!r}, but {image.name!r} is "
                    "chosen; choose that one under Image, or add them to another image with the Train widget."
                )
            data, frames = reviewed_labels(self.session)
            group = form.group.text().strip()
            point = on_layer(self._viewer, image, self._viewer.dims.point)[0]
            form.write(read_annotations(image, layer, ndim, frames, point, group=group, data=data))
        except LDSegError as error:
            form.message.show_error(str(error))

    def flush(self) -> None:
        """Save all unsaved changes now."""
        if self._noticing.isActive():
            self._noticing.stop()
            self._on_edited()
        self._on_step()  # napari does not announce new data of hidden labels
        if self.session is not None and self.session.dirty:
            try:
                self.session.save()
                self._on_kept()
            except LDSegError as error:
                self._on_refused(error)
            self.saved.emit()

    def hideEvent(self, event: QHideEvent) -> None:
        """Save before the dock or the viewer closes."""
        self.flush()
        super().hideEvent(event)

    def _salt(self, layer: "Labels") -> str:
        """Return the salt that tells empty labels from those of other images."""
        image = image_layer(self._viewer, layer) or self.page.add.image.value()
        return repr([(one.name, one.source.path) for one in (layer, image) if one is not None])

    def _on_listed(self, subject: Subject, listed: Listed) -> None:
        if self._is_gone(subject):
            self.listed.emit()
            return
        self.session = session = Session(subject, listed)
        session.catch_up()
        ranking = usable_ranking(listed.measurements, MeasureConfig().ranking)
        self.page.set_rankings(listed.measurements, ranking)
        self.page.show_subject(subject)
        self._fill(ranking)
        words = f"Review of {len(session.review.states)} objects restored." if session.review.states else ""
        if listed.found is not None and listed.found.labels is not None and session.put_back(listed.found.labels):
            words += " The corrected labels were put back; Ctrl+Z undoes that."
        # napari undoes and paints in the selected layer. Labels that were painted meanwhile must be saved, too.
        self._viewer.layers.selection.active = subject.layer
        image = image_layer(self._viewer, subject.layer)
        if image is not None:
            self.page.add.image.setValue(image)
        if session.dirty:
            self._autosave.start()
        subject.layer.events.paint.connect(self._on_paint)
        subject.layer.events.set_data.connect(self._on_data)
        self.page.progress.say(words)
        self.page.select_line(0)
        self.listed.emit()

    def _fill(self, ranking: Ranking) -> None:
        assert self.session is not None
        self.page.model.set_columns(columns(self.session, ranking))
        self.page.table.sortByColumn(SCORE, Qt.SortOrder.DescendingOrder)
        self.page.table.fit()
        self._show_states([])

    def _on_ranking(self) -> None:
        if self.session is not None:
            self._fill(self.page.ranking.currentText())
            self.page.select_line(0)

    def _on_row(self, current: QModelIndex, before: QModelIndex) -> None:
        del before
        if self.session is None or not current.isValid():
            return
        region = self.session.regions[self.page.model.row_at(current.row())]
        show_region(self._viewer, self.session.subject, region)

    def _on_paint(self, event: Any) -> None:
        self._atoms += list(event.value)
        self._noticing.start()

    def _on_edited(self) -> None:
        atoms, self._atoms = self._atoms, []
        if self.session is not None and atoms:
            self._show_states(self.session.edited(atoms, self.row))
            self._autosave.start()

    def _on_data(self, event: Any = None) -> None:
        """React to an undo, which napari announces only as new data, or to a new run."""
        if self.session is not None and not self._is_gone(self.session.subject) and not self._noticing.isActive():
            self._on_step()

    def _on_removed(self, event: Any = None) -> None:
        if self.session is not None:
            self._is_gone(self.session.subject)

    def _is_gone(self, subject: Subject) -> bool:
        """Whether the labels are no longer those that were listed. If so, the review ends with a message."""
        if subject.layer not in self._viewer.layers:
            words = "These labels were removed; their review is kept. Press List to review others."
        elif not np.may_share_memory(subject.layer.data, subject.source.labels):
            words = "These labels were replaced; press List again."
        else:
            return False
        self.flush()
        self._leave()
        self.page.progress.say(words)
        return True

    def _on_step(self) -> None:
        """Handle an undo or a redo, if there was one."""
        rows = self.session.stepped(self.row) if self.session is not None else None
        if rows is not None:
            self._show_states(rows)
            self._autosave.start()

    def _on_version(self, session: Session, done: Done) -> None:
        if done.error is not None:
            self.show_error(done.error)
        elif session is self.session and not session.paste(done.value):
            self.page.progress.say("The labels already hold this sample's version of the object.")

    def _show_states(self, rows: list[int]) -> None:
        assert self.session is not None
        for row in rows:
            number = self.session.regions[row].number
            self.page.model.set_value(row, STATE, self.session.review.state(number))
        if rows:
            self._autosave.start()
        self.page.count(self.session.review, len(self.session.regions))

    def _on_autosave(self) -> None:
        session = self.session
        if session is None or not session.dirty:
            return
        if self._saving is not None:
            self._autosave.start()
            return
        self._saving = Task(session.save)
        self._saving.finished.connect(self._on_saved)
        self._saving.start()

    def _on_saved(self, done: Done) -> None:
        self._saving = None
        if done.error is not None:
            self._on_refused(done.error)
        else:
            self._on_kept()
        self.saved.emit()

    def _on_kept(self) -> None:
        """Clear the message about a failed save."""
        if self._refused and self.page.message.text() == self._refused:
            self.page.message.clear()
        self._refused = ""

    def _on_refused(self, error: Exception) -> None:
        """Show once that the review cannot be saved, and try again later."""
        text = error_text(error, "saving a review")
        if text != self._refused:
            self.show_error(error)
        self._refused = text
        if self.session is not None and self.session.dirty:
            self._retry.start()

    def _leave(self) -> None:
        """Release the reviewed labels."""
        if self.session is not None:
            events = self.session.subject.layer.events
            events.paint.disconnect(self._on_paint)
            events.set_data.disconnect(self._on_data)
            outline(self._viewer, self.session.subject, None)
        self.session = None
        self.page.model.set_columns([])
        self.page.counts.clear()
        self.page.show_subject(None)


def _timer(parent: QWidget, milliseconds: int, call: Any) -> QTimer:
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(milliseconds)
    timer.timeout.connect(call)
    return timer
