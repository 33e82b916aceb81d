"""Import images and masks from elsewhere into a training set."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ..data import read_image, read_labels, stem
from ..errors import InputError
from ._index import INDEX, Entry
from ._labels import UNLABELLED, check_classes, merge_foreground, whole_numbers
from ._pairs import Pair
from ._training_set import TrainingSet

MOST_CLASSES = 20


def open_or_create(
    folder: Path, pairs: Sequence[Pair], *, foreground: bool = False, class_names: Sequence[str] | None = None
) -> TrainingSet:
    """Open the training set of a folder, or create one whose classes are those of the masks.

    Parameters
    ----------
    folder : Path
    pairs : sequence of Pair
        The images and masks that will be imported.
    foreground : bool
        Whether all objects become one class.
    class_names : sequence of str, optional
        Background first; by default ``background``, ``class 1``, ... for as many as the masks hold.

    Raises
    ------
    InputError
        If an existing set has other classes, or the masks hold more than 20 unnamed classes.
    """
    if (folder / INDEX).exists():
        known = TrainingSet(folder)
        if class_names and tuple(class_names) != known.class_names:
            raise InputError(
                f"The training set {folder} has the classes {', '.join(known.class_names)}, not "
                f"{', '.join(class_names)}; leave the names out, or import into another folder."
            )
        return known
    if class_names:
        return TrainingSet.create(folder, class_names)
    if foreground:
        return TrainingSet.create(folder, ("background", "foreground"))
    most = 1
    for pair in pairs:
        labels = whole_numbers(read_labels(pair.labels).array, pair.labels.name)
        check_classes(labels, MOST_CLASSES, pair.labels.name, "without names there may be")
        most = max(most, int(labels[labels != UNLABELLED].max(initial=0)))
    return TrainingSet.create(folder, ("background", *(f"class {index}" for index in range(1, most + 1))))


def import_pairs(
    target: TrainingSet, pairs: Sequence[Pair], *, refer: bool = False, foreground: bool = False
) -> Iterator[tuple[Pair, Entry | InputError]]:
    """Add images with their masks one by one; yield each new entry, or why an image could not be added.

    Parameters
    ----------
    target : TrainingSet
    pairs : sequence of Pair
    refer : bool
        Leave the files where they are, instead of copying them.
    foreground : bool
        Make every label above 0, 255 too, class 1.

    Raises
    ------
    InputError
        If both are set: masks that are only referred to cannot be changed.
    """
    if refer and foreground:
        raise InputError("Masks that are only referred to cannot be merged to foreground; copy them instead.")
    for pair in pairs:
        try:
            yield pair, _add(target, pair, refer, foreground)
        except InputError as error:
            yield pair, error


def _add(target: TrainingSet, pair: Pair, refer: bool, foreground: bool) -> Entry:
    if refer:
        return target.refer(pair.image, pair.labels, group=pair.group)
    labels = read_labels(pair.labels).array
    if foreground:
        labels = np.asarray(merge_foreground(labels))
    group = pair.group or stem(pair.image)
    return target.add(read_image(pair.image), labels, source=pair.image.name, group=group, allow_empty=True)
