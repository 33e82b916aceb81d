"""Read and write the index of a training set, a line of JSON for each annotated image."""

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from .._util import write_text
from ..errors import InputError

INDEX = "index.jsonl"
FORMAT = "napari-ldseg training set"
VERSION = 1
_DAMAGE = (ValueError, KeyError, TypeError, RecursionError)


@dataclass(frozen=True)
class Entry:
    """One annotated image of a training set.

    Attributes
    ----------
    id : str
        Short hash of the image's pixels.
    image, labels : Path
        Files inside the set's folder, or elsewhere if they were added as references.
    source : str
        The layer or file that it came from.
    group : str
        Source image or patient. A group is never split between training and validation.
    class_names : tuple of str
        Background first.
    model : str
        Name of the model that pre-labelled it; empty if none did.
    touched : float or None
        Share of pixels that a person changed; None if unknown.
    unlabelled : float
        Share of unannotated pixels (label 255).
    added : str
        ISO date and time, UTC.
    shape : tuple of int
    axes : str
        Those of the image, as in :class:`Image`.
    """

    id: str
    image: Path
    labels: Path
    source: str
    group: str
    class_names: tuple[str, ...]
    model: str
    touched: float | None
    unlabelled: float
    added: str
    shape: tuple[int, ...]
    axes: str


def read_index(folder: Path) -> tuple[tuple[str, ...], list[Entry]]:
    """Return the class names and the entries of a training set.

    Raises
    ------
    InputError
        If the folder is no training set, or its index is damaged or of a newer version.
    """
    path = folder / INDEX
    try:
        lines = path.read_text(encoding="utf-8").split("\n")  # other line separators are part of a name
    except FileNotFoundError as error:
        raise InputError(
            f"{folder} is no training set: it holds no {INDEX}. Create one, or choose another folder."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}); restore it from a copy.") from error
    names = _header(path, lines[0] if lines else "")
    return names, [_parse(path, number, line) for number, line in enumerate(lines[1:], 2) if line.strip()]


def write_index(folder: Path, class_names: Sequence[str], entries: Sequence[Entry]) -> None:
    """Write the index beside its place, then rename it."""
    head = {"format": FORMAT, "version": VERSION, "class_names": tuple(class_names)}
    rows = [
        asdict(entry) | {key: _told(getattr(entry, key), folder) for key in ("image", "labels")} for entry in entries
    ]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in (head, *rows))
    for attempt in range(20):
        try:
            return write_text(folder / INDEX, text)
        except InputError as error:
            # Windows refuses to replace a file while another process reads it, which takes milliseconds.
            if os.name != "nt" or not isinstance(error.__cause__, PermissionError) or attempt == 19:
                raise
            time.sleep(0.05)


def _told(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


def _header(path: Path, line: str) -> tuple[str, ...]:
    try:
        head = json.loads(line)
        kind, version, names = head["format"], int(head["version"]), tuple(str(name) for name in head["class_names"])
    except _DAMAGE as error:
        raise InputError(f"The first line of {path} is damaged; restore the file from a copy.") from error
    if kind != FORMAT:
        raise InputError(f"{path} is not the index of a training set; choose another folder.")
    if version > VERSION:
        raise InputError(f"{path} has version {version}, this napari-ldseg reads up to {VERSION}; update it.")
    return names


def _parse(path: Path, number: int, line: str) -> Entry:
    try:
        row = json.loads(line)
        row |= {key: path.parent / str(row[key]) for key in ("image", "labels")}
        row |= {key: tuple(row[key]) for key in ("class_names", "shape")}
        return Entry(**row)
    except _DAMAGE as error:
        raise InputError(
            f"Line {number} of {path} is damaged; restore the file from a copy, or delete that line (its image and "
            "labels stay in the folder)."
        ) from error
