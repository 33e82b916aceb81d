"""Read images of every format; errors say what is wrong with a file."""

import re
from pathlib import Path

import PIL.Image

from ..errors import InputError, LDSegError
from ._image import Image
from ._masks import as_labels
from ._names import READABLE, address_of, format_of
from .formats._registry import FORMATS

_CODEC = re.compile(r"(imagecodecs)")


def read_image(path: Path | str) -> Image:
    """Read an image file, or a folder that holds one DICOM series.

    TIFF, PNG, JPEG, BMP, GIF and MetaImage need nothing else. NIfTI, DICOM, AVI and MP4 need the extra ``medical``,
    and OME-Zarr the extra ``zarr``; its pixels are read on demand, also over ``http``, ``https``, ``s3`` and ``gs``
    (extra ``cloud``).

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
    return as_labels(_read(Path(path), palette=False), Path(path))


def _read(path: Path, *, palette: bool) -> Image:
    address = address_of(path)
    if address is None and not path.exists():
        raise InputError(f"{path} does not exist; check the path.")
    kind = format_of(path)
    if kind is None:
        raise InputError(f"{path} cannot be read: it is no image file of a known kind. {READABLE}.")
    try:
        if address is None and path.is_file() and path.stat().st_size == 0:
            raise InputError(f"{path} is empty (0 bytes); copy or export it again.")  # noqa: TRY301
        image = FORMATS[kind].read(path, palette)
    except LDSegError:
        raise
    except PIL.Image.DecompressionBombError as error:
        raise InputError(f"{path} is too large for its kind of file; save it as TIFF.") from error
    except MemoryError as error:
        raise InputError(
            f"{path} does not fit into memory. Close other programs, or save it as a pyramid (OME-Zarr, OME-TIFF), "
            "which is read in parts. If it should be small, it is damaged; copy or export it again."
        ) from error
    except Exception as error:  # a damaged file makes the libraries raise all kinds
        if codec := _CODEC.search(str(error)):
            raise InputError(
                f"{path} is compressed in a way that needs the package {codec[1]} ({error}); run: pip install "
                "'napari-ldseg[slides]', or save it without compression."
            ) from error
        raise InputError(
            f"{path} cannot be read ({str(error) or type(error).__name__}): it is damaged, incomplete or not what its "
            "name says; copy or export it again."
        ) from error
    if image.array.size == 0:
        raise InputError(f"{path} holds no pixels; export it again.")
    return image
