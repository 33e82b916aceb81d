"""Turn results into layers. This happens nowhere else."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import Image, Labels, Layer, Shapes
from napari.utils.colormaps import Colormap, DirectLabelColormap
from numpy.typing import NDArray

from ...config import class_color
from ._from_layers import GEOMETRY, Source

if TYPE_CHECKING:
    import pandas as pd
    from napari.components import ViewerModel

    from ...inference import Segmentation

KEY = "napari-ldseg"
# This marks helper layers of the review: they are no results, and are never offered for segmentation.
HELPER = "napari-ldseg-helper"
SD_RANGE = (0.0, 0.5)
SD_OPACITY = 0.8
# Samples that differ less change no label. Shown, they would cover the border that is to be judged.
SD_SHOWN = 0.15
FILL_OPACITY, OUTLINE_OPACITY = 0.5, 0.95
# An outline is one pixel wide for this many pixels of the image's shorter side, and at most four.
OUTLINE_PER, WIDEST = 250, 4
UNKNOWN = "#bbbbbb"
# Zero is transparent, so that the image stays visible where the samples agree. Of all hues, lime is the one that is
# farthest (CIEDE2000) from the colours of the released classes, from haematoxylin and eosin, and from grey.
SD_COLORS = ((0.1, 0.5, 0, 0), (0.15, 0.65, 0, 0.55), (0.25, 0.85, 0, 0.75), (0.4, 1, 0.1, 0.9), (0.75, 1, 0.55, 1))


@dataclass(frozen=True)
class Stamp:
    """The state of a layer when it was last written. It copies labels in memory, which may be painted."""

    name: str
    data: Any
    copy: Any
    place: dict[str, Any]


WRITTEN: "WeakKeyDictionary[Layer, Stamp]" = WeakKeyDictionary()
_RESULTS: "WeakKeyDictionary[Layer, Segmentation]" = WeakKeyDictionary()


def is_result(layer: Layer) -> bool:
    """Whether a layer was made here."""
    return KEY in layer.metadata or HELPER in layer.metadata


def result_of(layer: Layer) -> "Segmentation | None":
    """Return the result behind a labels layer of this session, with its samples; None for other layers."""
    return _RESULTS.get(layer)


def add_region_layer(viewer: "ViewerModel") -> Shapes:
    """Add an empty layer in which the next drag of the mouse draws a rectangle."""
    selected = viewer.layers.selection.active
    ndim = max(viewer.dims.ndim, 2)
    layer = Shapes(ndim=ndim, name="Region", edge_color="#f0e442", face_color="transparent", edge_width=2)
    if selected is not None and selected.ndim == ndim:
        layer.units = selected.units
    viewer.add_layer(layer)
    layer.mode = "add_rectangle"
    return layer


def original_of(layer: Layer) -> NDArray[Any] | None:
    """Return the labels as a model made them in this session, before any painting; None for other layers."""
    stamp = WRITTEN.get(layer)
    return (
        None
        if stamp is None or not isinstance(stamp.copy, np.ndarray) or stamp.copy.shape != layer.data.shape
        else stamp.copy
    )


def sd_colormap(above: float = 0.0) -> Colormap:
    """Return the colours of the SD map. Below the SD ``above`` nothing is shown."""
    share = above / SD_RANGE[1]
    if share <= 0:
        return Colormap(SD_COLORS, name="LDSeg SD", display_name="LDSeg SD")
    even = np.linspace(0, 1, len(SD_COLORS))
    # A step needs two controls; napari reads a colormap at 256 places.
    controls = [0.0, share - 1e-3, share, *(float(at) for at in even if at > share)]
    stops = [[float(np.interp(at, even, channel)) for channel in zip(*SD_COLORS, strict=True)] for at in controls]
    stops[0] = stops[1] = [0.0, 0.0, 0.0, 0.0]
    return Colormap(stops, controls=controls, name=f"LDSeg SD above {above:.2f}", display_name="LDSeg SD")


def class_colors(names: Sequence[str], colors: Sequence[str]) -> list[str]:
    """Return a colour for each class. The background is transparent."""
    return ["transparent", *(class_color(label, colors) for label in range(1, len(names)))]


def class_colormap(names: Sequence[str], colors: Sequence[str]) -> DirectLabelColormap:
    """Return the colours of a labels layer. Values that are no class are grey."""
    known: dict[int | None, Any] = dict(enumerate(class_colors(names, colors)))
    return DirectLabelColormap(color_dict={**known, None: UNKNOWN})


def labels_layer(data: Any, names: Sequence[str], colors: Sequence[str], **options: Any) -> Labels:
    """Return the layer of a result's classes: outlines in slices, filled in 3D."""
    layer = Labels(data, colormap=class_colormap(names, colors), **options)
    show_outlined(layer)
    return layer


def show_outlined(layer: Labels) -> None:
    """Show the labels as outlines, so that the border and the image below can be seen. In 3D they stay filled."""
    # This is what is meant, so that napari need not warn of it.
    warnings.filterwarnings("ignore", "Contours are not displayed during 3D rendering")
    shape = layer.level_shapes[0] if layer.multiscale else layer.data.shape
    layer.contour = int(np.clip(min(shape[-2:]) // OUTLINE_PER, 1, WIDEST))
    layer.opacity = OUTLINE_OPACITY


def show_filled(layer: Labels) -> None:
    """Show the labels as transparent areas."""
    layer.contour = 0
    layer.opacity = FILL_OPACITY


def sd_layer(data: Any, ndim: int, **options: Any) -> Image:
    """Return the layer of a result's SD. ``ndim`` is that of the model."""
    # Additive blending would turn labels below into another class' colour. In 3D the SD shines through the labels.
    style = {"blending": "translucent", **({"rendering": "attenuated_mip"} if ndim == 3 else {})}
    layer = Image(
        data,
        colormap=sd_colormap(SD_SHOWN),
        contrast_limits=SD_RANGE,
        opacity=SD_OPACITY,
        rgb=False,
        **style,
        **options,
    )
    layer.contrast_limits_range = (0.0, 1.0)
    # The widget holds the legend, because napari's colorbar on the canvas takes 0.3 s to appear.
    return layer


class ResultLayers:
    """The layers of one run, rewritten while it progresses. For a run on disk they show its folder.

    Layers of an earlier run with the same names are overwritten only if they are untouched. Painted, renamed or moved
    layers stay, and new ones are added beside them. A layer that the user deletes is not created again.

    Parameters
    ----------
    viewer : ViewerModel
    source : Source
    model : str
        The model's name, for the layers' names.
    mean : bool
        Whether to also add the mean map.
    """

    def __init__(self, viewer: "ViewerModel", source: Source, model: str, *, mean: bool = False) -> None:
        self._viewer = viewer
        self._source = source
        self._prefix = f"{source.image.name} [{model}]"
        self._kinds = ("labels", "mean", "SD") if mean else ("labels", "SD")
        self._layers: dict[str, Layer] = {}

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers that are still in the viewer."""
        return tuple(layer for layer in self._layers.values() if layer in self._viewer.layers)

    def show(self, result: "Segmentation") -> None:
        """Write a result or a preview into the layers."""
        for _ in self.steps(result):
            pass

    def steps(self, result: "Segmentation") -> Iterator[None]:
        """Write one layer at each step. napari is slow to add one, and the event loop runs in between."""
        for kind in self._kinds:
            selected = set(self._viewer.layers.selection)
            self._write(kind, result)
            # The image stays selected, so that the next press of Segment uses it again.
            if self._viewer.layers.selection != selected:
                self._viewer.layers.selection = selected & set(self._viewer.layers)
            yield

    def _write(self, kind: str, result: "Segmentation") -> None:
        levels = _levels(kind, result)
        if not levels:
            return
        data = [self._source.arrange(level) for level in levels]
        layer = self._layers.get(kind)
        if layer is None:
            layer = self._former(kind, multiscale=len(data) > 1)
        elif layer not in self._viewer.layers:
            return
        elif not untouched(layer):
            layer = None
        if layer is None:
            layer = self._add(kind, data, result)
        else:
            layer.data = data if len(data) > 1 else data[0]
        layer.metadata = {**layer.metadata, KEY: _notes(kind, result)}
        if self._source.image.geometry is not None:
            layer.metadata[GEOMETRY] = self._source.image.geometry
        if isinstance(layer, Labels):
            if result.sizes.shape[-2]:
                layer.features = _features(result)
            layer.editable = result.path is None
            # The review assumes that a result has the axes of its layer, and edits it in memory.
            if self._source.in_order and result.path is None:
                _RESULTS[layer] = result
        self._layers[kind] = layer
        painted = isinstance(layer, Labels) and result.path is None
        WRITTEN[layer] = Stamp(layer.name, layer.data, layer.data.copy() if painted else layer.data, self._source.place)

    def _former(self, kind: str, *, multiscale: bool) -> Layer | None:
        """Return the layer of an earlier run that may be overwritten."""
        for layer in self._viewer.layers:
            stamp = WRITTEN.get(layer)
            if (
                stamp is not None
                and layer.name == f"{self._prefix} {kind}"
                and layer.multiscale == multiscale
                and stamp.copy.shape == self._source.shape
                and _same(stamp.place, self._source.place)
                and untouched(layer)
            ):
                return layer
        return None

    def _add(self, kind: str, levels: list[Any], result: "Segmentation") -> Layer:
        # It is marked before it is added, so that image pickers never offer it.
        metadata = {KEY: _notes(kind, result)}
        common = {"name": f"{self._prefix} {kind}", "metadata": metadata, **self._source.place}
        data, common["multiscale"] = (levels, True) if len(levels) > 1 else (levels[0], False)
        layer: Layer
        if kind == "labels":
            layer = labels_layer(data, result.class_names, result.class_colors, **common)
        elif kind == "SD":
            layer = sd_layer(data, _ndim(result), **common)
        else:
            layer = Image(data, rgb=False, colormap="gray", contrast_limits=(0.0, 1.0), visible=False, **common)
        below = self._layers.get("labels") if kind == "SD" else None
        if below is None or below not in self._viewer.layers:
            return self._viewer.add_layer(layer)
        self._viewer.layers.insert(self._viewer.layers.index(below), layer)
        return layer


def _levels(kind: str, result: "Segmentation") -> list[Any]:
    """Return a map of a result at all its pixel sizes, finest first; nothing if it was not kept."""
    if kind == "labels":
        return result.levels("labels")
    if kind == "SD":
        return result.levels("sd")
    if result.mean is None:
        return []
    background = result.mean.take(0, axis=result.mean.ndim - 1 - _ndim(result))
    return [np.asarray(1 - background)]


def _notes(kind: str, result: "Segmentation") -> dict[str, Any]:
    folder = {} if result.path is None else {"folder": str(result.path)}
    return {"kind": kind, **result.provenance, **folder}


def _ndim(result: "Segmentation") -> int:
    """Return the dimensions of the model: the axes of the labels that are not frames."""
    return len(result.axes.translate(str.maketrans("", "", "tps")))


def _features(result: "Segmentation") -> "pd.DataFrame":
    """Name each label for the status bar and the features table. A single frame also gets sizes with their spread."""
    import pandas as pd  # 0.3 s, which nobody is to wait for when a widget opens

    table: dict[str, Any] = {"index": range(len(result.class_names)), "class": list(result.class_names)}
    if result.sizes.ndim == 2:
        quantity = "volume" if _ndim(result) == 3 else "area"
        table[quantity] = result.sizes.mean(axis=0)
        table[f"{quantity} SD"] = result.sizes.std(axis=0, ddof=1) if len(result.sizes) > 1 else np.nan
    return pd.DataFrame(table)


def untouched(layer: Layer) -> bool:
    """Whether a layer is unchanged since it was written: name, place and every pixel."""
    stamp = WRITTEN[layer]
    return bool(
        layer.name == stamp.name
        and layer.data is stamp.data
        and _same({key: np.asarray(getattr(layer, key)) for key in ("scale", "translate")}, stamp.place)
        and (stamp.copy is layer.data or np.array_equal(layer.data, stamp.copy))
    )


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether ``other`` has the entries of ``one``, numbers up to rounding."""
    return all(
        one[key] == other[key]
        if isinstance(one[key], tuple)
        else np.shape(one[key]) == np.shape(other[key]) and np.allclose(one[key], other[key])
        for key in one
    )
