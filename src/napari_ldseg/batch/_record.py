"""Record how the outputs of a finished image were made, and what they contain."""

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from .._util import write_text
from ..data import address_of, dicom_files, format_of, read_image, stem

RECORDS = ".napari-ldseg"
FORMAT = 1
CHUNK = 2**20


@dataclass(frozen=True)
class Fingerprint:
    """What a file, or a folder such as an OME-Zarr, was: size in bytes, time of change and SHA-256 of the content."""

    size: int
    mtime_ns: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> Self:
        """Read it from the disk."""
        return cls(*_stat(path), _digest(path))

    def matches(self, path: Path) -> bool:
        """Whether the file still has the same content. It is read only if its modification time has changed."""
        try:
            size, mtime_ns = _stat(path)
            return size == self.size and (mtime_ns == self.mtime_ns or _digest(path) == self.sha256)
        except OSError:
            return False


@dataclass(frozen=True)
class Summary:
    """The numbers of one result.

    Attributes
    ----------
    seconds : float
        From reading the image to its last output.
    samples, frames : int
    mean_sd : float
        Mean of the SD map.
    uncertainty : float or None
        1 - soft Dice confidence of the foreground, ``2 sum(p m) / (sum p + sum m)`` (arXiv 2402.10665); between 0 and
        1, the higher, the sooner to look at. 1 where nothing was found;
        None for images that are too large for memory.
    sizes, sizes_sd : dict of str to float (or None)
        Area or volume of each class but the background, in one frame: mean over the samples, and their SD (None for
        one sample); of several frames the mean of both.
    unit : str
        Unit of the pixel size; ``"pixel"`` where there is none.
    reading : str
        How the image was read, in words, where the settings said how.
    warnings : list of str
        What may have spoiled the result, each with its remedy.
    """

    seconds: float
    samples: int
    frames: int
    mean_sd: float
    uncertainty: float | None
    sizes: dict[str, float]
    sizes_sd: dict[str, float | None]
    unit: str
    reading: str = ""
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Record:
    """All about an image that is done; it lies in the output folder as ``.napari-ldseg/<stem>.json``."""

    image: str
    input: Fingerprint
    model: str
    model_sha256: str
    settings: dict[str, Any]
    outputs: dict[str, Fingerprint]
    summary: Summary

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Read a record; None if there is no readable one."""
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            if values.pop("format") != FORMAT:
                return None
            values["input"] = Fingerprint(**values["input"])
            values["outputs"] = {name: Fingerprint(**value) for name, value in values["outputs"].items()}
            values["summary"] = Summary(**values["summary"])
            return cls(**values)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def write(self, path: Path) -> None:
        """Write it beside its place, then rename it.

        Raises
        ------
        InputError
            If the disk refuses.
        """
        write_text(path, json.dumps({"format": FORMAT, **asdict(self)}, indent=1))


def record_path(out: Path, image: Path) -> Path:
    """Return the path of an image's record."""
    return out / RECORDS / f"{stem(image)}.json"


def scratch_path(out: Path, image: Path) -> Path:
    """Return the folder where outputs are written before they are renamed into place."""
    return out / RECORDS / "partial" / stem(image)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _files(path: Path) -> list[Path]:
    """Return the files that count; of a folder of DICOM only the DICOM files, as results may lie among them."""
    if not path.is_dir():
        return [path]
    if format_of(path) == "dicom":
        return sorted(dicom_files(path))
    return sorted(file for file in path.rglob("*") if file.is_file())


def _stat(path: Path) -> tuple[int, int]:
    if address_of(path) is not None:
        return 0, 0
    found = [file.stat() for file in _files(path)]
    return sum(one.st_size for one in found), max((one.st_mtime_ns for one in found), default=0)


def _digest(path: Path) -> str:
    """SHA-256 of a file; of a folder that of its files' names and contents; of an address of its overview."""
    total = hashlib.sha256()
    if (address := address_of(path)) is not None:  # its coarsest level stands for all of it
        image = read_image(path)
        total.update(f"{address} {image.axes} {image.shape}".encode())
        total.update(np.ascontiguousarray((image.levels or (image,))[-1].array).tobytes())
        return total.hexdigest()
    for file in _files(path):
        if file != path:
            total.update(f"{file.relative_to(path).as_posix()}\0{file.stat().st_size}\0".encode())
        with file.open("rb") as opened:
            while chunk := opened.read(CHUNK):
                total.update(chunk)
    return total.hexdigest()
