"""Read GeoJSON as QuPath, and other programs, write it."""

import gzip
import json
import math
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import shapely

from ..errors import InputError
from ._shape import Shape, valid

CLASS_KEYS = ("class", "label")
MOST_BYTES = 2**31
_GEOMETRIES = ("Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon")


def read_geojson(path: Path) -> list[Shape]:
    """Read a FeatureCollection, a list of features, one feature or one geometry; ``.gz`` is unpacked.

    A class is taken from QuPath's ``classification`` (``name``, or ``names`` joined by ": "), or from a property
    ``class`` or ``label``. Measurements may be a dictionary or a list of ``{"name": ..., "value": ...}``.

    Raises
    ------
    InputError
        The file cannot be read, or is no GeoJSON.
    """
    try:
        found = json.loads(_text(path))
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read as GeoJSON ({error}); export it again.") from error
    shapes: list[Shape] = []
    for number, feature in enumerate(_features(found, path), start=1):
        try:
            shapes += _shapes(feature)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, shapely.errors.ShapelyError) as error:
            raise InputError(
                f"Object {number} of {path} is no GeoJSON of points, lines and polygons ({error}); export it again."
            ) from error
    return shapes


def _text(path: Path) -> str:
    if path.suffix.lower() != ".gz":
        return path.read_text(encoding="utf-8-sig")
    with gzip.open(path) as file:
        data = file.read(MOST_BYTES)
    if len(data) == MOST_BYTES:
        raise ValueError("it unpacks to more than 2 GB")
    return data.decode("utf-8-sig")


def _features(found: Any, path: Path) -> list[Any]:
    if isinstance(found, dict):
        kind = found.get("type")
        found = found.get("features", [found]) if kind in ("FeatureCollection", "Feature", *_GEOMETRIES) else None
    if not isinstance(found, list):
        raise InputError(f"{path} is no GeoJSON: it holds no features; export the objects again.")
    return found


def _shapes(feature: Mapping[str, Any]) -> Iterator[Shape]:
    plain = feature["type"] in _GEOMETRIES
    geometry = feature if plain else feature["geometry"]
    properties = {} if plain else feature.get("properties") or {}
    if geometry is None:
        return
    kind = geometry["type"]
    if kind not in _GEOMETRIES:
        raise ValueError(f"a {kind}")
    made = valid(shapely.geometry.shape({"type": kind, "coordinates": _flat(geometry["coordinates"], kind)}))
    if made.is_empty:
        return
    known = properties.get("classification") or {}
    plane = geometry.get("plane") or {}
    yield Shape(
        made,
        _class_name(known, properties),
        str(properties.get("objectType") or properties.get("object_type") or "annotation"),
        {axis: int(plane[axis]) for axis in "zt" if axis in plane},
        dict(_numbers(properties.get("measurements") or {})),
        _color(known if isinstance(known, dict) else {}),
        str(properties.get("name") or ""),
        str(feature.get("id") or ""),
        None if properties.get("radius") is None else float(properties["radius"]),
    )


def _flat(coordinates: Any, kind: str) -> Any:
    """Return coordinates without heights; outlines of fewer than three places are none."""
    if kind == "Point":
        return [float(value) for value in coordinates[:2]]
    if kind in ("MultiPoint", "LineString"):
        return [_flat(each, "Point") for each in coordinates]
    if kind == "MultiLineString":
        return [_flat(each, "LineString") for each in coordinates]
    if kind == "Polygon":
        return [_flat(each, "LineString") for each in coordinates if len(each) > 2]
    return [found for each in coordinates if (found := _flat(each, "Polygon"))]


def _class_name(known: Any, properties: Mapping[str, Any]) -> str:
    said: Any = known
    if isinstance(known, dict):
        names = known.get("names")
        said = ": ".join(map(str, names)) if isinstance(names, list) else known.get("name")
    for key in CLASS_KEYS:
        said = properties.get(key) if said is None else said
    return "" if said is None else str(said).strip()


def _numbers(found: Any) -> Iterator[tuple[str, float]]:
    """Yield measurements out of a dictionary, or a list of names and values."""
    pairs = found.items() if isinstance(found, dict) else ((each.get("name"), each.get("value")) for each in found)
    for name, value in pairs:
        if isinstance(value, (int, float)) and math.isfinite(value):
            yield str(name), float(value)


def _color(known: Mapping[str, Any]) -> tuple[int, int, int] | None:
    """Return the colour: three numbers, or Java's one number."""
    color, packed = known.get("color"), known.get("colorRGB")
    if isinstance(color, list) and len(color) >= 3:
        red, green, blue = (int(part) & 255 for part in color[:3])
        return red, green, blue
    if isinstance(packed, int):
        return packed >> 16 & 255, packed >> 8 & 255, packed & 255
    return None
