"""Files into arrays: TIFF through tifffile, pictures through Pillow (which scikit-image brings along)."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import tifffile
from numpy.typing import NDArray

from ..errors import InputError
from ._damage import check_complete, refuse_damage
from ._files import PICTURE_SUFFIXES, READABLE, SUFFIXES, TIFF_SUFFIXES, ZARR_SUFFIX, stem
from ._image import FRAMES, Image
from ._ome_zarr import read_ome_zarr
from ._spacing import tiff_spacing
from ._writer import written_axes

# What the two libraries raise on damaged files. MemoryError: a damaged header may promise terabytes.
_DAMAGE = (
    OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError, SyntaxError, ZeroDivisionError,
    OverflowError, AssertionError, MemoryError, struct.error, zlib.error, tifffile.TiffFileError,
)  # fmt: skip


def read_image(path: Path | str) -> Image:
    """Read a TIFF, PNG, JPEG, BMP or GIF (first frame), or open an OME-Zarr, whose pixels are read when needed.

    Colour has the axes ``yxc`` with three channels, or four where the file holds transparency; a palette becomes RGB.
    Of a TIFF the first series is read, with all its axes: channels come last, time is ``t``, and stacks of unknown
    meaning are ``p``. The pixel size is read from OME-TIFF, from ImageJ's metadata or from the resolution tags; a
    resolution that is coarser than 20 micrometer a pixel is a setting for printers and is ignored, as is that of
    PNG and JPEG. A PNG with 16 bits *and* colour is read with 8 bits: save such images as TIFF.

    Raises
    ------
    InputError
        Where the file is missing, empty, truncated, damaged or of an unknown kind.
    """
    path = Path(path)
    return read_ome_zarr(path) if path.suffix.lower() == ZARR_SUFFIX else _read(path, palette=True)


def read_labels(path: Path | str) -> Image:
    """Read a label mask: whole numbers, one for each pixel, no channel axis.

    A palette picture gives its indices, floats with whole values become integers, and a colour picture whose
    red, green and blue are equal gives one of them.

    Raises
    ------
    InputError
        As :func:`read_image`, and where the file holds colours or fractions instead of classes.
    """
    image = _read(Path(path), palette=False)
    array, axes = image.array, image.axes
    if "c" in axes:
        colours = array[..., :3]
        if image.channels not in (1, 3, 4) or np.any(colours != colours[..., :1]):
            raise InputError(
                f"{path} has {image.channels} different channels and is no label mask: save it as one channel "
                "whose values are the classes 0 (background), 1, 2, ..."
            )
        array, axes = np.ascontiguousarray(array[..., 0]), axes.replace("c", "")
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
    return image.replace(array=array, axes=axes)


def _read(path: Path, *, palette: bool) -> Image:
    suffix = path.suffix.lower()
    if not path.exists():
        raise InputError(f"{path} does not exist; check the path.")
    if suffix not in SUFFIXES or not path.is_file():
        raise InputError(f"{path} cannot be read: it is no image file of a known kind. {READABLE}.")
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path} is empty (0 bytes); copy or export it again.")
        image = (_read_tiff if suffix in TIFF_SUFFIXES else _read_picture)(path, palette)
    except PIL.Image.DecompressionBombError as error:
        raise InputError(f"{path} is too large for its kind of file; save it as TIFF.") from error
    except _DAMAGE as error:
        if "imagecodecs" in str(error):
            remedy = "install the package imagecodecs, or save it without compression"
        else:
            remedy = "it is damaged, incomplete or not what its name says; copy or export it again"
        raise InputError(f"{path} cannot be read ({error}): {remedy}.") from error
    if image.array.size == 0:
        raise InputError(f"{path} holds no pixels; export it again.")
    return image


def _read_picture(path: Path, palette: bool) -> Image:
    with PIL.Image.open(path, formats=[s[1:].upper() for s in PICTURE_SUFFIXES if s != ".jpg"]) as picture:
        plain = picture.mode in ("1", "L", "I", "F", "RGB", "RGBA") or picture.mode.startswith("I;16")
        if not plain and (palette or picture.mode != "P"):
            array = np.array(picture.convert("L" if picture.mode == "LA" else "RGB"))
        else:
            array = np.array(picture)
    return Image(array, "yxc" if array.ndim == 3 else "yx", name=stem(path))


def _read_tiff(path: Path, palette: bool) -> Image:
    with refuse_damage(), tifffile.TiffFile(path) as tiff:
        series = tiff.series[0]
        page = series.keyframe
        check_complete(tiff, series)
        try:
            array = series.asarray()
        except ValueError as error:
            if "imagecodecs" not in str(error):
                raise
            array = _decode_with_pillow(path, series, error)
        letters = series.axes
        if palette and page.photometric == tifffile.PHOTOMETRIC.PALETTE and page.colormap is not None:
            array = np.moveaxis((page.colormap[:, array] >> 8).astype(np.uint8), 0, -1)
            letters += "S"
        own = written_axes(tiff, array.shape)
        axes = own[0] if own is not None else _our_axes(path, letters)
        spacing, unit = tiff_spacing(tiff, depth="z" in axes)
    if own is not None:
        array = array.reshape(own[1])
    order = sorted(range(len(axes)), key=lambda index: _place(axes[index]))
    array, axes = np.transpose(array, order), "".join(axes[index] for index in order)
    return Image(np.ascontiguousarray(array), axes, spacing, unit, stem(path))


def _decode_with_pillow(path: Path, series: tifffile.TiffPageSeries, reason: ValueError) -> NDArray[Any]:
    """Decode LZW, JPEG and the like without imagecodecs, where Pillow holds the same pixels."""
    planes = []
    with PIL.Image.open(path) as picture:
        for page in series.pages:
            picture.seek(page.index if page is not None else 0)
            planes.append(np.array(picture))
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
