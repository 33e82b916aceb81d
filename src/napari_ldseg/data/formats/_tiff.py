"""Read and write TIFF: ImageJ, OME and plain."""

import logging
import re
import threading
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageSequence
import tifffile
from numpy.typing import NDArray

from ..._util import replacing
from ...errors import InputError
from .._image import FRAMES, Image
from .._names import stem
from .._units import unit_name
from ._axes_note import fold, note_text, parse_notes, unfold
from ._tiff_spacing import tiff_spacing

_IMAGEJ_UNITS = {
    "micrometer": "micron",
    "nanometer": "nm",
    "millimeter": "mm",
    "centimeter": "cm",
    "meter": "m",
}
_OME_UNITS = {"micrometer": "µm", "nanometer": "nm", "millimeter": "mm", "centimeter": "cm", "meter": "m"}
_OME_TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")


def as_image(array: Any, axes: str, *, name: str, **place: Any) -> Image:
    """Check that array and axes fit. A bool mask becomes uint8."""
    array = np.asarray(array)
    return Image(array.astype(np.uint8) if array.dtype == bool else array, axes, name=name, **place)


def save_imagej(path: Path, image: Image, metadata: Mapping[str, Any]) -> None:
    """Write an ImageJ TIFF with pixel size, unit and provenance, compressed with zlib.

    Fiji opens this flavour calibrated under any file name, without Bio-Formats. It shows the provenance under
    Image > Show Info. Several frame axes become ImageJ's time axis.
    """
    if image.array.dtype not in (np.uint8, np.uint16, np.float32):
        raise InputError(f"{image.name} cannot hold {image.array.dtype} values; convert to uint8, uint16 or float32.")
    stack, axes, note = fold(image, "zcyx")
    options: dict[str, Any] = {"axes": axes.upper(), "Info": note_text(metadata, note, indent=1)}
    spacing, unit = image.spacing, unit_name(image.unit)
    resolution = None
    if spacing is not None:
        options["unit"] = _IMAGEJ_UNITS.get(unit, unit)
        resolution = (1 / spacing[-1], 1 / spacing[-2])
        if len(spacing) == 3:
            options["spacing"] = spacing[0]
    tifffile.imwrite(
        path,
        stack,
        imagej=True,
        photometric="minisblack",
        resolution=resolution,
        metadata=options,
        compression="zlib",
    )


def save_ome(path: Path, image: Image, metadata: Mapping[str, Any]) -> None:
    """Write an OME-TIFF with the pixel size and unit of each axis. The provenance is the image's description."""
    if image.array.dtype not in _OME_TYPES:
        raise InputError(f"{image.name} cannot hold {image.array.dtype} values; convert to uint8, int32 or float32.")
    colours = image.array.dtype in (np.uint8, np.uint16) and image.channels in (3, 4) and "c" in image.axes
    stack, axes, note = fold(image, "zyxc" if colours else "zcyx")
    options: dict[str, Any] = {
        "axes": axes.upper().replace("C", "S") if colours else axes.upper(),
        "Description": note_text(metadata, note),
    }
    unit = _OME_UNITS.get(unit_name(image.unit))
    if image.spacing is not None and unit is not None:
        for axis, size in zip(image.spatial.upper(), image.spacing, strict=True):
            options |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": unit}
    photometric = "rgb" if colours else "minisblack"
    tifffile.imwrite(path, stack, ome=True, photometric=photometric, metadata=options, compression="zlib")


def tiff_notes(path: Path) -> dict[str, Any]:
    """Return the provenance in an ImageJ or OME-TIFF, with the note of its axes."""
    with tifffile.TiffFile(path) as tiff:
        return _notes(tiff)


def written_axes(tiff: tifffile.TiffFile, stored: tuple[int, ...]) -> tuple[str, tuple[int, ...]] | None:
    """Return axes and shape as :func:`write_image` noted them; see :func:`unfold`."""
    return unfold(_notes(tiff), stored)


def _notes(tiff: tifffile.TiffFile) -> dict[str, Any]:
    if tiff.is_imagej:
        return parse_notes((tiff.imagej_metadata or {}).get("Info"))
    if tiff.is_ome and tiff.ome_metadata:
        nodes = ElementTree.fromstring(tiff.ome_metadata).iter()
        found = (parse_notes(node.text) for node in nodes if node.tag.endswith("}Description"))
        return next(filter(None, found), {})
    return {}


def write_ome(path: Path | str, image: Image) -> None:
    """Write an image as OME-TIFF, compressed with zlib, beside its place and then renamed.

    Three or four 8- or 16-bit channels are stored as colour. Types that OME does not know become the nearest one that
    holds them: booleans uint8, float16 float32, 64-bit integers int32.

    Parameters
    ----------
    path : Path
        Ends in ``.ome.tif``. Its folder is created if needed.
    image : Image

    Raises
    ------
    InputError
        If some numbers do not fit, or writing fails.
    """
    with replacing(Path(path)) as partial:
        save_ome(partial, image.replace(array=_storable(image)), {})


def _storable(image: Image) -> NDArray[Any]:
    """Return the pixels in a type that OME-TIFF knows."""
    array = np.asarray(image.array)
    if array.dtype == bool:
        return array.astype(np.uint8)
    if array.dtype.kind == "f":
        return array.astype(np.float32 if array.dtype.itemsize < 8 else np.float64, copy=False)
    if array.dtype.kind in "ui" and array.dtype.itemsize == 8:
        limits = np.iinfo(np.int32)
        if array.size and (array.min() < limits.min or array.max() > limits.max):
            raise InputError(f"{image.name!r} holds numbers beyond 32 bits; convert it to float32 or uint16 first.")
        return array.astype(np.int32)
    if array.dtype.kind not in "ui":
        raise InputError(f"{image.name!r} holds {array.dtype} values; convert it to integers or float32 first.")
    return array


# A page or the description (which holds axes and pixel size) lies beyond the end of the file.
_FATAL = re.compile(r"invalid page offset|corrupted tag list|TiffTag 270 |metadata invalid or corrupted")


@contextmanager
def refuse_damage() -> Iterator[None]:
    """Raise ValueError if tifffile logs that it skipped pages or their description.

    Otherwise it would carry on with only the first pages, or without the pixel size.
    """
    handler = _Collector(level=logging.ERROR)
    logger = tifffile.logger()
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
    if handler.messages:
        raise ValueError(handler.messages[0])


def check_complete(tiff: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> None:
    """Raise ValueError if the pixels end early (tifffile itself may fill up with zeros)."""
    size = tiff.filehandle.size
    end = series.dataoffset + series.nbytes if series.dataoffset is not None else 0
    for page in series.pages:
        if page is None:
            raise ValueError("a page is missing")
        end = max([end, *(a + b for a, b in zip(page.dataoffsets, page.databytecounts, strict=False))])
    if end > size:
        raise ValueError(f"truncated: {size} bytes, but the pixels reach to byte {end}")


class _Collector(logging.Handler):
    """Keeps the fatal messages of the thread that made it."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.messages: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one message if it is fatal and from our thread."""
        message = record.getMessage()
        if record.thread == self._thread and _FATAL.search(message):
            self.messages.append(message)


def read_tiff(path: Path, palette: bool) -> Image:
    """Read the first series of a TIFF file. If 0 is white, images are inverted, but labels are not."""
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
            bits = 8 * array.itemsize  # Pillow stretches smaller ones
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
    """Decode LZW, JPEG and the like without imagecodecs, if Pillow reads the same pixels.

    If 0 is white, Pillow inverts 1 and 8 bits; this is undone.
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
    """Translate tifffile's axes into our letters: S and C are channels, unknown stacks are frames."""
    axes = "".join({"S": "c", "C": "c"}.get(letter, letter.lower() if letter in "TZYX" else "?") for letter in letters)
    for free in "pst":
        if free not in axes:
            axes = axes.replace("?", free, 1)
    if "?" in axes or axes.count("c") > 1:
        raise InputError(f"{path} has the axes {letters}, too many for one image; export a part of it.")
    return axes


def _place(axis: str) -> int:
    """Put frames first (in their own order), then z, y, x, and the channels last."""
    return 0 if axis in FRAMES else "zyxc".index(axis) + 1
