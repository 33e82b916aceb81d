"""Read and write ImageJ's regions (ROI Manager) through roifile."""

import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import roifile
import shapely

from ..errors import InputError
from ._shape import Shape, valid

CLASS = "class"
_LINES = ("LINE", "FREELINE", "POLYLINE", "ANGLE")


def read_rois(path: Path) -> list[Shape]:
    """Read a ``.roi`` file, or a ``.zip`` of them.

    The class is the property ``class``, else the number of the ROI's group; a ROI of neither has none. Where a ROI
    names only its place in the stack, that is its slice and its frame.

    Raises
    ------
    InputError
        The file cannot be read.
    """
    try:
        found = roifile.roiread(path)
        rois = found if isinstance(found, list) else [found]
        return [shape for roi in rois if (shape := _shape(roi)) is not None]
    except (OSError, ValueError, zipfile.BadZipFile, KeyError, IndexError, RuntimeError, NotImplementedError) as error:
        raise InputError(f"{path} cannot be read as ImageJ ROIs ({error}); save them again.") from error


def _shape(roi: Any) -> Shape | None:
    kind = roi.roitype.name
    parts = [np.asarray(each, float) for each in roi.coordinates(multi=True) if len(each)]
    if not parts:
        return None
    geometry: Any
    if kind == "POINT":
        half = 0.0 if roi.subpixel_coordinates is not None else 0.5
        geometry = shapely.MultiPoint(np.concatenate(parts) + half)
    elif kind in _LINES:
        geometry = shapely.MultiLineString([part for part in parts if len(part) > 1])
    else:
        geometry = shapely.Polygon()
        # Of a composite ROI, outlines inside of others are holes: even and odd.
        for part in parts:
            if len(part) > 2:
                geometry = geometry.symmetric_difference(valid(shapely.Polygon(part)))
    if geometry.is_empty:
        return None
    notes = dict(line.split(": ", 1) for line in (roi.props or "").splitlines() if ": " in line)
    name = notes.get(CLASS) or (f"group {roi.group}" if roi.group else "")
    return Shape(geometry, name.strip(), "roi", _plane(roi), color=_color(roi), title=roi.name or "")


def _plane(roi: Any) -> dict[str, int]:
    plane = {"z": roi.z_position - 1, "t": roi.t_position - 1}
    plane = {axis: place for axis, place in plane.items() if place >= 0}
    if not plane and roi.position > 0:
        return {"z": roi.position - 1, "t": roi.position - 1}
    return plane


def _color(roi: Any) -> tuple[int, int, int] | None:
    alpha, red, green, blue = bytes(roi.stroke_color)
    return (red, green, blue) if alpha else None


def imagej_rois(path: Path, shapes: Iterable[Shape]) -> None:
    """Write areas as a ``.zip`` for ImageJ's ROI Manager. Those with holes or several pieces are composite ROIs.

    Class and measurements are properties of each ROI (*Image > Overlay > List Elements*, or ``Roi.getProperty``).

    Parameters
    ----------
    path : Path
        Written anew.
    shapes : iterable of Shape
    """
    names: dict[str, int] = {}
    rois = []
    for shape in shapes:
        roi = _roi(shape)
        # Two files of one name in a zip would be one ROI.
        number = names[roi.name] = names.get(roi.name, 0) + 1
        roi.name = roi.name if number == 1 else f"{roi.name}-{number}"
        rois.append(roi)
    roifile.roiwrite(path, rois, mode="w")


def _roi(shape: Shape) -> Any:
    areas = shape.areas()
    name = (shape.title or shape.name or "roi").replace("/", "-").replace("\\", "-")
    rings = [ring for area in areas for ring in area]
    z, t = shape.plane.get("z"), shape.plane.get("t")
    first = np.asarray(rings[0], np.float32)
    roi = roifile.ImagejRoi.frompoints(first[:-1], name=name, z=z, t=t)
    if len(rings) > 1:
        path = [number for ring in rings for number in _path(np.asarray(ring, np.float32))]
        low, high = np.floor(np.concatenate(rings).min(axis=0)), np.ceil(np.concatenate(rings).max(axis=0))
        roi.roitype, roi.subpixel_coordinates, roi.integer_coordinates = roifile.ROI_TYPE.RECT, None, None
        roi.options &= ~roifile.ROI_OPTIONS.SUB_PIXEL_RESOLUTION
        roi.n_coordinates, roi.shape_roi_size = 0, len(path)
        roi.multi_coordinates = np.asarray(path, np.float32)
        roi.left, roi.top, roi.right, roi.bottom = (int(each) for each in (*low, *high))
    if shape.color is not None:
        roi.stroke_color = bytes([255, *shape.color])
    notes = {CLASS: shape.name, **{key: f"{value:.6g}" for key, value in shape.measurements.items()}}
    roi.props = "".join(f"{key}: {value}\n" for key, value in notes.items())
    return roi


def _path(ring: Any) -> list[float]:
    """Return a ring as java.awt.geom.PathIterator: move 0, line 1, close 4."""
    (x, y), *others = ring[:-1].tolist()
    return [0.0, x, y, *(number for a, b in others for number in (1.0, a, b)), 4.0]
