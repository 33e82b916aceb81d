"""Read images of every format; errors say what is wrong with a file."""

import struct
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import tifffile

from ..errors import InputError
from ._image import Image
from ._names import READABLE, format_of
from .formats._registry import FORMATS

# The libraries raise these on damaged files. MemoryError: a damaged header may promise terabytes.
_DAMAGE = (
    OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError, SyntaxError, ZeroDivisionError,
    OverflowError, AssertionError, MemoryError, EOFError, struct.error, zlib.error, tifffile.TiffFileError,
)  # fmt: skip


def read_image(path: Path | str) -> Image:
    """Read an image file, or a folder that holds one DICOM series.

    TIFF, PNG, JPEG, BMP, GIF and MetaImage need nothing else. NIfTI, DICOM, AVI and MP4 need the extra ``medical``,
    and OME-Zarr the extra ``zarr``; its pixels are read on demand.

    Colour images have the axes ``yxc``, with a fourth channel if the file holds transparency. A palette becomes RGB.
    From a TIFF the first series is read, with all its axes: channels come last, time is ``t``, and stacks of unknown
    meaning are ``p``. The pixel size comes from OME-TIFF, from ImageJ's metadata or from the resolution tags. A
    resolution coarser than 20 micrometres a pixel is a printer setting and is ignored, and so is that of PNG and
    JPEG. A 16-bit colour PNG is read with 8 bits: save such images as TIFF.

    Medical images keep their geometry, so that results are written back onto them. Their axes are those of the file,
    ((z), y, x), never turned. The frames of a cine and the fourth axis of NIfTI are ``t``.

    Raises
    ------
    InputError
        If the file is missing, empty, truncated, damaged or of an unknown kind.
    """
    return _read(Path(path), palette=True)


def read_labels(path: Path | str) -> Image:
    """Read a label mask: a whole number for each pixel, without a channel axis.

    A palette image gives its indices, floats with whole values become integers, and of a colour image with equal
    channels one channel is read.

    Raises
    ------
    InputError
        As :func:`read_image`, and if the file holds colours or fractions instead of classes.
    """
    image = _read(Path(path), palette=False)
    array, axes = image.array, image.axes
    if "c" in axes:
        array = np.moveaxis(array, axes.index("c"), -1)
        colours = array[..., :3]
        if image.channels not in (1, 3, 4) or np.any(colours != colours[..., :1]):
            raise InputError(
                f"{path} has {image.channels} different channels, so it is no label mask; save it as one channel "
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
    if not path.exists():
        raise InputError(f"{path} does not exist; check the path.")
    kind = format_of(path)
    if kind is None:
        raise InputError(f"{path} cannot be read: it is no image file of a known kind. {READABLE}.")
    try:
        if path.is_file() and path.stat().st_size == 0:
            raise InputError(f"{path} is empty (0 bytes); copy or export it again.")
        image = FORMATS[kind].read(path, palette)
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
