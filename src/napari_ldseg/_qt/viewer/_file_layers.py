"""Turn our images into napari layers: opened files, samples, and results of a folder run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import Labels, Layer

from ...config import ModelConfig
from ...data import Image, read_image, read_labels, read_notes
from ._from_layers import GEOMETRY, place_on
from ._result_layers import KEY, WRITTEN, Stamp, labels_layer, sd_layer, untouched

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.types import LayerData

# The file that each layer was opened from, and its state at that time.
_OPENED: "WeakKeyDictionary[Layer, tuple[Path, Stamp]]" = WeakKeyDictionary()


@dataclass(frozen=True)
class Opened:
    """The arrays of one row. ``files`` names where each came from: "image", "labels" and "SD"."""

    image: Image
    labels: Image
    sd: Image | None
    notes: dict[str, Any]
    files: Mapping[str, Path] = field(default_factory=dict)


def read_row(image: Path, outputs: Mapping[str, Path]) -> Opened:
    """Read the image and its outputs; large ones are read on demand. Call it in a thread.

    Raises
    ------
    InputError
        If one of the files is gone or damaged.
    """
    sd = read_image(outputs["sd"]) if "sd" in outputs else None
    labels = read_labels(outputs["labels"])
    notes = read_notes(outputs.get("notes", outputs["labels"]))
    files = {"image": image, "labels": outputs["labels"]} | ({"SD": outputs["sd"]} if sd is not None else {})
    return Opened(read_image(image), labels, sd, notes, files)


def show_row(viewer: "ViewerModel", opened: Opened, config: ModelConfig) -> list[Layer]:
    """Add image, labels and SD map as layers.

    Untouched layers of the same files are replaced. Painted ones stay, just below the new ones. All other layers stay,
    too, whatever their names: results of the Segment widget, images of the same name.
    """
    made = _layers(opened, config)
    for kind, layer in made.items():
        file = opened.files.get(kind)
        if file is not None:
            _make_room(viewer, file)
        viewer.add_layer(layer)
        if file is not None:
            _remember(layer, file)
    return list(made.values())


def layer_of(image: Image, on: Image | None = None, **options: Any) -> dict[str, Any]:
    """Return the data and options of a napari layer for an image: name, place, axis labels, geometry.

    Parameters
    ----------
    image : Image
        All of its levels are shown. Colours become the last axis; other channels come first, so that napari gives them
        a slider.
    on : Image, optional
        The image on which it lies, whose unit it takes. Its pixels may be smaller.
    options
        Added, or replacing the defaults.
    """
    on = on or image
    levels, axes = [image.array, *(level.array for level in image.levels)], image.axes.replace("c", "")
    if "c" in image.axes:
        place = -1
        if not is_colour(image):
            place = axes.index(image.spatial[0])
            axes = f"{axes[:place]}c{axes[place:]}"
        levels = [np.moveaxis(level, image.axes.index("c"), place) for level in levels]
    fine = np.asarray(on.spacing or (1.0,) * len(on.spatial))
    steps = fine * np.asarray(on.shape) / np.asarray(image.shape)
    scale = dict(zip(on.spatial, steps.tolist(), strict=True))
    first = dict(zip(on.spatial, ((steps - fine) / 2).tolist(), strict=True))
    unit = on.unit if on.spacing is not None else "pixel"
    metadata = {} if on.geometry is None else {GEOMETRY: on.geometry}
    made = {
        "data": levels if image.levels else levels[0],
        "name": image.name,
        "axis_labels": tuple(axes),
        "scale": tuple(scale.get(axis, 1.0) for axis in axes),
        "translate": tuple(first.get(axis, 0.0) for axis in axes),
        "units": tuple(unit if axis in scale else "pixel" for axis in axes),
        "metadata": metadata | options.pop("metadata", {}),
    }
    return made | ({"multiscale": True} if image.levels else {}) | options


def layer_data(image: Image, kind: str = "image", **options: Any) -> "LayerData":
    """Return what napari expects of readers and samples: data, options and the kind, "image" or "labels"."""
    made = layer_of(image, **options) | ({"rgb": is_colour(image)} if kind == "image" else {})
    return made.pop("data"), made, kind


def is_colour(image: Image) -> bool:
    """Whether napari shows the channels as colour."""
    return "c" in image.axes and image.channels in (3, 4) and image.array.dtype == np.uint8


def _layers(opened: Opened, config: ModelConfig) -> dict[str, Layer]:
    """Make the layers of a row."""
    image, labels, sd = opened.image, opened.labels, opened.sd
    prefix = f"{image.name} [{config.name}]"

    def result(part: Image, kind: str) -> dict[str, Any]:
        return layer_of(part, image, name=f"{prefix} {kind}", metadata={KEY: {**opened.notes, "kind": kind}})

    made: dict[str, Layer] = {"image": Layer.create(*layer_data(image))}
    if sd is not None:
        made["SD"] = sd_layer(ndim=config.network.ndim, **result(sd, "SD"))
    made["labels"] = labels_layer(names=config.class_names, colors=config.class_colors, **result(labels, "labels"))
    made["labels"].editable = not labels.levels  # it is on disk, and coarser levels would not follow
    return made


def _make_room(viewer: "ViewerModel", file: Path) -> None:
    """Remove untouched layers of a file, and move changed ones to the top."""
    for layer in [one for one in viewer.layers if one in _OPENED and _OPENED[one][0] == file]:
        if WRITTEN.get(layer) is _OPENED[layer][1] and untouched(layer):
            viewer.layers.remove(layer)
        else:
            viewer.layers.move(viewer.layers.index(layer), len(viewer.layers))


def _remember(layer: Layer, file: Path) -> None:
    """Note the file and state of a layer that was just opened."""
    copy = layer.data.copy() if isinstance(layer, Labels) and not layer.multiscale else layer.data
    place = place_on(layer)
    stamp = WRITTEN[layer] = Stamp(layer.name, layer.data, copy, place)
    _OPENED[layer] = file, stamp
