"""Write objects for QuPath (GeoJSON), ImageJ (ROIs) and COCO: outlines with class and measurements."""

import gzip
import json
import math
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import shapely
import shapely.affinity

from ..annotations import Shape, area_of, coco, imagej_rois
from ..measure import Measurement, Region
from ._report import Report
from ._table import POWERS, unit_symbol

# Of the same object in the same image it makes the same UUID, so that another program can recognise it.
NAMESPACE = uuid.UUID("6f1c1f8e-6d55-5f0a-9f3b-1d5a2c7e4b90")
DIGITS = 3


def geojson(report: Report) -> str:
    """Return a FeatureCollection with an object for each object, or for each of its slices in 3D.

    Coordinates are x, y in pixels of the full-resolution image. The corner of the first pixel is at 0, 0, as in QuPath.
    Slice and frame go into the geometry's ``plane``.
    """
    features = [_feature(shape, region, report) for region, shape in _outlines(report)]
    return json.dumps({"type": "FeatureCollection", "features": features}, allow_nan=False)


def packed_geojson(report: Report) -> bytes:
    """Return :func:`geojson` as gzip, without a time, so that the same objects give the same file."""
    return gzip.compress(geojson(report).encode(), mtime=0)


def write_rois(report: Report, path: Path) -> None:
    """Write the objects as a ``.zip`` for ImageJ's ROI Manager."""
    imagej_rois(path, report_shapes(report))


def report_coco(report: Report) -> str:
    """Return the objects as COCO's JSON, with run lengths on the grid of the labels."""
    objects = []
    for one in report.measurements:
        numbers = qupath_measurements(report, one)
        origin = (one.region.box[-2].start, one.region.box[-1].start)
        for plane, mask in _planes(report, one.region):
            objects.append((mask, origin, one.region.label, plane, numbers, one.existence))
    height, width = report.source.labels.shape[-2:]
    return coco(report.name, (height, width), report.class_names, objects)


def report_shapes(report: Report) -> Iterator[Shape]:
    """Yield the outline of each object, of each slice in 3D, in pixels of the full-resolution image."""
    yield from (shape for _, shape in _outlines(report))


def _outlines(report: Report) -> Iterator[tuple[Region, Shape]]:
    (top, left), (down, right) = report.place
    for one in report.measurements:
        region, numbers = one.region, qupath_measurements(report, one)
        origin = (region.box[-2].start, region.box[-1].start)
        for plane, mask in _planes(report, region):
            outline = shapely.affinity.affine_transform(area_of(mask, origin), (right, 0, 0, down, left, top))
            identity = "|".join((report.name, str(region.label), str(sorted(plane.items())), outline.wkt))
            yield (
                region,
                Shape(
                    outline,
                    report.class_name(region.label),
                    report.config.qupath,
                    plane,
                    numbers,
                    report.class_color(region.label),
                    f"{report.class_name(region.label)} {region.shown}",
                    str(uuid.uuid5(NAMESPACE, identity)),
                ),
            )


def qupath_measurements(report: Report, one: Measurement) -> dict[str, float]:
    """Return all defined numbers under names as QuPath gives them: ``"Area \N{MICRO SIGN}m^2"``, ``"Area SD ..."``."""
    low, high = (f"{share:.3g}%" for share in _ends(report.config.interval))
    found: dict[str, float] = {}
    for name, spread in one.values.items():
        words, power = name[0].upper() + name[1:], POWERS.get(name)
        unit = "" if power is None else f" {unit_symbol(report.unit)}{f'^{power}' if power > 1 else ''}"
        found |= {f"{words}{unit}": spread.value, f"{words} SD{unit}": spread.sd}
        found |= {f"{words} {low}{unit}": spread.low, f"{words} {high}{unit}": spread.high}
    found |= {"Existence": one.existence, "Split": one.split, "Merge": one.merge}
    found |= {f"Score: {name}": value for name, value in one.scores.items()}
    return {name: float(f"{value:.6g}") for name, value in found.items() if math.isfinite(value)}


def _ends(interval: float) -> tuple[float, float]:
    return (50 - 50 * interval, 50 + 50 * interval)


def _planes(report: Report, region: Region) -> Iterator[tuple[dict[str, int], Any]]:
    """Yield slice and frame of each flat part of an object, with its mask."""
    deep = region.mask.ndim == 3
    first = region.box[0].start if deep else 0
    time = region.frame[0] if region.frame else 0
    for z, mask in enumerate(region.mask if deep else [region.mask]):
        if mask.any():
            yield {"z": first + z, "t": time}, mask


def _feature(shape: Shape, region: Region, report: Report) -> dict[str, Any]:
    geometry = json.loads(shapely.to_geojson(shape.geometry))
    geometry["coordinates"] = _rounded(geometry["coordinates"])
    core = {"core": report.cores.get(region.number, "")} if report.cores else {}
    return {
        "type": "Feature",
        "id": shape.identity,
        "geometry": {**geometry, "plane": {"c": -1, **shape.plane}},
        "properties": {
            "objectType": shape.kind,
            "name": shape.title,
            "classification": {"name": shape.name, "color": list(shape.color or (200, 0, 0))},
            "measurements": shape.measurements,
            "metadata": {"object": str(region.shown), "review": report.states.get(region.number, "to do"), **core},
        },
    }


def _rounded(places: Any) -> Any:
    return [_rounded(each) for each in places] if isinstance(places, list) else round(places, DIGITS)
