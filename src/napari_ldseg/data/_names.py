"""Tell from a file's name what can be read, which files are images and which are our own results."""

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

# The keys are those of the formats' table. The first suffix is the one that is written; long ones precede short ones.
SUFFIXES_OF = {
    "ome-tif": (".ome.tif", ".ome.tiff"),
    "tif": (".tif", ".tiff"),
    "picture": (".png", ".jpg", ".jpeg", ".bmp", ".gif"),
    "nifti": (".nii.gz", ".nii"),
    "mha": (".mha", ".mhd"),
    "nrrd": (".nrrd", ".nhdr"),
    "dicom": (".dcm", ".dicom", ".ima"),
    "dicom-seg": (".dcm",),
    "cine": (".avi", ".mp4", ".mov"),
    "ome-zarr": (".ome.zarr", ".zarr"),
    "ome-zarr-0.5": (".ome.zarr",),
}
SUFFIXES = tuple(dict.fromkeys(suffix for suffixes in SUFFIXES_OF.values() for suffix in suffixes))
READABLE = f"Readable are {', '.join(SUFFIXES[2:])}, and folders that are one DICOM series"
LABEL_ENDINGS = ("_anno", "_labels", "_label", "_cp_masks", "_masks", "_mask", "_seg", "_gt")
_ENDING = re.compile(f"(?:{'|'.join(LABEL_ENDINGS)})$", re.IGNORECASE)
_ADDRESS = re.compile(r"^(https?|s3|gs):[/\\]+", re.IGNORECASE)
# The first files of a folder tell whether it is DICOM.
_TRIED = 3


def address_of(path: Path | str) -> str | None:
    """Return the address that a path is (``http``, ``https``, ``s3``, ``gs``; :class:`Path` shortens it), or None."""
    text = str(path)
    found = _ADDRESS.match(text)
    return None if found is None else f"{found[1].lower()}://{text[found.end() :]}".replace("\\", "/").rstrip("/")


def suffix(path: Path) -> str:
    """Return the known suffix of a file in lower case (``.nii.gz`` is one), or else the last one."""
    name = path.name.lower()
    return next((known for known in SUFFIXES if name.endswith(known)), path.suffix.lower())


def stem(path: Path) -> str:
    """Return a file's name without its known suffix: ``a`` for ``a.ome.tif`` and ``a.nii.gz``; ``1.2.840`` stays.

    A folder of DICOM keeps its name.
    """
    known = suffix(path)
    if known not in SUFFIXES or (path.is_dir() and format_of(path) == "dicom"):
        return path.name
    return path.name[: len(path.name) - len(known)]


def label_stem(path: Path) -> str:
    """Return the name of a label mask without suffix and without an ending such as ``_anno`` or ``_gt``."""
    return _ENDING.sub("", stem(path))


def match_name(name: str) -> str:
    """Return a name as it is compared: macOS writes an accent as a letter of its own, others as one with its letter."""
    return unicodedata.normalize("NFC", name)


def is_label_name(path: Path) -> bool:
    """Whether a file's name ends as label masks do."""
    return bool(_ENDING.search(stem(path)))


def format_of(path: Path) -> str | None:
    """Return the format's name by the suffix; DICOM is also known by its first bytes, and may be a folder.

    What lies at an address is taken for an OME-Zarr.
    """
    if address_of(path) is not None:
        return "ome-zarr"
    if path.is_dir():
        if path.suffix.lower() == ".zarr" or any((path / name).is_file() for name in (".zattrs", "zarr.json")):
            return "ome-zarr"
        return "dicom" if any(map(_is_dicom, _visible(path)[:_TRIED])) else None
    known = next((name for name, suffixes in SUFFIXES_OF.items() if suffix(path) in suffixes), None)
    return known or ("dicom" if _is_dicom(path) else None)


def dicom_files(folder: Path) -> list[Path]:
    """Return the DICOM files of a folder, naturally sorted."""
    return sorted(filter(_is_dicom, _visible(folder)), key=natural_key)


def beside(labels: Path, kind: str) -> Path | None:
    """Return the map that `segment` wrote beside ``<stem>_labels``, if there is one."""
    if not stem(labels).endswith("_labels"):
        return None
    path = labels.with_name(f"{stem(labels).removesuffix('_labels')}_{kind}{suffix(labels)}")
    return path if path.exists() else None


def natural_key(path: Path) -> list[tuple[int, str]]:
    """Sort key under which ``train_2`` stands before ``train_10``."""
    parts = re.split(r"(\d+)", path.name.lower())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def shortlist(names: Iterable[object], most: int = 5) -> str:
    """List up to ``most`` names in one line, and say how many more there are."""
    every = [str(name) for name in names]
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))


def _is_dicom(path: Path) -> bool:
    """Whether a file has DICOM's mark after its preamble."""
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False
