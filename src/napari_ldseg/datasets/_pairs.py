"""Match images with the label masks that belong to them."""

import csv
import io
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ..data import (
    LABEL_ENDINGS,
    READABLE,
    SUFFIXES,
    is_label_name,
    is_one_picture,
    label_stem,
    match_name,
    picture_files,
    shortlist,
    stem,
    suffix,
)
from ..errors import InputError

_CHANNEL = re.compile(r"_\d{4}$")


@dataclass(frozen=True)
class Pair:
    """One image, its label mask, and the group (patient, volume) that must not be split between train and test."""

    image: Path
    labels: Path
    group: str


def find_pairs(images: Path, labels: Path, *, groups: Path | None = None) -> list[Pair]:
    """Match images and label masks by the stem of their names.

    Parameters
    ----------
    images, labels : Path
        Two folders, or the same folder twice; or one file each. A label mask has its image's name, optionally with
        one of the endings ``_anno``, ``_label(s)``, ``_mask(s)``, ``_seg`` or ``_gt`` before the suffix. If both
        are in one folder, the ending is required.
    groups : Path, optional
        A CSV file with a header. The first column names the image (with or without suffix), the second its group.
        Without it every image is its own group.

    Returns
    -------
    list of Pair
        Naturally sorted by the image's name.

    Raises
    ------
    InputError
        If a path is missing, an image or a label mask has no partner or more than one, or an image has no group.
    """
    images, labels = Path(images), Path(labels)
    for path in (images, labels):
        if not path.exists():
            raise InputError(f"{path} does not exist; check the path.")
    matched = [(images, labels)] if is_one_picture(images) and is_one_picture(labels) else _match(images, labels)
    group_of = read_groups(groups, [stem(image) for image, _ in matched]) if groups is not None else {}
    return [Pair(image, label, group_of.get(stem(image), stem(image))) for image, label in matched]


def match_masks(predictions: Path, references: Path) -> list[tuple[Path, Path]]:
    """Match predicted masks with reference masks by their names, without suffix and mask ending.

    Parameters
    ----------
    predictions, references : Path
        Two folders, or one file each. A folder of predictions may hold our own ``*_sd`` and ``*_mean``, and a folder
        of references the images beside masks with an ending (``a.png`` and ``a_anno.png``): they are left out.
        References without a prediction are an error, and so are predictions without a reference.

    Returns
    -------
    list of (prediction, reference)
        Naturally sorted.

    Raises
    ------
    InputError
        If a path is missing, or a mask has no partner or more than one.
    """
    for path in map(Path, (predictions, references)):
        if not path.exists():
            raise InputError(f"{path} does not exist; check the path.")
    if is_one_picture(predictions) and is_one_picture(references):
        return [(predictions, references)]
    found, real = (_masks_of(path, what) for path, what in ((predictions, "predictions"), (references, "references")))
    found = _without_channels(found, real)
    if not found:
        raise InputError(f"No mask was found in {predictions}. {READABLE}.")
    for one, other, (here, there) in (
        (found, real, ("prediction", "reference")),
        (real, found, ("reference", "prediction")),
    ):
        if alone := [path.name for name, path in one.items() if name not in other]:
            raise InputError(
                f"{len(alone)} of the {here}s have no {there}: {shortlist(alone)}. Masks belong together if "
                f"their names are equal, apart from one of the endings {', '.join(LABEL_ENDINGS)}."
            )
    return [(path, real[name]) for name, path in found.items()]


def _masks_of(path: Path, what: str) -> dict[str, Path]:
    files = picture_files(path) if path.is_dir() else [path]
    masks = [file for file in files if is_label_name(file)]
    masks = masks or [file for file in files if not stem(file).lower().endswith(("_sd", "_mean"))]
    return _unique({file: match_name(label_stem(file)) for file in masks}, what)


def _match(images: Path, labels: Path) -> list[tuple[Path, Path]]:
    image_files = picture_files(images) if images.is_dir() else [images]
    label_files = picture_files(labels) if labels.is_dir() else [labels]
    if images.resolve() == labels.resolve():
        image_files = [path for path in image_files if not is_label_name(path)]
        label_files = [path for path in label_files if is_label_name(path)]
    if not image_files:
        raise InputError(f"No image was found in {images}. {READABLE}.")
    image_of = _unique({path: match_name(stem(path)) for path in image_files}, "images")
    label_of = _unique({path: _label_key(path, image_of) for path in label_files}, "label masks")
    image_of = _without_channels(image_of, label_of)
    hint = (
        f"A label mask has its image's name, optionally with one of the endings {', '.join(LABEL_ENDINGS)}; the image "
        "may have nnU-Net's number _0000 behind its name"
    )
    if alone := [path.name for name, path in image_of.items() if name not in label_of]:
        raise InputError(f"{len(alone)} images in {images} have no label mask: {shortlist(alone)}. {hint}.")
    if alone := [path.name for name, path in label_of.items() if name not in image_of]:
        raise InputError(f"{len(alone)} label masks in {labels} have no image: {shortlist(alone)}. {hint}.")
    return [(path, label_of[name]) for name, path in image_of.items()]


def _label_key(path: Path, images: Collection[str]) -> str:
    name = match_name(stem(path))
    return name if name in images else match_name(label_stem(path))


def _without_channels(images: dict[str, Path], labels: Collection[str]) -> dict[str, Path]:
    """Take nnU-Net's number of the channel off the names of images that have no label mask otherwise."""
    found: dict[str, Path] = {}
    for name, path in images.items():
        numbered = _CHANNEL.search(name)
        case = name[: numbered.start()] if numbered is not None else ""
        if name in labels or case not in labels:
            found[name] = path
            continue
        if case in found:
            raise InputError(
                f"{found[case].name} and {path.name} are channels of one case in files of their own; put them into one "
                "file with several channels."
            )
        found[case] = path
    return found


def _unique(name_of: dict[Path, str], what: str) -> dict[str, Path]:
    """Invert a dict of names; refuse two files with the same name."""
    found: dict[str, Path] = {}
    for path, name in name_of.items():
        if name in found:
            raise InputError(
                f"Two {what} answer to {name!r}: {found[name].name} and {path.name}; move or rename one of them."
            )
        found[name] = path
    return found


def read_groups(path: Path, names: list[str]) -> dict[str, str]:
    """Read the group of each name from the first two columns of a CSV file."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The groups file {path} cannot be read ({error}); it must be a CSV file in UTF-8.") from error
    header = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=header.count)
    rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)]
    group_of = {match_name(_without_suffix(row[0])): row[1] for row in rows if len(row) > 1 and row[1]}
    group_of = {name: group_of[match_name(name)] for name in names if match_name(name) in group_of}
    if missing := [name for name in names if name not in group_of]:
        raise InputError(
            f"{len(missing)} images have no group in {path}: {shortlist(missing)}. "
            "The first column must name the image, the second its group, under one line of header."
        )
    return group_of


def _without_suffix(name: str) -> str:
    return stem(Path(name)) if suffix(Path(name)) in SUFFIXES else name
