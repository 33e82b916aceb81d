"""Layers of files: an image, and the results of a folder run beside it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import Image as ImageLayer
from napari.layers import Labels, Layer

from ...config import ModelConfig
from ...data import Image, read_image, read_labels, read_notes
from ._from_layers import GEOMETRY, place_on
from ._result_layers import KEY, WRITTEN, Stamp, labels_layer, sd_layer, untouched

if TYPE_CHECKING:
    from napari.components import ViewerModel

# Of which file each layer was opened here, and what it was then.
_OPENED: "WeakKeyDictionary[Layer, tuple[Path, Stamp]]" = WeakKeyDictionary()


@dataclass(frozen=True)
class Opened:
    """The pictures of one row, read from their files; ``files`` says which: "image", "labels" and "SD"."""

    image: Image
    labels: Image
    sd: Image | None
    notes: dict[str, Any]
    files: Mapping[str, Path] = field(default_factory=dict)


def read_row(image: Path, outputs: Mapping[str, Path]) -> Opened:
    """Read the image and its outputs, large ones when they are looked at; meant for a thread.

    Raises
    ------
    InputError
        Where one of the files is gone or damaged.
    """
    sd = read_image(outputs["sd"]) if "sd" in outputs else None
    labels = read_labels(outputs["labels"])
    notes = read_notes(outputs.get("notes", outputs["labels"]))
    files = {"image": image, "labels": outputs["labels"]} | ({"SD": outputs["sd"]} if sd is not None else {})
    return Opened(read_image(image), labels, sd, notes, files)


def show_row(viewer: "ViewerModel", opened: Opened, config: ModelConfig) -> list[Layer]:
    """Add image, labels and SD map as layers.

    Layers that were opened of the same files before are replaced where nobody has touched them since; painted ones
    stay, just below the new ones. All others stay, too, whatever their names: results of the Segment widget, images
    of the same name.
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


def _layers(opened: Opened, config: ModelConfig) -> dict[str, Layer]:
    """Make the layers of a row."""
    image, labels, sd = opened.image, opened.labels, opened.sd
    prefix = f"{image.name} [{config.name}]"
    # As with every result: the geometry is that of the image, on which the layer lies by its transform.
    geometry = {} if image.geometry is None else {GEOMETRY: image.geometry}
    made: dict[str, Layer] = {}
    made["image"] = ImageLayer(
        name=image.name, rgb=_is_colour(image), metadata=dict(geometry), **_pixels(image), **_place(image, image)
    )
    made["labels"] = labels_layer(
        names=config.class_names,
        colors=config.class_colors,
        name=f"{prefix} labels",
        metadata={KEY: {**opened.notes, "kind": "labels"}, **geometry},
        **_pixels(labels),
        **_place(labels, image),
    )
    made["labels"].editable = not labels.levels  # on disk, and coarser levels would not follow
    if sd is not None:
        made["SD"] = sd_layer(
            ndim=config.network.ndim,
            name=f"{prefix} SD",
            metadata={KEY: {**opened.notes, "kind": "SD"}, **geometry},
            **_pixels(sd),
            **_place(sd, image),
        )
    return made


def _make_room(viewer: "ViewerModel", file: Path) -> None:
    """Remove what was opened of a file and is still as it was; bring to the top what has been changed since."""
    for layer in [one for one in viewer.layers if one in _OPENED and _OPENED[one][0] == file]:
        if WRITTEN.get(layer) is _OPENED[layer][1] and untouched(layer):
            viewer.layers.remove(layer)
        else:
            viewer.layers.move(viewer.layers.index(layer), len(viewer.layers))


def _remember(layer: Layer, file: Path) -> None:
    """Note what a layer is that was just opened of a file."""
    copy = layer.data.copy() if isinstance(layer, Labels) and not layer.multiscale else layer.data
    place = place_on(layer)
    stamp = WRITTEN[layer] = Stamp(layer.name, layer.data, copy, place)
    _OPENED[layer] = file, stamp


def _is_colour(image: Image) -> bool:
    """Whether napari shows the channels as colour."""
    return "c" in image.axes and image.channels in (3, 4) and image.array.dtype == np.uint8


def _pixels(image: Image) -> dict[str, Any]:
    """Return the pixels of a layer, of all levels: colours as its last axis, other channels as its first."""
    levels = [image.array, *(level.array for level in image.levels)]
    if "c" in image.axes:
        place = -1 if _is_colour(image) else 0
        levels = [np.moveaxis(level, image.axes.index("c"), place) for level in levels]
    return {"data": levels, "multiscale": True} if image.levels else {"data": levels[0]}


def _place(part: Image, image: Image) -> dict[str, tuple[Any, ...]]:
    """Return the place, in the unit of the image, with which a result lies on it; its pixels may be smaller."""
    fine = np.asarray(image.spacing or (1.0,) * len(image.spatial))
    step = fine * np.asarray(image.shape) / np.asarray(part.shape)
    before = part.array.ndim - _is_colour(part) - len(fine)
    unit = image.unit if image.spacing is not None else "pixel"
    return {
        "scale": (1.0,) * before + tuple(step.tolist()),
        "translate": (0.0,) * before + tuple(((step - fine) / 2).tolist()),
        "units": ("pixel",) * before + (unit,) * len(fine),
    }
