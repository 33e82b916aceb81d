"""Read the pixel size of TIFF files: OME, ImageJ, or the plain resolution tags."""

import math
import xml.etree.ElementTree as ElementTree
from typing import Any

import tifffile

from .._units import unit_name

_MICROMETER = {tifffile.RESUNIT.INCH: 25_400.0, tifffile.RESUNIT.CENTIMETER: 10_000.0}
# 1200 dots per inch: coarser tags in a plain TIFF are a printer setting, not the size of the object.
_COARSEST = 20.0
Spacing = tuple[tuple[float, ...] | None, str]
UNKNOWN: Spacing = (None, "pixel")


def tiff_spacing(tiff: tifffile.TiffFile, *, depth: bool) -> Spacing:
    """Return pixel size ((Z), Y, X) and unit; (None, "pixel") if the file states none.

    Parameters
    ----------
    tiff : TiffFile
    depth : bool
        Whether the image has a z axis.
    """
    if tiff.is_ome and tiff.ome_metadata:
        return _ome(tiff.ome_metadata, depth)
    if tiff.is_imagej and tiff.imagej_metadata is not None:
        return _imagej(tiff, tiff.imagej_metadata, depth)
    return UNKNOWN if depth else _plain(tiff)


def _ome(xml: str, depth: bool) -> Spacing:
    pixels = next((node for node in ElementTree.fromstring(xml).iter() if node.tag.endswith("}Pixels")), None)
    if pixels is None:
        return UNKNOWN
    names = ["PhysicalSizeZ"] * depth + ["PhysicalSizeY", "PhysicalSizeX"]
    if any(name not in pixels.attrib for name in names):
        return UNKNOWN
    units = {pixels.get(f"{name}Unit", "µm") for name in names}
    if len(units) > 1:
        return UNKNOWN
    return _checked([float(pixels.attrib[name]) for name in names], units.pop())


def _imagej(tiff: tifffile.TiffFile, metadata: dict[str, Any], depth: bool) -> Spacing:
    plane = _resolution(tiff)
    if plane is None:
        return UNKNOWN
    sizes = [float(metadata.get("spacing", 1.0))] * depth + list(plane)
    unit = str(metadata.get("unit", "pixel"))
    if unit in ("pixel", "pixels", "") and all(size == 1 for size in sizes):
        return UNKNOWN
    return _checked(sizes, unit)


def _plain(tiff: tifffile.TiffFile) -> Spacing:
    plane = _resolution(tiff)
    tag = tiff.pages.first.tags.get("ResolutionUnit")
    scale = _MICROMETER.get(tag.value) if tag is not None else None
    if plane is None or scale is None or max(plane) * scale > _COARSEST:
        return UNKNOWN
    return _checked([size * scale for size in plane], "micrometer")


def _resolution(tiff: tifffile.TiffFile) -> tuple[float, float] | None:
    """Return the size (Y, X) of a pixel from the resolution tags, which hold pixels per unit."""
    tags = [tiff.pages.first.tags.get(name) for name in ("YResolution", "XResolution")]
    if any(tag is None or min(tag.value) <= 0 for tag in tags):
        return None
    y, x = (tag.value[1] / tag.value[0] for tag in tags if tag is not None)
    return y, x


def _checked(sizes: list[float], unit: str) -> Spacing:
    if not all(math.isfinite(size) and size > 0 for size in sizes):
        return UNKNOWN
    return tuple(sizes), unit_name(unit)
