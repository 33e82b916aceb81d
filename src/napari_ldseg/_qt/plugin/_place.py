"""Put a labels layer into the OME-Zarr that its image was opened from (Layers > Data)."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image as ImageLayer, Labels
from napari.utils.notifications import show_error, show_info
from napari.viewer import Viewer

from ...config import class_color
from ...data import Image, format_of, put_labels, read_image
from ...errors import InputError, LDSegError
from ..threads._background import Done, Task
from ..viewer._result_layers import KEY

if TYPE_CHECKING:
    from napari.components import ViewerModel

# Tasks that go on; without a widget, nothing else holds them.
_RUNNING: set[Task] = set()


def place_labels(viewer: Viewer) -> None:
    """Write the selected labels as ``labels/<name>`` into the OME-Zarr of the image that they lie on, in a thread."""
    model = getattr(viewer, "__wrapped__", viewer)
    try:
        layer, target = chosen(model)
    except InputError as error:
        show_error(str(error))
        return

    def end(done: Done) -> None:
        _RUNNING.discard(task)
        if isinstance(done.error, LDSegError):
            show_error(str(done.error))
        elif done.error is not None:
            raise done.error
        else:
            show_info(f"The labels are {done.value}.")

    name = _name(layer)
    task = Task(lambda: put(layer, target, name))
    task.finished.connect(end)
    _RUNNING.add(task)
    task.start()


def chosen(viewer: "ViewerModel") -> tuple[Labels, Path]:
    """Return the selected labels layer, and the OME-Zarr of its image.

    Raises
    ------
    InputError
        If no labels layer is selected, or no image in the viewer was opened from an OME-Zarr on a disk, or several.
    """
    layer = viewer.layers.selection.active
    if not isinstance(layer, Labels):
        raise InputError("Select the labels layer that is to be put into the OME-Zarr of its image.")
    images = [each for each in viewer.layers if isinstance(each, ImageLayer) and _zarr(each) is not None]
    named = [each for each in images if layer.metadata.get(KEY) and layer.name.startswith(f"{each.name} [")]
    found = {_zarr(each) for each in named or images}
    if len(found) != 1:
        few = "None of the images was" if not found else "Several images were"
        raise InputError(f"{few} opened from an OME-Zarr on a disk; open the one that the labels belong to, alone.")
    return layer, Path(str(found.pop()))


def put(layer: Labels, target: Path, name: str) -> Path:
    """Write a labels layer into the OME-Zarr at ``target``; labels of this name are replaced.

    Raises
    ------
    InputError
        If the layer does not have the grid of one of the image's levels.
    """
    image = read_image(target)
    array = layer.data[0] if layer.multiscale else layer.data
    axes = image.axes.replace("c", "")
    found = np.asarray(array).reshape(np.shape(array)[-len(axes) :])
    level = next((each for each in (image, *image.levels) if each.shape == found.shape[-len(image.spatial) :]), None)
    if level is None:
        raise InputError(
            f"{layer.name} has {found.shape} pixels, and no level of {target.name} has so many; segment the whole "
            "image, or use `napari-ldseg place`, which knows where a region lies."
        )
    names = [str(each) for each in layer.features.get("class", ())]
    colors = [_color(layer, value) for value in range(len(names) or int(found.max(initial=0)) + 1)]
    labels = Image(found, axes, level.spacing, level.unit, name)
    notes: dict[str, Any] = dict(layer.metadata.get(KEY, {}))
    return put_labels(target, labels, name=name, class_names=names, colors=colors, metadata=notes, overwrite=True)


def _zarr(layer: ImageLayer) -> str | None:
    path = layer.source.path
    return path if path and format_of(Path(path)) == "ome-zarr" and Path(path).is_dir() else None


def _name(layer: Labels) -> str:
    """Return a name for the group: ``ldseg`` for a result, else that of the layer."""
    if layer.metadata.get(KEY):
        return "ldseg"
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in layer.name)


def _color(layer: Labels, value: int) -> str:
    """Return the colour that the layer has for a value, "#rrggbb"."""
    shown = np.asarray(layer.colormap.map(value)).ravel()
    if value == 0 or len(shown) < 3:
        return class_color(value, ())
    return "#" + "".join(f"{round(255 * float(part)):02x}" for part in shown[:3])
