"""Read pictures through Pillow, which scikit-image brings along."""

from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageSequence
from numpy.typing import NDArray

from .._image import Image
from .._names import SUFFIXES_OF, stem


def read_picture(path: Path, palette: bool) -> Image:
    """Read a picture; the frames of a moving GIF are along ``t``."""
    with PIL.Image.open(path, formats=[s[1:].upper() for s in SUFFIXES_OF["picture"] if s != ".jpg"]) as picture:
        if picture.format == "GIF" and getattr(picture, "n_frames", 1) > 1:
            frames = [np.array(frame.convert("RGB")) for frame in PIL.ImageSequence.Iterator(picture)]
            return cine(np.stack(frames), path)
        plain = picture.mode in ("1", "L", "I", "F", "RGB", "RGBA") or picture.mode.startswith("I;16")
        if not plain and (palette or picture.mode != "P"):
            array = np.array(picture.convert("L" if picture.mode == "LA" else "RGB"))
        else:
            array = np.array(picture)
    return Image(array, "yxc" if array.ndim == 3 else "yx", name=stem(path))


def cine(frames: NDArray[Any], path: Path, tolerance: int = 0) -> Image:
    """Return colour frames as an image. Grey ones (red, green and blue are equal) lose the channels."""
    green = frames[..., 1].astype(np.int16)
    if all(np.abs(frames[..., other] - green).max() <= tolerance for other in (0, 2)):
        return Image(np.ascontiguousarray(frames[..., 1]), "tyx", name=stem(path))
    return Image(frames, "tyxc", name=stem(path))
