"""Read pictures through Pillow, which scikit-image brings along."""

from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageOps
import PIL.ImageSequence
from numpy.typing import NDArray

from ...errors import InputError
from .._image import Image
from .._names import SUFFIXES_OF, stem

_ORIENTATION = 274


def read_picture(path: Path, palette: bool) -> Image:
    """Read a picture as it is shown, turned where its EXIF says so; the frames of a moving GIF are along ``t``."""
    with PIL.Image.open(path, formats=[s[1:].upper() for s in SUFFIXES_OF["picture"] if s != ".jpg"]) as picture:
        if picture.format == "GIF" and getattr(picture, "n_frames", 1) > 1:
            frames = [np.array(frame.convert("RGB")) for frame in PIL.ImageSequence.Iterator(picture)]
            return cine(np.stack(frames), path)
        notes = _reduced(picture, path, palette)
        if picture.getexif().get(_ORIENTATION, 1) != 1:
            notes.append("The file says that it is shown turned or mirrored; it is read as it is shown.")
        shown = PIL.ImageOps.exif_transpose(picture)
        array = _image_pixels(shown) if palette else _label_pixels(shown, path)
    return Image(array, "yxc" if array.ndim == 3 else "yx", name=stem(path), notes=tuple(notes))


def _is_plain(picture: PIL.Image.Image) -> bool:
    return picture.mode in ("1", "L", "I", "F", "RGB", "RGBA") or picture.mode.startswith("I;16")


def _image_pixels(picture: PIL.Image.Image) -> NDArray[Any]:
    return np.array(picture if _is_plain(picture) else picture.convert("L" if picture.mode == "LA" else "RGB"))


def _label_pixels(picture: PIL.Image.Image, path: Path) -> NDArray[Any]:
    """Return the indices of a palette; of one that is black and white in another order, its grey values."""
    if picture.mode != "P":
        return np.array(picture if _is_plain(picture) or picture.mode == "LA" else picture.convert("RGB"))
    indices = np.array(picture)
    found = picture.getpalette("RGB") or []
    used = {int(index): tuple(found[3 * index : 3 * index + 3]) for index in np.unique(indices)}
    black = [index for index, colour in used.items() if not any(colour)]
    if not any(black):  # index 0 is black, or no colour is
        return indices
    if all(len(set(colour)) == 1 for colour in used.values()):
        return np.array(picture.convert("L"))
    raise InputError(
        f"The palette of {path} has black at {black[-1]} and not at 0, so that it is not clear which label is the "
        "background: save the mask with the values 0 (background), 1, 2, ..."
    )


def _reduced(picture: PIL.Image.Image, path: Path, palette: bool) -> list[str]:
    """Say that Pillow reads 8 of the 16 bits of a colour PNG; a mask would lose its labels."""
    with path.open("rb") as file:
        depth, colour = file.read(26)[24:]
    if picture.format != "PNG" or depth != 16 or not colour & 2:
        return []
    if not palette:
        raise InputError(f"{path} has colours of 16 bits and is no label mask: save it as one channel of 8 or 16 bits.")
    return ["Colour PNG with 16 bits is read with 8 bits; save such images as TIFF to keep all of them."]


def cine(frames: NDArray[Any], path: Path, tolerance: int = 0) -> Image:
    """Return colour frames as an image. Grey ones (red, green and blue are equal) lose the channels."""
    green = frames[..., 1].astype(np.int16)
    if all(np.abs(frames[..., other] - green).max() <= tolerance for other in (0, 2)):
        return Image(np.ascontiguousarray(frames[..., 1]), "tyx", name=stem(path))
    return Image(frames, "tyxc", name=stem(path))
