"""Read and write COCO's JSON of instances; masks are run lengths (RLE), column by column."""

import json
import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from .._version import __version__
from ..errors import InputError
from ._outline import area_of
from ._shape import Shape, valid

MOST_PIXELS = 2**31


def run_lengths(mask: NDArray[np.bool_]) -> list[int]:
    """Return how many pixels are outside, inside, outside, ... column by column, from the first outside on."""
    flat = np.concatenate([[False], np.asarray(mask, bool).ravel(order="F"), [False]])
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    ends = [0, *changes.tolist(), mask.size]
    counts = [b - a for a, b in pairwise(ends)]
    return counts[:-1] if counts[-1] == 0 and len(counts) > 1 else counts


def unpacked(text: str) -> list[int]:
    """Return the run lengths in pycocotools' compressed text: 5 bits a letter; from the third on, differences."""
    counts: list[int] = []
    place = 0
    while place < len(text):
        value, shift, more = 0, 0, True
        while more:
            letter = ord(text[place]) - 48
            value |= (letter & 31) << shift
            more = bool(letter & 32)
            place, shift = place + 1, shift + 5
            if not more and letter & 16:
                value |= -1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
    return counts


def mask_of(size: Sequence[int], counts: Sequence[int]) -> NDArray[np.bool_]:
    """Return the mask (Y, X) of run lengths."""
    height, width = (int(side) for side in size)
    if not 0 < height * width < MOST_PIXELS or sum(counts) != height * width or min(counts, default=0) < 0:
        raise ValueError(f"run lengths of {sum(counts)} pixels for a mask of {height} x {width}")
    inside = np.arange(len(counts)) % 2 == 1
    return np.repeat(inside, counts).reshape(width, height).T


def read_coco(path: Path, image: str = "") -> list[Shape]:
    """Read the annotations of one image; run lengths become outlines.

    Parameters
    ----------
    path : Path
    image : str
        Name of the image's file, with or without suffix. Not needed where the file knows one image only.

    Raises
    ------
    InputError
        The file cannot be read, or does not know the image.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
        names = {each["id"]: str(each["name"]) for each in found.get("categories", ())}
        images = {each["id"]: str(each.get("file_name", each["id"])) for each in found["images"]}
        chosen = _chosen(images, image, path)
        planes = {each["id"]: each.get("plane") or {} for each in found["images"]}
        shapes = []
        for each in found["annotations"]:
            if each["image_id"] in chosen:
                shapes += _read(each, names, planes[each["image_id"]])
    except InputError:
        raise
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{path} cannot be read as COCO ({type(error).__name__}: {error}); export it again."
        ) from error
    return shapes


def _chosen(images: dict[Any, str], wanted: str, path: Path) -> set[Any]:
    def plain(name: str) -> str:
        return PureWindowsPath(name).stem.casefold()

    found = {number for number, name in images.items() if plain(name) == plain(wanted)}
    if not found and len({*images.values()}) == 1:
        return set(images)
    if not found:
        known = ", ".join(sorted(images.values())[:5])
        raise InputError(f"{path} holds no annotations of {wanted or 'an image without a name'}; it knows {known}.")
    return found


def _read(each: dict[str, Any], names: dict[Any, str], plane: dict[str, int]) -> list[Shape]:
    drawn = each.get("segmentation")
    if isinstance(drawn, dict):
        counts = drawn["counts"]
        geometry = area_of(mask_of(drawn["size"], unpacked(counts) if isinstance(counts, str) else counts))
    elif isinstance(drawn, list) and drawn:
        rings = [np.asarray(ring, float).reshape(-1, 2) for ring in drawn if len(ring) >= 6]
        geometry = shapely.union_all([valid(shapely.Polygon(ring)) for ring in rings])
    else:
        x, y, width, height = each["bbox"]
        geometry = shapely.box(x, y, x + width, y + height)
    if geometry.is_empty:
        return []
    numbers = {
        str(key): float(value)
        for key, value in (each.get("attributes") or {}).items()
        if isinstance(value, (int, float)) and math.isfinite(value)
    }
    return [Shape(geometry, names.get(each["category_id"], ""), "coco", dict(plane), numbers, identity=str(each["id"]))]


def coco(
    image: str,
    shape: tuple[int, int],
    class_names: Sequence[str],
    objects: Sequence[tuple[NDArray[np.bool_], tuple[int, int], int, dict[str, int], dict[str, float], float]],
) -> str:
    """Return COCO's JSON of an image.

    Parameters
    ----------
    image : str
        Name of its file.
    shape : (Y, X)
    class_names : sequence of str
        The background, which is no category, first.
    objects : sequence of (mask, origin, label, plane, numbers, score)
        Of each object its mask, its first pixel (y, x), its class, slice and frame, measurements, and how likely it
        exists (nan if unknown).
    """
    height, width = shape
    planes: dict[tuple[tuple[str, int], ...], int] = {}
    annotations: list[dict[str, Any]] = []
    for mask, (top, left), label, plane, numbers, score in objects:
        number = planes.setdefault(tuple(sorted(plane.items())), len(planes) + 1)
        full = np.zeros(shape, bool)
        full[top : top + mask.shape[0], left : left + mask.shape[1]] = mask
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        box = [left + columns[0], top + rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1]
        annotations.append(
            {
                "id": len(annotations) + 1,
                "image_id": number,
                "category_id": label,
                "segmentation": {"size": [height, width], "counts": run_lengths(full)},
                "area": int(mask.sum()),
                "bbox": [int(side) for side in box],
                "iscrowd": 0,
                "attributes": numbers,
                **({"score": score} if math.isfinite(score) else {}),
            }
        )
    labels = {each["category_id"] for each in annotations} | set(range(1, len(class_names)))
    found = {
        "info": {"description": "Objects of a segmentation", "version": __version__, "contributor": "napari-ldseg"},
        "images": [
            {"id": number, "file_name": image, "width": width, "height": height, "plane": dict(plane)}
            for plane, number in (planes or {(): 1}).items()
        ],
        "categories": [
            {"id": label, "name": class_names[label] if label < len(class_names) else f"class {label}"}
            for label in sorted(labels)
        ],
        "annotations": annotations,
    }
    return json.dumps(found, allow_nan=False)
