"""Files into images, whatever their format, and what is wrong with them in words."""

import re
from pathlib import Path

import PIL.Image

from ..errors import InputError, LDSegError
from ._image import Image
from ._masks import as_labels
from ._names import READABLE, format_of
from .formats._registry import FORMATS

_CODEC = re.compile(r"(imagecodecs)")


def read_image(path: Path | str) -> Image:
    """Read an image file, or a folder that is one DICOM series.

    TIFF, PNG, JPEG, BMP, GIF and MetaImage are read by what the package brings along; NIfTI, DICOM, AVI and MP4 need
    the extra ``medical``, and OME-Zarr, whose pixels are read when they are asked for, the extra ``zarr``.

    Colour has the axes ``yxc`` with three channels, or four where the file holds transparency; a palette becomes RGB.
    Of a TIFF the first series is read, with all its axes: channels come last, time is ``t``, and stacks of unknown
    meaning are ``p``. The pixel size is read from OME-TIFF, from ImageJ's metadata or from the resolution tags; a
    resolution that is coarser than 20 micrometer a pixel is a setting for printers and is ignored, as is that of
    PNG and JPEG. A PNG with 16 bits *and* colour is read with 8 bits: save such images as TIFF.

    Medical images carry their geometry, for writing results back onto them; their axes are those of the file, ((z), y,
    x), never turned. The frames of a cine and the fourth axis of NIfTI are ``t``.

    Raises
    ------
    InputError
        Where the file is missing, empty, truncated, damaged or of an unknown kind.
    """
    return _read(Path(path), palette=True)


def read_labels(path: Path | str) -> Image:
    """Read a label mask: whole numbers, one for each pixel, no channel axis.

    A palette picture gives its indices, floats with whole values become integers, and a colour picture whose
    red, green and blue are equal gives one of them.

    Raises
    ------
    InputError
        As :func:`read_image`, and where the file holds colours or fractions instead of classes.
    """
    return as_labels(_read(Path(path), palette=False), Path(path))


def _read(path: Path, *, palette: bool) -> Image:
    if not path.exists():
        raise InputError(f"{path} does not exist; check the path.")
    kind = format_of(path)
    if kind is None:
        raise InputError(f"{path} cannot be read: it is no image file of a known kind. {READABLE}.")
    try:
        if path.is_file() and path.stat().st_size == 0:
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
