"""Results into TIFF files that ImageJ, Fiji and Bio-Formats open with their pixel size; how any file is replaced."""

import os
import shutil
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from ..errors import InputError
from ._fold import fold, note_text, parse_notes, unfold
from ._image import Image
from ._spacing import unit_name

_IMAGEJ_UNITS = {
    "micrometer": "micron",
    "nanometer": "nm",
    "millimeter": "mm",
    "centimeter": "cm",
    "meter": "m",
}
_OME_UNITS = {"micrometer": "µm", "nanometer": "nm", "millimeter": "mm", "centimeter": "cm", "meter": "m"}
_OME_TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")


def write_tiff(
    path: Path | str,
    array: NDArray[Any],
    axes: str,
    *,
    spacing: tuple[float, ...] | None,
    unit: str,
    metadata: Mapping[str, Any],
) -> None:
    """Write an ImageJ TIFF with pixel size, unit and provenance, compressed with zlib.

    ImageJ's own flavour is chosen because Fiji opens it calibrated under any file name and without Bio-Formats.
    The file is written beside its place and renamed, so that a failure leaves no half file. A missing folder is made.

    Parameters
    ----------
    path : Path
    array : uint8, uint16, float32 or bool array
        A mask is written as uint8.
    axes : str
        One letter for each axis, out of t, p, s, z, c, y, x; several frame axes become ImageJ's time axis, and
        :func:`read_image` unfolds them again.
    spacing : tuple of float or None
        Pixel size ((Z), Y, X) in ``unit``.
    unit : str
    metadata : mapping
        Provenance, everything JSON; it is found in Fiji under Image > Show Info.

    Raises
    ------
    InputError
        Where array and axes do not fit, or the disk refuses.
    """
    path = Path(path)
    image = as_image(array, axes, spacing=spacing, unit=unit, name=path.name)
    check_imagej(image)
    with _replacing(path) as partial:
        save_imagej(partial, image, metadata)


def as_image(array: Any, axes: str, *, name: str, **place: Any) -> Image:
    """Check that array and axes fit; a mask becomes uint8."""
    array = np.asarray(array)
    return Image(array.astype(np.uint8) if array.dtype == bool else array, axes, name=name, **place)


def check_imagej(image: Image) -> None:
    """Refuse what ImageJ knows no type of pixel for."""
    if image.array.dtype not in (np.uint8, np.uint16, np.float32):
        raise InputError(f"{image.name} cannot hold {image.array.dtype} values; convert to uint8, uint16 or float32.")


def save_imagej(path: Path, image: Image, metadata: Mapping[str, Any]) -> None:
    """Write an ImageJ TIFF; see :func:`write_tiff`."""
    check_imagej(image)
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


def write_text(path: Path | str, text: str) -> None:
    r"""Write a text file in UTF-8, beside its place first, then renamed; a missing folder is made.

    What is not UTF-8 in the name of a file is written with a backslash: ``M\udcfcller``.

    Raises
    ------
    InputError
        Where the disk refuses.
    """
    with _replacing(Path(path)) as partial:
        partial.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")


def partial_of(path: Path) -> Path:
    """Return where a file or folder is while it is not whole."""
    return path.with_name(f".{path.name}.partial")


def put_in_place(partial: Path, path: Path) -> None:
    """Let a file or folder that is whole take its place, instead of an older one."""
    if not path.is_dir():
        os.replace(partial, path)
        return
    old = path.with_name(f".{path.name}.old")
    _remove(old)
    os.replace(path, old)
    os.replace(partial, path)
    _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Give a file or folder beside ``path`` to write to, which takes its place once it is whole; refuse in words."""
    partial = partial_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove(partial)
        try:
            yield partial
            put_in_place(partial, path)
        finally:
            _remove(partial)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"{path} cannot be written ({reason}); choose another folder or make room.") from error


def tiff_notes(path: Path) -> dict[str, Any]:
    """Return the provenance in an ImageJ or OME-TIFF, with the note of its axes."""
    with tifffile.TiffFile(path) as tiff:
        return _notes(tiff)


def written_axes(tiff: tifffile.TiffFile, stored: tuple[int, ...]) -> tuple[str, tuple[int, ...]] | None:
    """Axes and shape as :func:`write_tiff` noted them; see :func:`unfold`."""
    return unfold(_notes(tiff), stored)


def _notes(tiff: tifffile.TiffFile) -> dict[str, Any]:
    if tiff.is_imagej:
        return parse_notes((tiff.imagej_metadata or {}).get("Info"))
    if tiff.is_ome and tiff.ome_metadata:
        nodes = ElementTree.fromstring(tiff.ome_metadata).iter()
        found = (parse_notes(node.text) for node in nodes if node.tag.endswith("}Description"))
        return next(filter(None, found), {})
    return {}
