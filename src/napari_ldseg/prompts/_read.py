"""Prompts from files: napari's CSV of points, GeoJSON, label images."""

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..data import format_of, read_labels, stem
from ..errors import InputError
from ._prompt import Prompt, labels, line, point, polygon
from ._rows import CLASS_COLUMNS, class_name, from_rows

SUFFIXES = (".csv", ".geojson", ".json")
# What may follow the name of an image in that of a label image of prompts.
ENDING = "_prompts"
PLANES = {"t": "t", "z": "z", "s": "z"}


def read_prompts(path: Path, axes: str) -> tuple[Prompt, ...]:
    """Read what was said of an image.

    Parameters
    ----------
    path : Path
        A CSV of points as napari saves them (``axis-0``, ``axis-1``, ...) with a column ``class`` or ``label``, and if
        wanted ``radius``, ``kind`` and ``prompt``, as a layer of prompts has them (:func:`from_rows`); GeoJSON of
        points, lines and polygons, each with a class, in x, y from the corner of the first pixel (as QuPath counts); or
        a label image, in which 255 says nothing.
    axes : str
        Axes of the image but the channels, for example ``"tyx"``.

    Raises
    ------
    InputError
        The file cannot be read, or says no class.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        return (labels(read_labels(path).array),)
    try:
        text = path.read_text(encoding="utf-8-sig")
        found = tuple(_points(text, path) if path.suffix.lower() == ".csv" else _features(json.loads(text), path, axes))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise InputError(f"The prompts {path} cannot be read ({error}); save them again.") from error
    if not found:
        raise InputError(f"{path} holds no prompts; save the points or shapes again.")
    return found


def find_prompts(given: Path, images: Sequence[Path]) -> dict[Path, Path]:
    """Return the file of prompts of each image that has one.

    Parameters
    ----------
    given : Path
        A file, for one image; or a folder that holds ``<stem>.csv``, ``<stem>.geojson``, ``<stem>.json`` or a label
        image ``<stem>_prompts.*`` for some images.
    images : sequence of Path

    Raises
    ------
    InputError
        There is no such file or folder, it fits no image, or one file was given for several images.
    """
    if not given.is_dir() or format_of(given) == "ome-zarr":
        if not given.exists():
            raise InputError(f"The prompts {given} do not exist; check the path.")
        if len(images) != 1:
            raise InputError(
                f"{given} holds the prompts of one image, and there are {len(images)}; give a folder with a file of "
                "prompts for each image, named like the image."
            )
        return {images[0]: given}
    names: dict[str, Path] = {}
    for path in sorted(given.iterdir()):
        name = path.stem if path.suffix.lower() in SUFFIXES else stem(path)
        if path.suffix.lower() in SUFFIXES or (format_of(path) is not None and name.endswith(ENDING)):
            names.setdefault(name.removesuffix(ENDING), path)
    found = {image: names[stem(image)] for image in images if stem(image) in names}
    if not found:
        raise InputError(f"{given} holds no prompts for any of the images; a file of prompts is named like its image.")
    return found


def _points(text: str, path: Path) -> Iterator[Prompt]:
    rows = csv.DictReader(text.splitlines())
    columns = rows.fieldnames or []
    places = sorted((name for name in columns if name.startswith("axis-")), key=lambda name: (len(name), name))
    classes = [name for name in CLASS_COLUMNS if name in columns]
    if not places or not classes:
        raise InputError(
            f"{path} has the columns {', '.join(columns) or '(none)'}; points need axis-0, axis-1, ... and a column "
            "'class' (of napari's Points layer, a feature of that name)."
        )
    positions: list[list[float]] = []
    cells: dict[str, list[str]] = {name: [] for name in columns}
    for number, row in enumerate(rows, start=2):
        try:
            positions.append([float(row[name]) for name in places])
            float(row.get("radius") or 0)
        except (TypeError, ValueError) as error:
            raise InputError(f"Line {number} of {path} holds no numbers; save the points again.") from error
        for name in columns:
            cells[name].append(row[name] or "")
    yield from from_rows(positions, cells, str(path))


def _features(found: Any, path: Path, axes: str) -> Iterator[Prompt]:
    if isinstance(found, dict):
        found = found.get("features", [found])
    for feature in found if isinstance(found, list) else []:
        try:
            yield from _feature(feature, path, axes)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise InputError(f"{path} is no GeoJSON of points, lines and polygons ({error}); save it again.") from error


def _feature(feature: dict[str, Any], path: Path, axes: str) -> Iterator[Prompt]:
    geometry, properties = feature["geometry"], feature.get("properties") or {}
    known = properties.get("classification") or {}
    said = known.get("name") if isinstance(known, dict) else known
    for name in CLASS_COLUMNS:
        said = properties.get(name) if said is None else said
    label, radius = class_name(said, str(path)), properties.get("radius")
    plane = geometry.get("plane") or {}
    lead = [float(plane.get(PLANES.get(axis, ""), 0)) for axis in axes[:-2]]

    def vertices(coordinates: Any) -> list[list[float]]:
        return [[*lead, y - 0.5, x - 0.5] for x, y, *_ in coordinates]

    kind, coordinates = geometry["type"], geometry["coordinates"]
    several = coordinates if kind.startswith("Multi") else [coordinates]
    for one in several:
        if kind.endswith("Point"):
            yield point(vertices([one])[0], label, radius)
        elif kind.endswith("LineString"):
            yield line(vertices(one), label, radius)
        elif kind.endswith("Polygon"):
            yield polygon([vertices(ring) for ring in one], label)
        else:
            raise ValueError(f"a {kind}")
