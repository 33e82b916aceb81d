"""Pixel size of TIFF files: OME, ImageJ, Aperio, or the plain resolution tags."""

import math
import re
from dataclasses import dataclass
from typing import Any

import tifffile

from .._units import METERS, unit_name
from ._tiff_series import ome_pixels

_MICROMETER = {tifffile.RESUNIT.INCH: 25_400.0, tifffile.RESUNIT.CENTIMETER: 10_000.0}
# 1200 dots per inch: coarser tags in a plain TIFF are a printer setting, not the size of the object.
_COARSEST = 20.0
# Dots per inch that screens and printers have, and no microscope.
_DOTS = (72.0, 96.0, 100.0, 120.0, 144.0, 150.0, 180.0, 200.0, 240.0, 300.0, 350.0, 360.0, 400.0, 600.0, 720.0, 1200.0)
_MPP = re.compile(r"\bMPP *= *([0-9.]+)")
REMEDY = "Give the pixel size (--pixel-size, or the field of the widget) if you know it."


@dataclass(frozen=True)
class Stated:
    """What a file says of its pixel size.

    Attributes
    ----------
    sizes : tuple of float or None
        ((Z), Y, X) in ``unit``.
    unit : str
    notes : tuple of str
        What was dropped or assumed.
    """

    sizes: tuple[float, ...] | None = None
    unit: str = "pixel"
    notes: tuple[str, ...] = ()


def tiff_spacing(tiff: tifffile.TiffFile, series: tifffile.TiffPageSeries, *, depth: bool) -> Stated:
    """Return the pixel size of a series; each axis is kept by itself, and what is no size of a pixel is dropped.

    Parameters
    ----------
    tiff : TiffFile
    series : TiffPageSeries
    depth : bool
        Whether the image has a z axis.
    """
    if (pixels := ome_pixels(tiff, series)) is not None:
        names = ["PhysicalSizeZ"] * depth + ["PhysicalSizeY", "PhysicalSizeX"]
        found = [(_number(pixels.get(name)), pixels.get(f"{name}Unit", "µm")) for name in names]
        return _settled(found)
    if tiff.is_imagej and tiff.imagej_metadata is not None:
        return _imagej(tiff, tiff.imagej_metadata, depth)
    if tiff.is_svs:
        mpp = _MPP.search(series.keyframe.description)
        return _settled([(_number(mpp[1]) if mpp is not None else None, "µm")] * 2)
    return _plain(series) if not depth else Stated()


def _imagej(tiff: tifffile.TiffFile, metadata: dict[str, Any], depth: bool) -> Stated:
    plane = _resolution(tiff.pages.first.aspage())
    if plane is None:
        return Stated()
    unit = str(metadata.get("unit", "pixel"))
    sizes = [_number(metadata.get("spacing", 1.0))] * depth + list(plane)
    if unit in ("pixel", "pixels", "") and all(size == 1 for size in sizes):
        return Stated()
    units = [str(metadata.get("zunit", unit))] * depth + [str(metadata.get("yunit", unit)), unit]
    return _settled(list(zip(sizes, units, strict=True)))


def _plain(series: tifffile.TiffPageSeries) -> Stated:
    page = series.keyframe
    plane = _resolution(page)
    tag = page.tags.get("ResolutionUnit")
    scale = _MICROMETER.get(tag.value) if tag is not None else None
    if plane is None or scale is None:
        return Stated()
    sizes = [size * scale for size in plane]
    if max(sizes) > _COARSEST:
        return Stated(notes=(_printed(sizes[-1]),))
    return _settled([(size, "µm") for size in sizes])


def _settled(found: list[tuple[float | None, str]]) -> Stated:
    """Return ((Z), Y, X) in one unit, that of x, out of sizes with a unit each."""
    found = [(abs(size) if size is not None and math.isfinite(size) and size != 0 else None, u) for size, u in found]
    (y, y_unit), (x, x_unit) = found[-2:]
    if y is None and x is None:
        return Stated()
    notes = []
    if y is None or x is None:
        (y, y_unit), (x, x_unit) = [found[-1] if y is None else found[-2]] * 2
        notes.append("The file states the size of a pixel along one axis only; it is taken for both.")
    assert x is not None
    assert y is not None
    own = unit_name(x_unit)
    sizes = [_converted(y, y_unit, x_unit), x]
    if sizes[0] is None:
        return Stated(notes=(f"The pixel size of the file mixes {y_unit!r} and {x_unit!r} and was dropped. {REMEDY}",))
    if own in METERS and _is_printers(sizes, METERS[own] * 1e6, inch=own == "inch"):
        return Stated(notes=(_printed(x * METERS[own] * 1e6),))
    if len(found) == 3:
        z = _converted(found[0][0], found[0][1], x_unit)
        if z is None:
            z = sizes[0]
            notes.append(
                f"The file states no distance of its slices that can be used; it is taken as {z:.4g} {own}, as along y."
            )
        sizes.insert(0, z)
    kept = tuple(float(size) for size in sizes if size is not None)
    if own == "inch":
        return Stated(tuple(size * 25_400 for size in kept), "micrometer", tuple(notes))
    return Stated(kept, own, tuple(notes))


def _converted(size: float | None, unit: str, wanted: str) -> float | None:
    """Return a size in another unit; None where they do not compare."""
    if size is None or unit == wanted or unit_name(unit) == unit_name(wanted):
        return size
    own, other = METERS.get(unit_name(unit)), METERS.get(unit_name(wanted))
    return None if own is None or other is None else float(f"{size * own / other:.12g}")


def _is_printers(sizes: list[float | None], micrometers: float, *, inch: bool) -> bool:
    """Whether pixels are squares of one dot of a screen or printer."""
    y, x = (float(size or 0) * micrometers for size in sizes)
    square = math.isclose(y, x, rel_tol=1e-3)
    return (inch and x > _COARSEST) or (
        square and x > _COARSEST and any(math.isclose(x, 25_400 / dots, rel_tol=1e-4) for dots in _DOTS)
    )


def _printed(size: float) -> str:
    return (
        f"The file says {25_400 / size:.4g} dots per inch, which is a setting for printers and no size of a pixel; "
        f"it was ignored. {REMEDY}"
    )


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _resolution(page: tifffile.TiffPage) -> tuple[float, float] | None:
    """Size (Y, X) of a pixel out of the resolution tags, which hold pixels per unit."""
    tags = [page.tags.get(name) for name in ("YResolution", "XResolution")]
    if any(tag is None or min(tag.value) <= 0 for tag in tags):
        return None
    y, x = (tag.value[1] / tag.value[0] for tag in tags if tag is not None)
    return y, x
