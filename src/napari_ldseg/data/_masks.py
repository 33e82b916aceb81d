"""Label masks as people save them: lossy, graded, in colour, with transparency. They are read right, or refused."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ._image import Image

WHITE, HALF = 255, 127
# Red, green and blue of a grey JPEG may differ by this.
_FAINT = 24
# A mask with soft borders has at least so many grey values, and at most this share of its pixels is grey.
_FEW, _BORDERS = 8, 0.25
# Of fewer pixels it cannot be told.
_SMALL = 1024
# Of the labels of objects, some pixels have the label of their neighbours.
_ALIKE = 0.2
LOSSY = (".jpg", ".jpeg")


def as_labels(image: Image, path: Path) -> Image:
    """Return a picture as labels: whole numbers, without channels.

    Raises
    ------
    InputError
        Where it holds colours, fractions or grey values instead of classes.
    """
    lossy = path.suffix.lower() in LOSSY
    array, notes = _one_channel(image, path, _FAINT if lossy else 0)
    if array.dtype.kind == "f":
        if not np.all(np.isfinite(array)) or np.any(array != np.round(array)) or np.any(np.abs(array) >= 2**31):
            raise InputError(
                f"{path} holds fractions and is no label mask: save it with whole numbers, the classes 0, 1, 2, ..."
            )
        array = array.astype(np.int32)
    if array.dtype.kind not in "bui":
        raise InputError(f"{path} holds {array.dtype} values and is no label mask: save it with whole numbers.")
    if array.dtype.kind == "i" and array.min() < 0:
        raise InputError(f"{path} holds negative values and is no label mask: the classes are 0, 1, 2, ...")
    if isinstance(array, np.ndarray) and array.dtype == np.uint8:
        array, more = _black_and_white(array, path, lossy=lossy)
        notes += more
    return image.replace(array=array, axes=image.axes.replace("c", ""), notes=(*image.notes, *notes))


def _one_channel(image: Image, path: Path, faint: int) -> tuple[Any, list[str]]:
    """Return the pixels without channels: grey ones, or what is not transparent."""
    if "c" not in image.axes:
        return image.array, []
    array = np.moveaxis(np.asarray(image.array), image.axes.index("c"), -1)
    colours = array[..., : image.channels - 1 + image.channels % 2]
    if image.channels in (2, 4) and array.dtype.kind == "u":
        shown = array[..., -1] > np.iinfo(array.dtype).max // 2
        if not shown.all() and np.all(colours == colours.reshape(-1, colours.shape[-1])[0]):
            return shown.astype(np.uint8), ["The mask has one colour; what is not transparent was taken as class 1."]
        if np.any(colours[~shown]):
            raise InputError(
                f"{path} hides values where it is transparent, so that its labels are not clear: save it without "
                "transparency, with the values 0 (background), 1, 2, ..."
            )
    values = colours.astype(np.int32)
    if image.channels > 4 or (values.max(axis=-1) - values.min(axis=-1)).max(initial=0) > faint:
        raise InputError(
            f"{path} has {image.channels} different channels, so it is no label mask; save it as one channel "
            f"whose values are the classes 0 (background), 1, 2, ...{_colours_in(colours)}"
        )
    return np.ascontiguousarray(colours[..., colours.shape[-1] // 2]), []


def _colours_in(colours: NDArray[Any]) -> str:
    """Name the colours, where they are few."""
    found = np.unique(colours.reshape(-1, colours.shape[-1])[:: max(1, colours.size // 300_000)], axis=0)
    if len(found) > 8:
        return ""
    return f" It holds the colours {', '.join(str(tuple(each.tolist())) for each in found)}."


def _black_and_white(array: NDArray[Any], path: Path, *, lossy: bool) -> tuple[NDArray[Any], list[str]]:
    """Return a mask whose borders between black and white are soft with hard ones; refuse grey pictures."""
    counts = np.bincount(array.ravel(), minlength=WHITE + 1)
    grey = int(np.count_nonzero(counts[1:WHITE]))
    if not grey or (not lossy and (array.size < _SMALL or grey < _FEW or _share_alike(array) >= _ALIKE)):
        return array, []
    middling = counts[_FAINT : WHITE - _FAINT].sum() / array.size
    if middling > _BORDERS or not counts[WHITE - _FAINT :].any():
        kind = "a JPEG, which does not keep labels as they were painted" if lossy else "an image, no label mask"
        raise InputError(
            f"{path} holds {grey} grey values between black and white: it is {kind}. Save the mask as PNG or TIFF with "
            "the values 0 (background), 1, 2, ..."
        )
    kind = "a JPEG" if lossy else "a black-and-white mask with soft borders"
    return np.where(array > HALF, WHITE, 0).astype(np.uint8), [
        f"The mask {path.name} is {kind}; above {HALF} it was taken as {WHITE}, else as 0. Save masks as PNG."
    ]


def _share_alike(array: NDArray[Any]) -> float:
    """Return the share of the grey pixels whose right and lower neighbours have the same value."""
    inner = array[..., :-1, :-1]
    grey = (inner > 0) & (inner < WHITE)
    alike = (inner == array[..., 1:, :-1]) & (inner == array[..., :-1, 1:]) & grey
    return float(alike.sum() / max(int(grey.sum()), 1))
