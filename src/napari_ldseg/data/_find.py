"""Find the images that files, folders and patterns name."""

import re
from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError
from ._names import READABLE, address_of, format_of, is_label_name, label_stem, match_name, natural_key, stem

_NOT_AN_IMAGE = re.compile(r"_anno[^_]*$|_(labels|sd|mean|samples|prompts|ldseg)$", re.IGNORECASE)
_WILDCARDS = re.compile(r"[*?\[]")


def is_one_picture(path: Path) -> bool:
    """Whether a path is one image by itself: a file, or the folder or the address of an OME-Zarr."""
    return address_of(path) is not None or path.is_file() or (path.is_dir() and format_of(path) == "ome-zarr")


def picture_files(folder: Path) -> list[Path]:
    """Return the images of a folder (not of its subfolders), naturally sorted, without hidden files.

    A subfolder that holds one DICOM series is one image. An OME-Zarr or a folder of DICOM slices is one image itself.
    """
    if is_one_picture(folder):
        return [folder]
    files = sorted((path for path in folder.iterdir() if _is_picture(path)), key=natural_key)
    slices = [path for path in files if path.is_file() and format_of(path) == "dicom"]
    return [folder] if len(slices) > 1 and len(slices) == len(files) and _is_series(slices) else files


def find_images(inputs: Sequence[Path]) -> list[Path]:
    """Turn files, folders and patterns into the list of images that they mean.

    A file is taken as it is. From a folder (not its subfolders) or a pattern such as ``slides/*.png`` come the files
    that :func:`read_image` can read, in natural order. Annotations (``*_anno*``, and ``a_gt`` beside ``a``) and our own
    results (``*_labels``, ``*_sd``, ``*_mean``, ``*_samples``, ``*_prompts``) are left out. A folder that
    holds one DICOM series is one image. Each image comes once, where it is first named.

    Raises
    ------
    InputError
        If one of the inputs is missing or names no image at all.
    """
    if not inputs:
        raise InputError("No image was named; name image files, folders or patterns such as 'slides/*.png'.")
    found: dict[Path, None] = {}
    for given in map(Path, inputs):
        if is_one_picture(given):
            found[given] = None
            continue
        if given.is_dir():
            candidates = picture_files(given)
        elif _WILDCARDS.search(given.name):
            candidates = sorted(filter(_is_picture, given.parent.glob(given.name)), key=natural_key)
        else:
            raise InputError(f"{given} does not exist; check the path.")
        names = {match_name(stem(path)) for path in candidates}
        images = [
            path
            for path in candidates
            if not _NOT_AN_IMAGE.search(stem(path)) and not (is_label_name(path) and _case(path) in names)
        ]
        if not images:
            raise InputError(f"No image was found in {given}. {READABLE}.")
        found.update(dict.fromkeys(images))
    return list(found)


def _is_picture(path: Path) -> bool:
    return not path.name.startswith(".") and format_of(path) is not None


def _is_series(slices: Sequence[Path]) -> bool:
    """Whether DICOM files are the slices of one series; pictures, cines and damaged files are not."""
    from .formats._dicom import is_series

    try:
        return is_series(slices)
    except Exception:  # noqa: BLE001  what is wrong with which file is said when it is read
        return False


def _case(path: Path) -> str:
    return match_name(label_stem(path))
