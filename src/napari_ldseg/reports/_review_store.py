"""Keep the reviewer's decision on each object on disk, so that it outlives the viewer."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .._util import user_folder, write_text
from ..data import read_labels, write_image
from ..errors import InputError
from ..measure import Region

State = Literal["to do", "accepted", "corrected", "rejected"]
STATES: tuple[State, ...] = ("to do", "accepted", "corrected", "rejected")
FORMAT = 1


class UnkeptError(InputError):
    """The states were saved, but not the edits. Trying again does not help."""


@dataclass
class Review:
    """The state of each object, by its number. Objects without an entry are to do.

    Attributes
    ----------
    states : dict
    before : dict
        Earlier states of corrected objects, in case the correction is undone.
    """

    states: dict[int, State] = field(default_factory=dict)
    before: dict[int, State] = field(default_factory=dict)

    def state(self, number: int) -> State:
        """Return the state of an object."""
        return self.states.get(number, "to do")

    def set_state(self, number: int, state: State) -> None:
        """Set the state of an object."""
        self.before.pop(number, None)
        self.states[number] = state

    def correct(self, number: int) -> bool:
        """Note that an object was edited; return whether this is new."""
        if self.state(number) == "corrected":
            return False
        self.before[number] = self.state(number)
        self.states[number] = "corrected"
        return True

    def restore(self, number: int) -> bool:
        """Note that an edit was undone; return whether the object goes back to an earlier state."""
        if number not in self.before:
            return False
        self.states[number] = self.before.pop(number)
        if self.states[number] == "to do":
            del self.states[number]
        return True


def fingerprint(labels: NDArray[Any], salt: str = "") -> str:
    """Return a fingerprint of these pixels: the first 20 digits of the SHA-256 of shape and values.

    Constant arrays, such as empty labels, could belong to any image; ``salt`` tells them apart.
    """
    digest = hashlib.sha256(repr(labels.shape).encode())
    if labels.size == 0 or labels.min() == labels.max():
        digest.update(f"all alike: {salt}".encode())
    for part in labels if labels.ndim > 2 else (labels,):
        digest.update(np.ascontiguousarray(part, dtype=np.int64).data)
    return digest.hexdigest()[:20]


def save_review(
    review: Review,
    regions: list[Region],
    original: str,
    labels: NDArray[Any],
    axes: str,
    folder: Path | None = None,
    *,
    salt: str = "",
) -> None:
    """Write the states and, if edited, the labels. Each file is written beside its place, then renamed.

    The file's name holds the fingerprints of the first pixels and of the current ones. It is found again from either:
    after the same segmentation is run again, and after the corrected labels are saved and opened.

    Saving objects keeps the states of frames, and the other way round. ``salt`` is as in :func:`fingerprint`.

    Raises
    ------
    InputError
        If writing fails.
    UnkeptError
        If the labels hold numbers above 65535 and were edited.
    """
    folder = folder or user_folder("reviews")
    current = fingerprint(labels, salt)
    pixels = folder / f"{original}.tif"
    small = labels.max(initial=0) <= 65_535 and labels.min(initial=0) >= 0
    if current != original and small:
        kind = np.uint8 if labels.max(initial=0) <= 255 else np.uint16
        write_image(pixels, labels.astype(kind), axes, spacing=None, unit="pixel", metadata={})
    entries = [
        {"state": review.state(region.number), "label": region.label, "at": [*region.frame, *region.anchor]}
        for region in regions
        if region.number in review.states
    ]
    path = folder / f"{original}.{current}.json"
    former = sorted(folder.glob(f"{original}.*.json"))
    frames = any(region.label == 0 for region in regions)
    entries += [entry for file in former[:1] for entry in _entries(file) if (entry["label"] == 0) != frames]
    text = json.dumps({"format": FORMAT, "original": original, "objects": entries}, indent=1)
    write_text(path, text)
    for other in former:
        if other != path:
            other.unlink(missing_ok=True)
    if current == original:
        pixels.unlink(missing_ok=True)
    elif not small:
        raise UnkeptError(
            "The review's states are saved, but not the edits: the labels hold numbers above 65,535. "
            "Save the layer by File > Save Selected Layers."
        )


def _entries(path: Path) -> list[dict[str, Any]]:
    """Read a file's entry for each object; a damaged file has none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["objects"]
        return [entry for entry in found if entry["state"] in STATES and {"label", "at"} <= set(entry)]
    except (OSError, ValueError, KeyError, TypeError):
        return []


@dataclass(frozen=True)
class Found:
    """A review that was found on disk.

    Attributes
    ----------
    original : str
        The fingerprint of the labels at the start.
    entries : list of dict
        ``state``, ``label`` and ``at`` (frame and pixel) of each object.
    labels : integer array or None
        The edited labels; None if they were not edited, or are the same as those searched for.
    """

    original: str
    entries: list[dict[str, Any]]
    labels: NDArray[Any] | None


def find_review(labels: NDArray[Any], folder: Path | None = None, *, salt: str = "") -> Found | None:
    """Return the review of these labels, or None. A damaged file counts as none.

    ``salt`` is the one it was saved with. Only constant labels need it to be found.
    """
    folder = folder or user_folder("reviews")
    name = fingerprint(labels, salt)
    kept = (*folder.glob(f"{name}.*.json"), *folder.glob(f"*.{name}.json"))
    path = kept[0] if kept else None
    if path is None:
        return None
    entries, (original, current, _) = _entries(path), path.name.split(".")
    edited = None
    pixels = folder / f"{original}.tif"
    if current != name and pixels.exists():
        try:
            edited = read_labels(pixels).array.reshape(labels.shape)
        except (InputError, ValueError):
            return None
    return Found(original, entries, edited)


def match_entries(found: Found, regions: list[Region]) -> Review:
    """Give each object its saved state: that of the entry whose pixel lies in it."""
    review = Review()
    by_frame: dict[tuple[int, ...], list[Region]] = {}
    for region in regions:
        by_frame.setdefault(region.frame, []).append(region)
    for entry in found.entries:
        at = tuple(map(int, entry["at"]))
        for frame in {at[: len(at) - 2], at[: len(at) - 3]}:
            place = at[len(frame) :]
            for region in by_frame.get(frame, []):
                if region.label == entry["label"] and region.mask.ndim == len(place) and _holds(region, place):
                    review.states[region.number] = entry["state"]
    return review


def _holds(region: Region, place: tuple[int, ...]) -> bool:
    inside = all(b.start <= n < b.stop for n, b in zip(place, region.box, strict=True))
    if not inside:
        return False
    # The pixel of a whole frame need not be foreground.
    return region.label == 0 or bool(region.mask[tuple(n - b.start for n, b in zip(place, region.box, strict=True))])
