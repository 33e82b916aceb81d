"""Choose the folder for results of layers that are larger than memory."""

import hashlib
import re
from pathlib import Path

import numpy as np
from napari.layers import Image

from ..._util import user_folder
from ...plan import Part
from ._from_layers import pixel_size

# A layer is identified by pixels in boxes of this side, at so many places from corner to corner.
LOOK, PLACES = 64, 8
LONGEST_NAME = 80


def result_folder(layer: Image, model: str, part: Part | None = None) -> Path:
    """Return the folder for the result of a layer or part of it: in the user's data folder, beside the models.

    The same part of the same layer, opened again, has the same folder, so that a stopped run resumes. Another image of
    the same name has another folder.
    """
    name = re.sub(r"[^\w.+-]+", "_", f"{layer.name}_{model}")[:LONGEST_NAME]
    return user_folder("results") / f"{name}_{_digest(layer, model, part)}.zarr"


def _digest(layer: Image, model: str, part: Part | None) -> str:
    """Identify a layer by file, shape, pixel size, part, and pixels of its coarsest level."""
    levels = list(layer.data) if layer.multiscale else [layer.data]
    size = pixel_size(layer, list(range(layer.ndim)), np.ones(layer.ndim))
    shapes = [(tuple(level.shape), str(level.dtype)) for level in levels]
    taken = None if part is None else (part.image.axes, part.box)
    digest = hashlib.sha256(repr((layer.name, model, str(layer.source.path), shapes, size, taken)).encode())
    coarsest = levels[-1]
    for share in np.linspace(0, 1, PLACES):
        starts = [int(share * max(side - LOOK, 0)) for side in coarsest.shape[: layer.ndim]]
        box = tuple(slice(start, start + LOOK) for start in starts)
        try:
            digest.update(np.ascontiguousarray(coarsest[box]).tobytes())
        except Exception:  # noqa: BLE001  the run meets it, too, and says what is wrong
            break
    return digest.hexdigest()[:12]
