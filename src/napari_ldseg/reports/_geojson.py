"""Write objects as GeoJSON for QuPath: polygons with class and measurements, in pixels of the image."""

import json
import math
from typing import Any

import numpy as np
import skimage.measure
from numpy.typing import NDArray

from ..measure import Measurement
from ._report import Report

Ring = list[list[float]]


def geojson(report: Report) -> str:
    """Return a FeatureCollection with an annotation for each object, or for each of its slices in 3D.

    Coordinates are x, y in pixels of the full image. The corner of the first pixel is at 0, 0, as in QuPath. Slice and
    frame go into the geometry's ``plane``.
    """
    features = [feature for one in report.measurements for feature in _features(report, one)]
    return json.dumps({"type": "FeatureCollection", "features": features}, allow_nan=False)


def _features(report: Report, one: Measurement) -> list[dict[str, Any]]:
    region = one.region
    planes = [region.mask] if region.mask.ndim == 2 else list(region.mask)
    first = region.box[0].start if region.mask.ndim == 3 else 0
    origin = (region.box[-2].start, region.box[-1].start)
    properties = {
        "objectType": "annotation",
        "name": f"{report.class_name(region.label)} {region.shown}",
        "classification": {
            "name": report.class_name(region.label),
            "color": list(report.class_color(region.label)),
        },
        "measurements": _measurements(report, one),
        "metadata": {"object": str(region.shown), "review": report.states.get(region.number, "to do")},
    }
    time = region.frame[0] if region.frame else 0
    return [
        {
            "type": "Feature",
            "geometry": {**_geometry(mask, origin), "plane": {"c": -1, "z": first + z, "t": time}},
            "properties": properties,
        }
        for z, mask in enumerate(planes)
        if mask.any()
    ]


def _measurements(report: Report, one: Measurement) -> dict[str, float]:
    """Return all defined numbers by name."""
    found: dict[str, float] = {}
    for name, spread in one.values.items():
        found |= {name: spread.value, f"{name} SD": spread.sd, f"{name} low": spread.low, f"{name} high": spread.high}
    found |= {"existence": one.existence, "split": one.split, "merge": one.merge}
    found |= {f"score: {name}": value for name, value in one.scores.items()}
    return {name: float(f"{value:.6g}") for name, value in found.items() if math.isfinite(value)}


def _geometry(mask: NDArray[np.bool_], origin: tuple[int, int]) -> dict[str, Any]:
    """Return the polygons of a flat mask with their holes. A slice of an object may have several pieces."""
    parts = np.asarray(skimage.measure.label(mask, connectivity=1))
    polygons = [rings(parts == part, origin) for part in range(1, int(parts.max()) + 1)]
    if len(polygons) == 1:
        return {"type": "Polygon", "coordinates": polygons[0]}
    return {"type": "MultiPolygon", "coordinates": polygons}


def rings(mask: NDArray[np.bool_], origin: tuple[int, int] = (0, 0)) -> list[Ring]:
    """Return outline and holes of one connected mask as closed rings of x, y: the outline first, anticlockwise.

    Marching squares at one half gives the lines (``skimage.measure.find_contours``). Pixel centres lie at one half,
    as QuPath counts.
    """
    found = []
    for line in skimage.measure.find_contours(np.pad(mask, 1).astype(np.float32), 0.5):
        y, x = (line + 0.5 - 1 + origin).T
        area = float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])) / 2
        found.append((area, np.column_stack([x, y])))
    found.sort(key=lambda one: -abs(one[0]))
    result = []
    for index, (area, line) in enumerate(found):
        # RFC 7946: the outline anticlockwise, holes clockwise.
        turned = line if (area > 0) == (index == 0) else line[::-1]
        result.append(np.round(turned, 2).tolist())
    return result
