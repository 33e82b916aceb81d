"""Layers larger than memory: where their result lies on disk, and the layers that show it while it fills."""

import hashlib
import math
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Layer

from ..._util import partial_of, user_folder
from ...config import ModelConfig
from ...data import IDENTITY, LABELS, open_levels
from ...data import Image as Picture
from ._from_layers import channel_axis, pixel_size, place_on
from ._result_layers import KEY, labels_layer, sd_layer

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from ...checkpoints import ModelEntry
    from ...inference import LargeSegmentation

# Pixels of the finest level above which a layer is segmented on disk.
LARGE = 2**26
REFRESH = 1.0
# Pixels of a layer that are looked at to tell it from others: boxes of this side at so many places, corner to corner.
LOOK, PLACES = 64, 8
LONGEST_NAME = 80


def large_image(layer: Image, config: ModelConfig) -> Picture | None:
    """Return all levels of a layer that is to be segmented on disk; None for one that fits into memory.

    Models that see whole images, and layers with frames, never need it: a frame is chosen, or a level.
    """
    ndim = config.network.ndim
    levels = list(layer.data) if layer.multiscale else [layer.data]
    whole = config.input.mode == "fit" or layer.ndim != ndim
    if whole or channel_axis(layer) is not None or math.prod(levels[0].shape[:ndim]) <= LARGE:
        return None
    axes = "zyx"[-ndim:] + ("c" if layer.rgb else "")
    every = []
    for level in levels:
        factors = np.asarray(levels[0].shape[:ndim]) / np.asarray(level.shape[:ndim])
        spacing, unit = pixel_size(layer, list(range(ndim)), factors)
        every.append(Picture(level, axes, spacing, unit, layer.name))
    return every[0].replace(levels=tuple(every[1:]))


def result_folder(layer: Image, model: str) -> Path:
    """Return where the result of a layer with a model lies: in the user's data folder, beside the models.

    The same layer, opened again, has the same folder, so that a stopped run goes on; another image of the same name
    has another one.
    """
    name = re.sub(r"[^\w.+-]+", "_", f"{layer.name}_{model}")[:LONGEST_NAME]
    return user_folder("results") / f"{name}_{_digest(layer, model)}.zarr"


def _digest(layer: Image, model: str) -> str:
    """Return what tells a layer from others: its file, shape and pixel size, and pixels of its coarsest level."""
    levels = list(layer.data) if layer.multiscale else [layer.data]
    size = pixel_size(layer, list(range(layer.ndim)), np.ones(layer.ndim))
    shapes = [(tuple(level.shape), str(level.dtype)) for level in levels]
    digest = hashlib.sha256(repr((layer.name, model, str(layer.source.path), shapes, size)).encode())
    coarsest = levels[-1]
    for share in np.linspace(0, 1, PLACES):
        starts = [int(share * max(side - LOOK, 0)) for side in coarsest.shape[: layer.ndim]]
        box = tuple(slice(start, start + LOOK) for start in starts)
        try:
            digest.update(np.ascontiguousarray(coarsest[box]).tobytes())
        except Exception:  # noqa: BLE001  the run meets it, too, and says what is wrong
            break
    return digest.hexdigest()[:12]


class LargeLayers:
    """Labels and SD of one large run, read from disk; what is not computed yet is empty.

    Parameters
    ----------
    viewer : ViewerModel
    layer : napari.layers.Image
        The image.
    path : Path
        Where the whole result will lie.
    entry : ModelEntry
    """

    def __init__(self, viewer: "ViewerModel", layer: Image, path: Path, entry: "ModelEntry") -> None:
        self._viewer, self._image, self._path, self._entry = viewer, layer, path, entry
        self._layers: dict[str, Layer] = {}
        self._shown = -math.inf

    def steps(self, result: "LargeSegmentation | None") -> Iterator[None]:
        """Show what is on disk by now: once a second while it fills (no result yet), and all of it at the end."""
        folder = partial_of(self._path) if result is None else result.path
        # Until it states what it is, a folder is being made.
        if result is None and (time.monotonic() - self._shown < REFRESH or not (folder / IDENTITY).exists()):
            return
        for kind, part in (("labels", LABELS), ("SD", ".")):
            layer = self._layers.get(kind)
            if layer is None:
                layer = self._layers[kind] = self._add(kind, open_levels(folder / part))
            elif layer not in self._viewer.layers:
                continue
            elif result is not None:
                layer.data = _data(open_levels(folder / part))
            else:
                layer.refresh()
            if result is not None:
                layer.metadata = {KEY: {"kind": kind, **result.provenance, "folder": str(result.path)}}
            yield
        self._shown = time.monotonic()

    def _add(self, kind: str, levels: list[Any]) -> Layer:
        selected = set(self._viewer.layers.selection)
        config, multiscale = self._entry.config, len(levels) > 1
        common = {"name": f"{self._image.name} [{self._entry.name}] {kind}", **self._place(levels[0].shape)}
        layer: Layer
        if kind == "labels":
            names, colors = config.class_names, config.class_colors
            layer = labels_layer(_data(levels), names, colors, multiscale=multiscale, **common)
            layer.editable = False
        else:
            layer = sd_layer(_data(levels), config.network.ndim, multiscale=multiscale, **common)
        layer.metadata = {KEY: {"kind": kind}}
        self._viewer.add_layer(layer)
        self._viewer.layers.selection = selected & set(self._viewer.layers)
        return layer

    def _place(self, shape: tuple[int, ...]) -> dict[str, Any]:
        """Return the transforms of a result, whose pixels are those of one level of the image."""
        levels = list(self._image.data) if self._image.multiscale else [self._image.data]
        full = np.asarray(levels[0].shape[: self._image.ndim], dtype=float)
        return place_on(self._image, full / np.asarray(shape))


def _data(levels: list[Any]) -> Any:
    return levels if len(levels) > 1 else levels[0]
