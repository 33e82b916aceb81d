"""Prompts from files: napari's CSV of points, drawn annotations, label images."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from ..annotations import Shape, drawn_stem, is_drawn, read_drawn
from ..data import format_of, read_labels, stem
from ..errors import InputError
from ._prompt import Prompt, labels, line, point, polygon
from ._rows import CLASS_COLUMNS, class_name, from_rows

# What may follow the name of an image in that of a label image of prompts.
ENDING = "_prompts"
PLANES = {"t": "t", "z": "z", "s": "z"}


def read_prompts(path: Path, axes: str, image: str = "") -> tuple[Prompt, ...]:
    """Read what was said of an image.

    Parameters
    ----------
    path : Path
        A CSV of points as napari saves them (``axis-0``, ``axis-1``, ...) with a column ``class`` or ``label``, and if
        wanted ``radius``, ``kind`` and ``prompt``, as a layer of prompts has them (:func:`from_rows`); points, lines
        and polygons in GeoJSON, ImageJ's ROIs or COCO, each with a class, in x, y from the corner of the first pixel;
        or a label image, in which 255 says nothing.
    axes : str
        Axes of the image but the channels, for example ``"tyx"``.
    image : str
        Name of the image's file, which COCO needs where it knows several.

    Raises
    ------
    InputError
        The file cannot be read, or says no class.
    """
    path = Path(path)
    if path.suffix.lower() != ".csv" and not is_drawn(path):
        return (labels(read_labels(path).array),)
    if is_drawn(path):
        return tuple(_drawn(read_drawn(path, image), path, axes))
    try:
        found = tuple(_points(path.read_text(encoding="utf-8-sig"), path))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The prompts {path} cannot be read ({error}); save them again.") from error
    if not found:
        raise InputError(f"{path} holds no prompts; save the points or shapes again.")
    return found


def find_prompts(given: Path, images: Sequence[Path]) -> dict[Path, Path]:
    """Return the file of prompts of each image that has one.

    Parameters
    ----------
    given : Path
        A file, for one image; or a folder that holds ``<stem>.csv``, ``<stem>.geojson``, ``<stem>.zip`` (ROIs), ... or
        a label image ``<stem>_prompts.*`` for some images.
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
        drawn = is_drawn(path) or path.suffix.lower() == ".csv"
        name = drawn_stem(path) if drawn else stem(path)
        if drawn or (format_of(path) is not None and name.endswith(ENDING)):
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


def _drawn(shapes: Sequence[Shape], path: Path, axes: str) -> Iterator[Prompt]:
    """Yield annotations as prompts; where some have a class, QuPath's regions and ignored classes say nothing."""
    for one in shapes:
        if one.is_region or one.is_ignored:
            continue
        label = class_name(one.name, str(path))
        lead = [float(one.plane.get(PLANES.get(axis, ""), 0)) for axis in axes[:-2]]

        def vertices(places: Any, lead: list[float] = lead) -> list[list[float]]:
            return [[*lead, y - 0.5, x - 0.5] for x, y in np.asarray(places)[:, :2].tolist()]

        for part in shapely.get_parts(one.geometry):
            if part.geom_type == "Point":
                yield point(vertices(part.coords)[0], label, one.radius)
            elif part.geom_type == "LineString":
                yield line(vertices(part.coords), label, one.radius)
        for rings in one.areas():
            yield polygon([vertices(ring) for ring in rings], label)
