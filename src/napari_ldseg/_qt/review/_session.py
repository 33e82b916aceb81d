"""Hold one review: its objects and decisions, and how they are listed, pasted and saved. It knows no widget."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from napari.layers import Labels
from numpy.typing import NDArray

from ..._util import Progress
from ...config import MeasureConfig
from ...datasets import UNLABELLED
from ...errors import InputError
from ...measure import Measurement, Region, SampleMasks, grown, match, measure_frames, measure_objects
from ...reports import Found, Review, UnkeptError, find_review, fingerprint, match_entries, save_review
from ..viewer._labels_source import Subject
from ._edits import RIM, Edits

Steps = Generator[Progress, None, Any]


@dataclass(frozen=True)
class Listed:
    """The outcome of the thread: the objects of a copy of the labels, and their saved review, if any.

    ``salt`` as in :func:`napari_ldseg.reports._review_store.fingerprint`.
    """

    measurements: list[Measurement]
    original: NDArray[Any]
    fingerprint: str
    found: Found | None
    salt: str = ""


def list_rows(subject: Subject, config: MeasureConfig, *, frames: bool, salt: str = "") -> Steps:
    """Copy the labels, because the user may paint meanwhile, and measure objects or frames. Call it in a thread."""
    original = subject.source.labels.copy()
    source = replace(subject.source, labels=original)
    measurements = yield from (measure_frames if frames else measure_objects)(source, config.replace(shapes=False))
    return Listed(measurements, original, fingerprint(original, salt), find_review(original, salt=salt), salt)


def reviewed_labels(session: "Session") -> tuple[NDArray[Any], Literal["current"] | Sequence[int]]:
    """Return the reviewed labels: a copy of the layer's data, and the frames in which something was reviewed.

    Open and rejected objects, frames or slices become 255, unlabelled, and so does a rim of two pixels around objects,
    because nobody said what is there instead. Everything else stays as it is.

    Raises
    ------
    InputError
        If nothing was accepted or corrected.
    """
    subject, review = session.subject, session.review
    good = [region for region in session.regions if review.state(region.number) in ("accepted", "corrected")]
    if not good:
        raise InputError("Nothing was accepted or corrected yet, so there is nothing to add.")
    data = np.array(subject.layer.data)
    shape = subject.source.labels.shape[-subject.source.ndim :]
    for region in session.regions:
        if review.state(region.number) in ("accepted", "corrected"):
            continue
        box, mask = (region.box, np.ones(region.mask.shape, bool)) if region.label == 0 else grown(region, RIM, shape)
        part = data[subject.index(region.frame, box)]
        part[mask & (np.isin(part, (0, region.label)) if region.label else True)] = UNLABELLED
    frames = sorted({region.frame for region in good})
    if len(frames[0]) > 1:
        raise InputError("There are several frame axes; add the frames one by one with the Train widget.")
    return data, [frame[0] for frame in frames] if frames[0] else "current"


class Session:
    """The review of one labels layer.

    Parameters
    ----------
    subject : Subject
    listed : Listed
    """

    def __init__(self, subject: Subject, listed: Listed) -> None:
        self.subject = subject
        self.measurements = listed.measurements
        self.regions = [one.region for one in listed.measurements]
        self.review = Review()
        self.dirty = False
        self._rows = {region.number: row for row, region in enumerate(self.regions)}
        self._name, self._salt = listed.fingerprint, listed.salt
        self._original = listed.original
        self._steps = _steps(subject.layer)
        self._edits = Edits(subject, self.regions, listed.original)
        if listed.found is not None:
            self._name = listed.found.original
            self.review = match_entries(listed.found, self.regions)

    def row_of(self, region: Region) -> int:
        """Return the row of a region."""
        return self._rows[region.number]

    def set_state(self, row: int, state: Any) -> None:
        """Set the state of a row."""
        self.review.set_state(self.regions[row].number, state)
        self.dirty = True

    def edited(self, atoms: list[Any], selected: int | None) -> list[int]:
        """Return the rows that an edit of the labels set to "corrected"."""
        self._steps, self.dirty = _steps(self.subject.layer), True
        rows = self._correct(atoms, selected)
        # There is something to redo: the edit was undone before it was noticed.
        return [*rows, *self._restore()] if self._steps[1] else rows

    def stepped(self, selected: int | None) -> list[int] | None:
        """Return the rows whose state an undo or a redo changed; None if there was neither.

        napari announces neither: the lengths of its history reveal them.
        """
        layer, (before, _) = self.subject.layer, self._steps
        self._steps = _steps(layer)
        by = self._steps[0] - before
        if by == 0:  # nothing happened, or a stroke has begun, which clears the redo history
            return None
        self.dirty = True
        items = list(layer._undo_history if by > 0 else layer._redo_history)[-abs(by) :]
        atoms = [atom for item in items for atom in item]
        back = self._restore()
        return back + (self._correct(atoms, selected if by > 0 else None, only_to_do=by < 0) if atoms else [])

    def catch_up(self) -> None:
        """Account for what was painted while the rows were being listed."""
        if not np.array_equal(self.subject.source.labels, self._original):
            self.edited([], None)

    def put_back(self, labels: NDArray[Any]) -> int:
        """Restore saved labels as one step of undo, but never over pixels painted since they were listed.

        It returns how many pixels changed.
        """
        here = self.subject.source.labels
        changed = np.nonzero((here != labels) & (here == self._original))
        if len(changed[0]):
            self._write(changed, labels[changed])
            self._steps = _steps(self.subject.layer)
            for region in self.regions:
                if self.review.state(region.number) == "corrected" and not self._edits.is_original(region):
                    self.review.before.setdefault(region.number, "to do")
        return len(changed[0])

    def version(self, row: int, sample: int) -> tuple[tuple[NDArray[np.intp], ...], NDArray[Any]]:
        """Return the indices and values that write a sample's version of an object. Call it in a thread."""
        region, masks = self.regions[row], self.subject.source.masks
        assert masks is not None
        frame = masks.array.ndim - masks.ndim - 1
        one = SampleMasks(masks.array[(slice(None),) * frame + (slice(sample - 1, sample),)], masks.shape, masks.rims)
        peers = [other for other in self.regions if (other.frame, other.label) == (region.frame, region.label)]
        versions = next(v for v in match(peers, one, MeasureConfig().cover) if v.region is region)
        new_box, new_mask = versions.on_image(0, one)
        box = tuple(slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(new_box, region.box, strict=True))
        new = np.zeros(tuple(b.stop - b.start for b in box), bool)
        old = new.copy()
        for canvas, where, what in ((new, new_box, new_mask), (old, region.box, region.mask)):
            canvas[tuple(slice(w.start - b.start, w.stop - b.start) for w, b in zip(where, box, strict=True))] = what
        values = one.labels(region.frame, 0, box)
        # Other classes of the sample are written, too; neighbours of the same class stay untouched.
        values = np.where(new, region.label, np.where(values == region.label, 0, values))
        inside = np.nonzero(new | old)
        places = [*region.frame, *(at + b.start for at, b in zip(inside, box, strict=True))]
        return tuple(np.broadcast_to(np.asarray(place), inside[0].shape) for place in places), values[inside]

    def paste(self, version: tuple[tuple[NDArray[np.intp], ...], NDArray[Any]]) -> bool:
        """Write the result of :meth:`version` into the labels as one step of undo; return whether a pixel changed."""
        places, values = version
        differs = self.subject.source.labels[places] != values
        if differs.any():
            self._write(tuple(place[differs] for place in places), values[differs])
        return bool(differs.any())

    def save(self) -> None:
        """Write the review to disk.

        Raises
        ------
        InputError
            If writing fails; the review stays unsaved then.
        UnkeptError
            If the edits cannot be saved in any format.
        """
        self.dirty = False
        labels = self.subject.source.labels.copy()
        frames = labels.ndim - self.subject.source.ndim
        axes = "tps"[:frames] + "zyx"[-self.subject.source.ndim :]
        try:
            save_review(self.review, self.regions, self._name, labels, axes, salt=self._salt)
        except UnkeptError:
            raise
        except Exception:
            self.dirty = True
            raise

    def _correct(self, atoms: list[Any], selected: int | None, *, only_to_do: bool = False) -> list[int]:
        """Return the rows that changed pixels set to "corrected"."""
        region = None if selected is None else self.regions[selected]
        touched = self._edits.touched(atoms, region)
        if only_to_do:
            touched = [one for one in touched if self.review.state(one.number) == "to do"]
        return [self.row_of(one) for one in touched if self.review.correct(one.number)]

    def _restore(self) -> list[int]:
        """Return the rows whose edit was undone and which are back in their earlier state."""
        rows = [self._rows[number] for number in list(self.review.before)]
        back = [row for row in rows if self._edits.is_original(self.regions[row])]
        return [row for row in back if self.review.restore(self.regions[row].number)]

    def _write(self, places: tuple[NDArray[np.intp], ...], values: NDArray[Any]) -> None:
        layer = self.subject.layer
        index: list[NDArray[np.intp]] = [np.zeros(len(values), np.intp)] * layer.ndim
        for axis, place in zip(self.subject.axes, places, strict=True):
            index[axis] = place
        layer.data_setitem(tuple(index), values.astype(layer.data.dtype))


def _steps(layer: Labels) -> tuple[int, int]:
    """Return how many steps can be undone and redone."""
    return len(layer._undo_history), len(layer._redo_history)
