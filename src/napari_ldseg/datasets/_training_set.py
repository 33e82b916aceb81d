"""A training set is a plain folder of images and labels, with an index that says where each came from."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace as changed
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import filelock
import numpy as np
from numpy.typing import NDArray

from .._util import write_text
from ..data import Image, read_image, read_labels, write_ome
from ..errors import InputError
from ._index import Entry, read_index, write_index
from ._labels import UNLABELLED, check_labels
from ._pairs import Pair

LOCK_SECONDS = 60.0
_ABOUT = """\
This folder is a training set of napari-ldseg.

images/       the annotated images, OME-TIFF
labels/       for each image a mask of the same name: 0 is {first!r}, 1, 2, ... are the other classes,
              {unlabelled} means "nobody annotated this"
touched/      where it is known, the pixels that a person changed (1)
index.jsonl   first line: the classes; then one line (JSON) for each image: where it came from, when, ...

The folder can be moved, copied and shared as a whole. Images that were added as references stay where they are:
the index holds their paths. Teach a model with:

    napari-ldseg fine-tune MODEL --set FOLDER --out RUN
"""


class DuplicateError(InputError):
    """The set holds this image already."""


class TrainingSet:
    """A folder of annotated images. Several processes may use it at once.

    To change it, a process locks ``.lock``, reads the index again and replaces it by a rename. A process that dies
    releases the lock and leaves the index intact.

    Parameters
    ----------
    folder : Path
        A folder that :meth:`create` made.

    Raises
    ------
    InputError
        If the folder is no training set, or its index is damaged or of a newer version.
    """

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self.class_names: tuple[str, ...] = read_index(self.folder)[0]

    @classmethod
    def create(cls, folder: Path, class_names: Sequence[str]) -> "TrainingSet":
        """Create an empty set in a new or empty folder.

        Raises
        ------
        InputError
            If the folder holds other files, names are missing or equal, or writing fails.
        """
        folder, names = Path(folder), tuple(name.strip() for name in class_names)
        if not 2 <= len(names) < UNLABELLED or len(set(names)) != len(names) or not all(names):
            raise InputError(
                f"A training set needs 2 to {UNLABELLED - 1} different class names, the background first; got {names}."
            )
        if folder.exists() and (not folder.is_dir() or any(file.name != ".lock" for file in folder.iterdir())):
            raise InputError(f"{folder} exists and is not empty; choose a new folder, or open the set that is there.")
        write_text(folder / "README.txt", _ABOUT.format(first=names[0], unlabelled=UNLABELLED))
        write_index(folder, names, [])
        return cls(folder)

    def entries(self) -> list[Entry]:
        """Read the index and return all annotated images, in the order in which they were added."""
        return read_index(self.folder)[1]

    def pairs(self) -> list[Pair]:
        """Return what :func:`train` and :func:`fine_tune` learn from.

        Raises
        ------
        InputError
            If the set is empty, or some of its files are missing.
        """
        entries = self.entries()
        if not entries:
            raise InputError(f"The training set {self.folder} is empty; add annotated images to it.")
        missing = [path for entry in entries for path in (entry.image, entry.labels) if not path.exists()]
        if missing:
            raise InputError(
                f"{len(missing)} files of the training set {self.folder} are missing, the first is {missing[0]}; put "
                "them back, or remove their entries (napari-ldseg dataset remove)."
            )
        return [Pair(entry.image, entry.labels, entry.group) for entry in entries]

    def add(
        self,
        image: Image,
        labels: NDArray[Any],
        *,
        source: str,
        group: str = "",
        model: str = "",
        touched: NDArray[Any] | None = None,
        replace: bool = False,
        allow_empty: bool = False,
    ) -> Entry:
        """Copy an image and its labels into the set.

        Parameters
        ----------
        image : Image
        labels : integer array, the image's shape without its channels
            Class indices; 255 (``UNLABELLED``) marks unannotated pixels.
        source : str
            Name of the layer or file.
        group : str
            Images of one group are never split; by default the source.
        model : str
            The model that pre-labelled it.
        touched : bool array, the labels' shape, optional
            Pixels that a person changed. They are kept beside the labels.
        replace : bool
            Replace the labels of an image that the set holds with other labels.
        allow_empty : bool
            Accept labels that are background everywhere (an image that truly shows nothing).

        Raises
        ------
        DuplicateError
            If the set holds this image with these labels, or with others and ``replace`` is not set.
        InputError
            If labels and image do not fit each other or the classes, or writing fails.
        """
        labels = check_labels(labels, image, self.class_names, source, allow_empty=allow_empty)
        if touched is not None and np.shape(touched) != labels.shape:
            raise InputError(f"The touched pixels of {source!r} have shape {np.shape(touched)}, not {labels.shape}.")
        entry_id = _hash(image)
        name = f"{re.sub(r'[^A-Za-z0-9.-]+', '_', source).strip('._')[:40] or 'image'}-{entry_id}.ome.tif"
        edited = None if touched is None else np.asarray(touched, bool)
        entry = _entry(
            entry_id, image, labels, self.class_names, (self.folder / "images" / name, source, group or source)
        )
        entry = changed(entry, model=model, touched=None if edited is None else float(edited.mean()))
        with self._locked() as entries:
            old = _held(entries, entry_id, labels, source, replace)
            if old is not None and old.image.parent == entry.image.parent:
                entry = changed(entry, image=old.image, labels=old.labels)
            flat = image.replace(axes=image.axes.replace("c", ""), array=labels)
            if edited is not None:
                write_ome(self.folder / "touched" / entry.image.name, flat.replace(array=edited))
            write_ome(entry.labels, flat)
            if not entry.image.is_file():
                write_ome(entry.image, image)
            self._write([each for each in entries if each.id != entry_id] + [entry])
        return entry

    def refer(self, image: Path, labels: Path, *, group: str = "", allow_empty: bool = True) -> Entry:
        """Add an image and its labels where they are, without a copy.

        Raises
        ------
        DuplicateError, InputError
            As :meth:`add`; also where a file cannot be read.
        """
        image, labels = Path(image).resolve(), Path(labels).resolve()
        pixels = read_image(image)
        mask = check_labels(read_labels(labels).array, pixels, self.class_names, labels.name, allow_empty=allow_empty)
        entry_id = _hash(pixels)
        entry = _entry(entry_id, pixels, mask, self.class_names, (image, image.name, group or pixels.name))
        entry = changed(entry, labels=labels)
        with self._locked() as entries:
            _held(entries, entry_id, mask, image.name, replace=False)
            self._write([*entries, entry])
        return entry

    def remove(self, entry_id: str) -> None:
        """Remove an image. Its files in the set's folder are deleted; files elsewhere stay.

        Raises
        ------
        InputError
            If the set holds no such image.
        """
        with self._locked() as entries:
            gone = [entry for entry in entries if entry.id == entry_id]
            if not gone:
                raise InputError(f"The training set {self.folder} has no entry {entry_id!r}; see its list.")
            self._write([entry for entry in entries if entry.id != entry_id])
            for entry in gone:
                own = {kind: self.folder / kind / entry.image.name for kind in ("images", "labels", "touched")}
                if (entry.image, entry.labels) == (own["images"], own["labels"]):
                    for path in own.values():
                        path.unlink(missing_ok=True)

    @contextmanager
    def _locked(self) -> Iterator[list[Entry]]:
        """Hold the lock and yield the current entries."""
        try:
            with filelock.FileLock(self.folder / ".lock", timeout=LOCK_SECONDS):
                yield self.entries()
        except filelock.Timeout as error:
            raise InputError(
                f"Another program has been writing to {self.folder} for {LOCK_SECONDS:g} seconds; close it, or wait."
            ) from error
        except PermissionError as error:
            raise InputError(f"{self.folder} cannot be written ({error.strerror}); copy the set elsewhere.") from error

    def _write(self, entries: Sequence[Entry]) -> None:
        write_index(self.folder, self.class_names, entries)


def _hash(image: Image) -> str:
    pixels = np.ascontiguousarray(image.array)
    told = f"{image.axes} {pixels.shape} {pixels.dtype}".encode()
    return hashlib.sha256(told + pixels.tobytes()).hexdigest()[:12]


def _entry(
    entry_id: str, image: Image, labels: NDArray[Any], class_names: tuple[str, ...], told: tuple[Path, str, str]
) -> Entry:
    """Return the entry of an image. ``told`` holds its path, source and group."""
    path, source, group = told
    return Entry(
        entry_id,
        path,
        path.parent.parent / "labels" / path.name,
        source,
        group,
        class_names,
        "",
        None,
        float((labels == UNLABELLED).mean()),
        datetime.now(UTC).isoformat(timespec="seconds"),
        tuple(int(n) for n in np.shape(image.array)),
        image.axes,
    )


def _held(entries: Sequence[Entry], entry_id: str, labels: NDArray[Any], source: str, replace: bool) -> Entry | None:
    """Return the set's entry for this image; refuse exact duplicates."""
    old = next((entry for entry in entries if entry.id == entry_id), None)
    if old is None:
        return None
    try:
        same = np.array_equal(np.asarray(read_labels(old.labels).array).reshape(labels.shape), labels)
    except (InputError, ValueError):
        same = False
    if same:
        raise DuplicateError(f"{source!r} is in the training set already, with these labels (as {old.source!r}).")
    if not replace:
        raise DuplicateError(
            f"{source!r} is in the training set already (as {old.source!r}, of {old.added[:10]}) with other labels; "
            "replace them, or remove that entry first."
        )
    return old
