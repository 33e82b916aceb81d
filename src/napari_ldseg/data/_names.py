"""Names of files: what can be read, natural order, which files are images and which are our own results."""

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

# By the names of formats in `_formats.py`; the first suffix is the one that is written. Long ones go before short ones.
SUFFIXES_OF = {
    "ome-tif": (".ome.tif", ".ome.tiff"),
    "tif": (".tif", ".tiff"),
    "picture": (".png", ".jpg", ".jpeg", ".bmp", ".gif"),
    "nifti": (".nii.gz", ".nii"),
    "mha": (".mha", ".mhd"),
    "dicom": (".dcm", ".dicom", ".ima"),
    "cine": (".avi", ".mp4", ".mov"),
    "ome-zarr": (".ome.zarr", ".zarr"),
}
SUFFIXES = tuple(suffix for suffixes in SUFFIXES_OF.values() for suffix in suffixes)
READABLE = f"Readable are {', '.join(SUFFIXES[2:])}, and folders that are one DICOM series"
LABEL_ENDINGS = ("_anno", "_labels", "_label", "_cp_masks", "_masks", "_mask", "_seg", "_gt")
_ENDING = re.compile(f"(?:{'|'.join(LABEL_ENDINGS)})$", re.IGNORECASE)
# A folder is taken for DICOM by its first files.
_TRIED = 3


def suffix(path: Path) -> str:
    """The known suffix of a file in lower case, ``.nii.gz`` in one; else the last one."""
    name = path.name.lower()
    return next((known for known in SUFFIXES if name.endswith(known)), path.suffix.lower())


def stem(path: Path) -> str:
    """Name of a file without its known suffix; ``a.ome.tif`` and ``a.nii.gz`` are ``a``, ``1.2.840`` stays whole.

    A folder of DICOM keeps its name.
    """
    known = suffix(path)
    if known not in SUFFIXES or (path.is_dir() and format_of(path) == "dicom"):
        return path.name
    return path.name[: len(path.name) - len(known)]


def label_stem(path: Path) -> str:
    """Name of a label mask without suffix and without an ending such as ``_anno`` or ``_gt``."""
    return _ENDING.sub("", stem(path))


def match_name(name: str) -> str:
    """Return a name as it is compared: macOS writes an accent as a letter of its own, others as one with its letter."""
    return unicodedata.normalize("NFC", name)


def is_label_name(path: Path) -> bool:
    """Whether a file carries one of the endings of label masks."""
    return bool(_ENDING.search(stem(path)))


def format_of(path: Path) -> str | None:
    """Name of the format of a file, by its suffix; DICOM also by its first bytes, and where a folder holds it."""
    if path.is_dir():
        if path.suffix.lower() == ".zarr" or any((path / name).is_file() for name in (".zattrs", "zarr.json")):
            return "ome-zarr"
        return "dicom" if any(map(_is_dicom, _visible(path)[:_TRIED])) else None
    known = next((name for name, suffixes in SUFFIXES_OF.items() if suffix(path) in suffixes), None)
    return known or ("dicom" if _is_dicom(path) else None)


def dicom_files(folder: Path) -> list[Path]:
    """The DICOM files of a folder, naturally sorted."""
    return sorted(filter(_is_dicom, _visible(folder)), key=natural_key)


def beside(labels: Path, kind: str) -> Path | None:
    """The map that `segment` wrote beside ``<stem>_labels``, if it is there."""
    if not stem(labels).endswith("_labels"):
        return None
    path = labels.with_name(f"{stem(labels).removesuffix('_labels')}_{kind}{suffix(labels)}")
    return path if path.exists() else None


def natural_key(path: Path) -> list[tuple[int, str]]:
    """Sort key under which ``train_2`` stands before ``train_10``."""
    parts = re.split(r"(\d+)", path.name.lower())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def shortlist(names: Iterable[object], most: int = 5) -> str:
    """Up to ``most`` names in one line, and how many more there are."""
    every = [str(name) for name in names]
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))


def _is_dicom(path: Path) -> bool:
    """Whether a file carries the mark of DICOM after its preamble."""
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False
