"""Check labels before anything learns from them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import Image
from ..errors import InputError

UNLABELLED = 255
_MANY = 20


def whole_numbers(labels: NDArray[Any], name: str) -> NDArray[Any]:
    """Return labels as integers.

    Raises
    ------
    InputError
        If they hold fractions, negative values or no numbers at all.
    """
    labels = np.asarray(labels)
    if labels.dtype.kind == "f":
        if not np.all(np.isfinite(labels)) or np.any(labels != np.round(labels)):
            raise InputError(
                f"{name!r} holds fractions and is no label mask; labels are whole numbers, the classes 0, 1, 2, ... "
                "(a probability map must be thresholded first)."
            )
        labels = labels.astype(np.int64)
    if labels.dtype.kind not in "bui":
        raise InputError(f"{name!r} holds {labels.dtype} values and is no label mask; labels are whole numbers.")
    if labels.size and labels.min() < 0:
        raise InputError(
            f"{name!r} holds the negative label {labels.min()}; classes count from 0, the background, and "
            f"{UNLABELLED} marks pixels that nobody annotated."
        )
    return labels


def check_shape(labels: NDArray[Any], image: Image, name: str, image_name: str = "") -> None:
    """Refuse labels that do not lie pixel by pixel on their image."""
    expected = tuple(n for n, axis in zip(np.shape(image.array), image.axes, strict=True) if axis != "c")
    if np.shape(labels) != expected:
        more = f" The labels are {np.ndim(labels)}D: choose the slice or frame that belongs to the image."
        raise InputError(
            f"{name} has shape {np.shape(labels)}, but its image {image_name or image.name} has {expected}; "
            f"a label mask must lie pixel by pixel on its image.{more if np.ndim(labels) > len(expected) else ''}"
        )


def merge_foreground(labels: NDArray[Any]) -> NDArray[np.uint8]:
    """Make every label above 0 class 1. So is 255, which is white in black-and-white masks, and an id among many."""
    return (labels > 0).astype(np.uint8)


def judged_classes(labels: NDArray[Any], name: str, *, foreground: bool) -> NDArray[Any]:
    """Return labels for scoring: all above 0 as class 1, or each class by itself with 255 as unlabelled.

    Raises
    ------
    InputError
        If the labels look like a black-and-white mask and ``foreground`` is not set.
    """
    if foreground:
        return merge_foreground(labels)
    check_classes(labels, UNLABELLED + 1, name)
    return labels


def check_classes(labels: NDArray[Any], classes: int, name: str, who: str = "there are") -> None:
    """Refuse labels beyond ``classes``, other than 255. If they look like a mask of objects, name the remedy."""
    found = np.unique(np.asarray(labels))
    if found.tolist() == [0, UNLABELLED]:
        raise InputError(
            f"{name} holds nothing but 0 and {UNLABELLED}, and {UNLABELLED} means unlabelled. If it is a "
            "black-and-white mask, merge it with 'foreground' (all that is not 0 becomes class 1)."
        )
    wrong = found[(found >= classes) & (found != UNLABELLED)]
    if not len(wrong):
        return
    many = f" ({len(found):,} different ones)" if len(found) > _MANY else ""
    raise InputError(
        f"{name} holds label {wrong.max()}{many}, but {who} {classes} classes (0 is the background, {UNLABELLED} means "
        "unlabelled). If these are ids of objects, merge them with 'foreground' (all objects become class 1); if they "
        "are further classes, name them all."
    )


def check_labels(
    labels: NDArray[Any], image: Image, class_names: Sequence[str], name: str, *, allow_empty: bool = False
) -> NDArray[np.uint8]:
    """Return the labels of an image as uint8, or say why nothing can be learnt from them.

    Raises
    ------
    InputError
        If their shape is not the image's, they hold fractions, negative values or labels beyond the classes, no
        pixel is annotated, or (unless ``allow_empty``) all of them are background.
    """
    labels = whole_numbers(labels, name)
    check_shape(labels, image, name)
    check_classes(labels, len(class_names), name)
    labels = labels.astype(np.uint8)
    if np.all(labels == UNLABELLED):
        raise InputError(f"No pixel of {name!r} is annotated (all are {UNLABELLED}, unlabelled); paint some first.")
    if not allow_empty and not np.any((labels > 0) & (labels != UNLABELLED)):
        raise InputError(
            f"The labels {name!r} are empty: every pixel is 0, {class_names[0]!r}. Paint the objects first; if the "
            "image truly shows none, say so (allow_empty)."
        )
    return labels
