"""Write TIFF: ImageJ and OME."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from ..._util import replacing
from ...errors import InputError
from .._image import Image
from .._units import unit_name
from ._axes_note import fold, note_text

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

    ImageJ's own flavour is chosen because Fiji opens it calibrated under any file name and without Bio-Formats.
    The provenance is found there under Image > Show Info; several frame axes become ImageJ's time axis.
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
    """Write an OME-TIFF: pixel size along each axis with its unit; the provenance is the image's description."""
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


def write_ome(path: Path | str, image: Image) -> None:
    """Write an image as OME-TIFF, compressed with zlib, beside its place and then renamed.

    Three or four 8- or 16-bit channels are stored as colour. Numbers that OME does not know take the nearest kind that
    holds them: booleans uint8, float16 float32, integers of 64 bits int32.

    Parameters
    ----------
    path : Path
        Ends in ``.ome.tif``; its folder is made if need be.
    image : Image

    Raises
    ------
    InputError
        Where there are numbers that do not fit, or the disk refuses.
    """
    with replacing(Path(path)) as partial:
        save_ome(partial, image.replace(array=_storable(image)), {})


def _storable(image: Image) -> NDArray[Any]:
    """Return the pixels in a kind of number that OME-TIFF knows."""
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
