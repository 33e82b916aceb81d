"""Layers of annotations that were drawn in QuPath, ImageJ or a COCO program."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels, Layer
from numpy.typing import NDArray

from ...annotations import Painted, Shape, paint, read_drawn
from ...config import class_color
from ...errors import InputError
from ._from_layers import channel_axis, place_on
from ._result_layers import class_colormap, is_result

if TYPE_CHECKING:
    from napari.types import LayerData

DRAWN_FILTER = "Annotations (*.geojson *.geojson.gz *.json *.zip *.roi)"
UNNAMED = "no class"


def is_picture(layer: Layer) -> bool:
    """Whether a layer is an image that something may be drawn on."""
    return isinstance(layer, Image) and not is_result(layer)


def paint_file(path: Path, image: Image, class_names: Sequence[str] | None, rest: int) -> Painted:
    """Read annotations and paint them on the grid of an image layer. Call it in a thread.

    Raises
    ------
    InputError
        The file cannot be read, or does not fit the image or the classes.
    """
    shape, axes = _grid(image)
    return paint(read_drawn(path, image.name), shape, axes, class_names, rest=rest)


def painted_layer(found: Painted, path: Path, image: Image) -> Labels:
    """Return a labels layer of painted annotations on their image."""
    layer = Labels(
        found.labels,
        name=f"{image.name} {path.name.split('.')[0]}",
        opacity=0.5,
        colormap=class_colormap(found.class_names, ()),
        features={"index": range(len(found.class_names)), "class": list(found.class_names)},
        **place_on(image),
    )
    layer.editable = True
    return layer


def drawn_layer_data(path: Path, image: Image | None = None) -> "LayerData":
    """Return annotations as a Shapes layer, each with its class, in the place of an image layer if there is one.

    Raises
    ------
    InputError
        The file cannot be read, or holds no areas.
    """
    shapes = read_drawn(path, "" if image is None else image.name)
    axes = "yx" if image is None else _grid(image)[1]
    outlines, names, colors = [], [], []
    known: dict[str, str] = {}
    for one in shapes:
        for rings in one.areas():
            outlines.append(_outline(rings, one, axes))
            names.append(one.name or UNNAMED)
            own = "" if one.color is None else "#{:02x}{:02x}{:02x}".format(*one.color)
            colors.append(own or known.setdefault(one.name, class_color(len(known) + 1, ())))
    if not outlines:
        raise InputError(f"{path} holds no areas, only points and lines; open it as prompts (segment --prompts).")
    place = {} if image is None else place_on(image)
    options: dict[str, Any] = {
        "name": path.name.split(".")[0],
        "shape_type": "polygon",
        "features": {"class": names},
        "edge_color": colors,
        "face_color": "transparent",
        "edge_width": 2,
    }
    return outlines, place | options, "shapes"


def _grid(image: Image) -> tuple[tuple[int, ...], str]:
    """Return shape and letters of an image layer, without channels."""
    shape = tuple(image.data[0].shape if image.multiscale else image.data.shape)[: image.ndim]
    channel = channel_axis(image)
    if channel is not None:
        raise InputError(f"{image.name!r} has channels on a slider; annotations need an image without, or in colour.")
    labels = [str(label) for label in image.axis_labels]
    known = all(label in set("tpszyx") for label in labels)
    return shape, "".join(labels) if known else "ptzyx"[-len(shape) :]


def _outline(rings: Sequence[NDArray[np.float64]], shape: Shape, axes: str) -> NDArray[np.float64]:
    """Return one line around an area: into each hole and back, as napari has no holes."""
    line = rings[0]
    for hole in rings[1:]:
        line = np.concatenate([line, hole, line[:1]])
    lead = [shape.plane.get("t" if axis == "t" else "z", 0) for axis in axes[:-2]]
    return np.column_stack([np.tile(lead, (len(line), 1)), line[:, ::-1] - 0.5])
