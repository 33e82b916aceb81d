"""Find the objects that an edit of the labels touched."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...measure import Region, grown
from ..viewer._labels_source import Subject

RIM = 2
REACH = 10


class Edits:
    """Compares the labels with their state when the objects were listed.

    Parameters
    ----------
    subject : Subject
    regions : list of Region
    original : integer array
        A copy of ``subject.source.labels`` from that time.
    """

    def __init__(self, subject: Subject, regions: list[Region], original: NDArray[Any]) -> None:
        self._subject, self._regions, self._original = subject, regions, original
        boxes = [[*((f, f + 1) for f in r.frame), *((b.start, b.stop) for b in r.box)] for r in regions]
        self._boxes = np.array(boxes, np.intp).reshape(len(regions), original.ndim, 2) if regions else None

    def touched(self, atoms: list[Any], selected: Region | None) -> list[Region]:
        """Return the objects that an edit touched, that is, with changed pixels inside or at the rim.

        If there is none, the selected object counts if the edit lies near it: it was extended.

        Parameters
        ----------
        atoms : list
            The content of napari's ``paint`` event.
        selected : Region, optional
        """
        box = self._box_of(atoms)
        found = [region for region in self._near(box) if self._changed(region, RIM)]
        if not found and selected is not None and self._changed(selected, REACH, whole=True):
            return [selected]
        return found

    def is_original(self, region: Region) -> bool:
        """Whether an object and its surroundings are unchanged."""
        return not self._changed(region, REACH, whole=True)

    def _box_of(self, atoms: list[Any]) -> NDArray[np.intp] | None:
        """Return the first and last pixel of an edit along each axis; None if napari does not tell."""
        lows, highs = [], []
        for atom in atoms:
            place = getattr(atom, "slice_key", None) or atom[0]
            lows.append([p.start if isinstance(p, slice) else int(np.min(p)) for p in place])
            highs.append([p.stop if isinstance(p, slice) else int(np.max(p)) + 1 for p in place])
        if not lows:
            return None
        axes = list(self._subject.axes)
        return np.stack([np.min(lows, axis=0)[axes], np.max(highs, axis=0)[axes]], axis=-1)

    def _near(self, box: NDArray[np.intp] | None) -> list[Region]:
        """Return the regions whose box overlaps an edit."""
        if self._boxes is None:
            return []
        if box is None:
            return self._regions
        flat = self._original.ndim - 2
        rim = np.where(np.arange(self._original.ndim) >= flat, RIM, 0)
        meets = (self._boxes[..., 0] - rim < box[:, 1]) & (self._boxes[..., 1] + rim > box[:, 0])
        return [self._regions[i] for i in np.flatnonzero(meets.all(axis=1))]

    def _changed(self, region: Region, by: int, *, whole: bool = False) -> bool:
        """Whether any pixel of a grown region, or of its grown box, has changed."""
        box, mask = grown(region, by, self._original.shape[self._original.ndim - region.mask.ndim :])
        index: Any = (*region.frame, *box)
        differs = self._subject.source.labels[index] != self._original[index]
        return bool(differs.any() if whole else differs[mask].any())
