"""Names of files: what can be read, natural order, which files are images and which are our own results."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..errors import InputError

TIFF_SUFFIXES = (".tif", ".tiff")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif")
ZARR_SUFFIX = ".zarr"
SUFFIXES = TIFF_SUFFIXES + PICTURE_SUFFIXES
READABLE = (
    f"Readable are {', '.join(SUFFIXES)} and OME-Zarr folders (.zarr); "
    "NIfTI and DICOM come with a later version, convert them to TIFF until then"
)

_NOT_AN_IMAGE = re.compile(r"_anno[^_]*$|_(labels|sd|mean|samples|ldseg)$", re.IGNORECASE)
_WILDCARDS = re.compile(r"[*?\[]")


def stem(path: Path) -> str:
    """Name of a file without its suffix; ``a.ome.tif`` is ``a``."""
    name = path.stem
    return name[:-4] if path.suffix.lower() in TIFF_SUFFIXES and name.lower().endswith(".ome") else name


def natural_key(path: Path) -> list[tuple[int, str]]:
    """Sort key under which ``train_2`` stands before ``train_10``."""
    parts = re.split(r"(\d+)", path.name.lower())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def picture_files(folder: Path) -> list[Path]:
    """All files of a folder (not of its subfolders) that can be read, naturally sorted; hidden files are left out."""
    return sorted((path for path in folder.iterdir() if _is_picture(path)), key=natural_key)


def shortlist(names: Iterable[object], most: int = 5) -> str:
    """Up to ``most`` names in one line, and how many more there are."""
    every = [str(name) for name in names]
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def find_images(inputs: Sequence[Path]) -> list[Path]:
    """Turn files, folders and patterns into the list of images that they mean.

    A file is taken as it is. Of a folder (not of its subfolders) and of a pattern such as ``slides/*.png`` the files
    that :func:`read_image` can read are taken in natural order, without annotations (``*_anno*``) and without our own
    results (``*_labels``, ``*_sd``, ``*_mean``, ``*_samples``). Each file comes once, where it was first named.

    Raises
    ------
    InputError
        Where one of the inputs is missing or means no image at all.
    """
    if not inputs:
        raise InputError("No image was named; name image files, folders or patterns such as 'slides/*.png'.")
    found: dict[Path, None] = {}
    for given in map(Path, inputs):
        if given.is_file() or _is_zarr(given):
            found[given] = None
            continue
        if given.is_dir():
            candidates = picture_files(given)
        elif _WILDCARDS.search(given.name):
            candidates = sorted(filter(_is_picture, given.parent.glob(given.name)), key=natural_key)
        else:
            raise InputError(f"{given} does not exist; check the path.")
        images = [path for path in candidates if not _NOT_AN_IMAGE.search(stem(path))]
        if not images:
            raise InputError(f"No image was found in {given}. {READABLE}.")
        found.update(dict.fromkeys(images))
    return list(found)


def _is_picture(path: Path) -> bool:
    known = (path.is_file() and path.suffix.lower() in SUFFIXES) or _is_zarr(path)
    return known and not path.name.startswith(".")


def _is_zarr(path: Path) -> bool:
    return path.is_dir() and path.suffix.lower() == ZARR_SUFFIX
