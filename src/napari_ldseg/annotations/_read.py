"""Read drawn annotations of any kind."""

import json
import zipfile
from pathlib import Path
from typing import Any

from ..errors import InputError
from ._coco import read_coco
from ._geojson import read_geojson
from ._imagej import read_rois
from ._shape import Shape

SUFFIXES = (".geojson.gz", ".geojson", ".json", ".zip", ".roi")


def is_drawn(path: Path) -> bool:
    """Whether a file's name is that of drawn annotations."""
    return path.name.lower().endswith(SUFFIXES)


def drawn_stem(path: Path) -> str:
    """Return a file's name without its suffix; ``a`` for ``a.geojson.gz``."""
    name = path.name
    known = next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), path.suffix)
    return name[: len(name) - len(known)] if known else name


def read_drawn(path: Path | str, image: str = "") -> list[Shape]:
    """Read QuPath's GeoJSON (``.geojson``, ``.json``, ``.geojson.gz``), ImageJ's ROIs (``.roi``, ``.zip``) or COCO.

    Parameters
    ----------
    path : Path
    image : str
        Name of the image's file, which COCO needs where it knows several.

    Raises
    ------
    InputError
        The file is missing, damaged, of another kind, or holds nothing.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path} does not exist; check the path.")
    name = path.name.lower()
    if name.endswith((".roi", ".zip")):
        shapes = read_rois(path)
    elif name.endswith(".json") and _is_coco(path):
        shapes = read_coco(path, image)
    elif name.endswith((".json", ".geojson", ".geojson.gz")):
        shapes = read_geojson(path)
    else:
        raise InputError(f"{path} holds no annotations that can be read; known are {', '.join(SUFFIXES)}.")
    if not shapes:
        raise InputError(f"{path} holds no annotations; draw some and export them again.")
    return shapes


def holds_drawn(path: Path) -> bool:
    """Whether a file is one of annotations; of ``.json`` and ``.zip``, which others use, its content tells."""
    if not path.is_file() or not is_drawn(path):
        return False
    name = path.name.lower()
    if name.endswith(".zip"):
        try:
            with zipfile.ZipFile(path) as archive:
                return any(entry.lower().endswith(".roi") for entry in archive.namelist())
        except (OSError, ValueError, zipfile.BadZipFile):
            return False
    return not name.endswith(".json") or _is_coco(path) or _is_geojson(_json(path))


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, ValueError, RecursionError):
        return None


def _is_coco(path: Path) -> bool:
    found = _json(path)
    return isinstance(found, dict) and "annotations" in found and "images" in found


def _is_geojson(found: Any) -> bool:
    first = found[0] if isinstance(found, list) and found else found
    return isinstance(first, dict) and first.get("type") in ("FeatureCollection", "Feature")
