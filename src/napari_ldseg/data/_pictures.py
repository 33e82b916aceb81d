"""Pictures through Pillow (which scikit-image brings along) and TIFF through tifffile."""

from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageSequence
import tifffile
from numpy.typing import NDArray

from ..errors import InputError
from ._damage import check_complete, refuse_damage
from ._files import SUFFIXES_OF, stem
from ._image import FRAMES, Image
from ._spacing import tiff_spacing
from ._writer import written_axes


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
    """A sequence of colour frames as an image; grey ones (red, green and blue are equal) lose the channels."""
    green = frames[..., 1].astype(np.int16)
    if all(np.abs(frames[..., other] - green).max() <= tolerance for other in (0, 2)):
        return Image(np.ascontiguousarray(frames[..., 1]), "tyx", name=stem(path))
    return Image(frames, "tyxc", name=stem(path))


def read_tiff(path: Path, palette: bool) -> Image:
    """Read the first series of a TIFF file; where its 0 is white, an image is inverted and labels are not."""
    with refuse_damage(), tifffile.TiffFile(path) as tiff:
        series = tiff.series[0]
        page = series.keyframe
        check_complete(tiff, series)
        bits = page.bitspersample
        try:
            array = series.asarray()
        except ValueError as error:
            if "imagecodecs" not in str(error):
                raise
            array = _decode_with_pillow(path, series, error)
            bits = 8 * array.itemsize  # Pillow stretches fewer
        letters = series.axes
        if palette and page.photometric == tifffile.PHOTOMETRIC.PALETTE and page.colormap is not None:
            array = np.moveaxis((page.colormap[:, array] >> 8).astype(np.uint8), 0, -1)
            letters += "S"
        if palette and page.photometric == tifffile.PHOTOMETRIC.MINISWHITE and array.dtype.kind in "bu":
            array = ~array if array.dtype == bool else (2**bits - 1 - array).astype(array.dtype)
        own = written_axes(tiff, array.shape)
        axes = own[0] if own is not None else _our_axes(path, letters)
        spacing, unit = tiff_spacing(tiff, depth="z" in axes)
    if own is not None:
        array = array.reshape(own[1])
    order = sorted(range(len(axes)), key=lambda index: _place(axes[index]))
    array, axes = np.transpose(array, order), "".join(axes[index] for index in order)
    return Image(np.ascontiguousarray(array), axes, spacing, unit, stem(path))


def _decode_with_pillow(path: Path, series: tifffile.TiffPageSeries, reason: ValueError) -> NDArray[Any]:
    """Decode LZW, JPEG and the like without imagecodecs, where Pillow holds the same pixels.

    Where 0 is white, Pillow inverts 1 and 8 bits, which is undone.
    """
    white = series.keyframe.photometric == tifffile.PHOTOMETRIC.MINISWHITE
    planes = []
    with PIL.Image.open(path) as picture:
        for page in series.pages:
            picture.seek(page.index if page is not None else 0)
            planes.append(~np.array(picture) if white and picture.mode in ("1", "L") else np.array(picture))
    if any(plane.dtype != series.dtype for plane in planes) or sum(plane.size for plane in planes) != series.size:
        raise reason
    return np.stack(planes).reshape(series.shape)


def _our_axes(path: Path, letters: str) -> str:
    """Axes of tifffile in our letters: S and C are channels, unknown stacks are frames."""
    axes = "".join({"S": "c", "C": "c"}.get(letter, letter.lower() if letter in "TZYX" else "?") for letter in letters)
    for free in "pst":
        if free not in axes:
            axes = axes.replace("?", free, 1)
    if "?" in axes or axes.count("c") > 1:
        raise InputError(f"{path} has the axes {letters}, which is more than one image; export a part of it.")
    return axes


def _place(axis: str) -> int:
    """Frames first (in their own order), then z, y, x, and the channels last."""
    return 0 if axis in FRAMES else "zyxc".index(axis) + 1
