"""Data sets of nnU-Net (version 2), in and out."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from .._util import replacing, write_text
from ..data import Image, read_image, read_labels, shortlist, write_image
from ..errors import InputError
from ._index import Entry
from ._labels import UNLABELLED
from ._training_set import TrainingSet

IGNORE = "ignore"
_CASE = re.compile(r"(.+)_(\d{4})$")
COLOURS = ("R", "G", "B")


def read_nnunet(folder: Path, target: Path) -> Iterator[tuple[str, Entry | InputError]]:
    """Add an nnU-Net data set to a training set, which is made if it is new.

    Parameters
    ----------
    folder : Path
        Holds ``dataset.json``, ``imagesTr`` and ``labelsTr``, for example ``nnUNet_raw/Dataset001_Glands``.
    target : Path
        The training set.

    Yields
    ------
    (case, outcome)
        The new entry, or why a case could not be added. Channels in files of their own become one image; nnU-Net's
        label ``ignore`` becomes 255.

    Raises
    ------
    InputError
        The folder is no nnU-Net data set, or its labels cannot be classes.
    """
    folder = Path(folder)
    try:
        about = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
        names, values = _classes(about)
        ending = str(about.get("file_ending", ".nii.gz"))
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{folder} is no data set of nnU-Net ({error!r}); it needs dataset.json, imagesTr and labelsTr."
        ) from error
    known = (target / "index.jsonl").exists()
    training = TrainingSet(target) if known else TrainingSet.create(target, names)
    if training.class_names != names:
        raise InputError(
            f"The training set {target} has the classes {', '.join(training.class_names)}, and {folder} has "
            f"{', '.join(names)}; import it into a set of its own."
        )
    for case, files in _cases(folder / "imagesTr", ending).items():
        try:
            image = _stacked([read_image(file) for file in files], case)
            labels = _mapped(np.asarray(read_labels(folder / "labelsTr" / f"{case}{ending}").array), values, case)
            yield case, training.add(image, labels, source=f"{case}{ending}", group=case, allow_empty=True)
        except InputError as error:
            yield case, error


def write_nnunet(source: TrainingSet, folder: Path, name: str) -> list[str]:
    """Write a training set as a data set of nnU-Net (version 2).

    Colour pictures and 8-bit flat images become PNG; a set with anything else becomes NIfTI, a file for each channel.
    Unlabelled pixels (255) get nnU-Net's label ``ignore``.

    Parameters
    ----------
    source : TrainingSet
    folder : Path
        A new folder, named as nnU-Net wants: ``Dataset001_Glands``.
    name : str

    Returns
    -------
    list of str
        The cases.

    Raises
    ------
    InputError
        The folder is not empty, or the images have different numbers of channels.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} exists and is not empty; choose a new folder.")
    entries = source.entries()
    source.pairs()  # refuses an empty set, and missing files
    counts = {_channels(entry) for entry in entries}
    if len(counts) > 1:
        raise InputError(f"Images with {sorted(counts)} channels cannot be in one data set of nnU-Net; split the set.")
    images = [read_image(entry.image) for entry in entries]
    flat = all(image.axes in ("yx", "yxc") and image.array.dtype == np.uint8 for image in images)
    ending = ".png" if flat and counts <= {1, 3} else ".nii.gz"
    ignore, cases, ignored = len(source.class_names), [], False
    for entry, image in zip(entries, images, strict=True):
        case = entry.image.name.split(".")[0]
        labels = read_labels(entry.labels)
        values = np.asarray(labels.array).astype(np.uint8)
        ignored |= bool((values == UNLABELLED).any())
        labels = labels.replace(array=np.where(values == UNLABELLED, ignore, values).astype(np.uint8))
        for number, channel in enumerate(_split(image, ending)):
            _write(folder / "imagesTr" / f"{case}_{number:04d}{ending}", channel)
        _write(folder / "labelsTr" / f"{case}{ending}", labels)
        cases.append(case)
    channels = counts.pop()
    labels_of = {label: index for index, label in enumerate(source.class_names)}
    found: dict[str, Any] = {
        "name": name,
        "channel_names": {
            str(index): COLOURS[index] if channels == 3 else f"channel {index}" for index in range(channels)
        },
        "labels": labels_of | ({IGNORE: ignore} if ignored else {}),
        "numTraining": len(cases),
        "file_ending": ending,
    }
    write_text(folder / "dataset.json", json.dumps(found, indent=1))
    groups = "".join(f"{case},{entry.group}\n" for case, entry in zip(cases, entries, strict=True))
    write_text(folder / "groups.csv", f"case,group\n{groups}")
    return cases


def _classes(about: Mapping[str, Any]) -> tuple[tuple[str, ...], dict[int, int]]:
    """Return the class names, and our number for each of nnU-Net's values."""
    labels = about["labels"]
    if "0" in labels:  # version 1
        labels = {str(name): int(value) for value, name in labels.items()}
    order = list(about.get("regions_class_order", ()))
    regions = [name for name, value in labels.items() if name not in ("background", IGNORE)]
    pairs = []
    for name, value in labels.items():
        if name == IGNORE:
            continue
        if isinstance(value, list):
            value = order[regions.index(name)] if len(order) == len(regions) else value[0]
        pairs.append((int(value), str(name)))
    pairs.sort()
    values = {value: index for index, (value, _) in enumerate(pairs)}
    if len(values) != len(pairs) or pairs[0][0] != 0:
        raise ValueError(f"labels {labels}")
    return tuple(name for _, name in pairs), values | ({int(labels[IGNORE]): UNLABELLED} if IGNORE in labels else {})


def _cases(folder: Path, ending: str) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.glob(f"*{ending}")) if folder.is_dir() else ():
        match = _CASE.fullmatch(path.name[: -len(ending)])
        if match is not None:
            found.setdefault(match[1], []).append(path)
    if not found:
        raise InputError(f"{folder} holds no images such as case_0000{ending}; check dataset.json's file_ending.")
    return found


def _stacked(channels: Sequence[Image], case: str) -> Image:
    """Return the files of a case as one image."""
    first = channels[0]
    if len(channels) == 1:
        return first
    if wrong := [each.name for each in channels if each.array.shape != first.array.shape or "c" in each.axes]:
        raise InputError(f"The channels of {case} have different shapes: {shortlist(wrong)}.")
    return first.replace(array=np.stack([each.array for each in channels], axis=-1), axes=f"{first.axes}c", levels=())


def _mapped(labels: NDArray[Any], values: Mapping[int, int], case: str) -> NDArray[np.uint8]:
    found = np.full(labels.shape, UNLABELLED, np.uint8)
    left = set(np.unique(labels).tolist()) - set(values)
    if left:
        raise InputError(f"The labels of {case} hold {min(left)}, which dataset.json does not name.")
    for value, ours in values.items():
        found[labels == value] = ours
    return found


def _channels(entry: Entry) -> int:
    return int(entry.shape[entry.axes.index("c")]) if "c" in entry.axes else 1


def _split(image: Image, ending: str) -> list[Image]:
    if "c" not in image.axes or ending == ".png":
        return [image]
    axis = image.axes.index("c")
    axes = image.axes.replace("c", "")
    return [image.replace(array=np.take(image.array, i, axis), axes=axes, levels=()) for i in range(image.channels)]


def _write(path: Path, image: Image) -> None:
    if path.suffix == ".png":
        with replacing(path) as partial:
            PIL.Image.fromarray(np.asarray(image.array)).save(partial, format="png")
    else:
        write_image(
            path,
            np.asarray(image.array),
            image.axes,
            spacing=image.spacing,
            unit=image.unit,
            metadata={},
            geometry=image.geometry,
        )
