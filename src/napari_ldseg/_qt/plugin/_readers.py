"""Open and save medical images through napari's File menu. The layer's metadata keep the geometry."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari import current_viewer
from napari.utils.transforms import Affine

from ...annotations import holds_drawn
from ...data import Geometry, Image, format_of, holds_labels, is_label_name, read_image, read_labels, write_image
from ...errors import InputError
from ..viewer._drawn_layers import drawn_layer_data, is_picture
from ..viewer._file_layers import layer_data
from ..viewer._from_layers import GEOMETRY
from ..viewer._result_layers import KEY

if TYPE_CHECKING:
    from napari.types import LayerData

READS = ("nifti", "mha", "nrrd", "dicom", "cine")
# A mask has few values. Images with so few grey levels are rare.
MOST_CLASSES = 20


def get_reader(path: str | Sequence[str]) -> "Callable[[str | Sequence[str]], list[LayerData]] | None":
    """Return the reader of a medical image, a cine, or a folder with one DICOM series; None for other paths."""
    paths = [path] if isinstance(path, str) else list(path)
    if all(holds_drawn(Path(each)) for each in paths):
        return read_outlines
    return read_layers if all(format_of(Path(each)) in READS for each in paths) else None


def read_outlines(path: str | Sequence[str]) -> "list[LayerData]":
    """Read annotations of QuPath, ImageJ or COCO as shapes, in the place of the image that is selected or on top."""
    paths = [path] if isinstance(path, str) else list(path)
    viewer = current_viewer()
    images = [] if viewer is None else [layer for layer in reversed(viewer.layers) if is_picture(layer)]
    active = None if viewer is None else viewer.layers.selection.active
    image = active if active in images else next(iter(images), None)
    return [drawn_layer_data(Path(each), image) for each in paths]


def read_layers(path: str | Sequence[str]) -> "list[LayerData]":
    """Read files as image layers, label masks as labels layers, with scale, units, axis labels and geometry."""
    paths = [path] if isinstance(path, str) else list(path)
    return [_layer(Path(each)) for each in paths]


def write_layer(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write an image or labels layer as OME-TIFF, NIfTI, MetaImage or NRRD, with its pixel size, unit and geometry.

    Labels of a DICOM image can also become a DICOM segmentation.

    A layer that came from a medical image, or was made from one, is written onto its source's grid.
    """
    if attributes.get("multiscale") or isinstance(data, (list, tuple)):
        data = data[0]
    array = _writable(np.asarray(data))
    colour = bool(attributes.get("rgb"))
    ndim = array.ndim - colour
    axes = _axes(attributes, ndim)
    spatial = [i for i, axis in enumerate(axes) if axis in "zyx"]
    linear, units = _linear(attributes, ndim), [str(unit) for unit in attributes.get("units") or ["pixel"] * ndim]
    steps = np.linalg.norm(linear.linear_matrix, axis=0)[spatial]
    unit = units[spatial[-1]]
    known = len({units[i] for i in spatial}) == 1 and unit != "pixel"
    metadata = dict(attributes.get("metadata") or {})
    geometry = _placed(metadata.get(GEOMETRY), linear, spatial, array.shape)
    write_image(
        path,
        array,
        axes + "c" * colour,
        spacing=tuple(float(step) for step in steps) if known else None,
        unit=unit if known else "pixel",
        metadata={**metadata.get(KEY, {}), **_names(attributes), "layer": attributes.get("name", "")},
        geometry=geometry,
    )
    return [path]


def _layer(path: Path) -> "LayerData":
    if format_of(path) == "dicom" and holds_labels(path):
        return layer_data(read_labels(path), "labels")
    image = read_image(path)
    return layer_data(read_labels(path), "labels") if _holds_classes(image, path) else layer_data(image)


def _holds_classes(image: Image, path: Path) -> bool:
    """Whether a file is a label mask, by its name or because it holds few whole numbers from 0 on."""
    array = image.array
    if "c" in image.axes or format_of(path) == "cine":
        return False
    whole = array.dtype.kind in "bui" or bool(np.all(np.isfinite(array)) and np.all(array == np.round(array)))
    if not whole or array.min() < 0:
        return False
    if is_label_name(path):
        return True
    return bool(
        array.dtype.kind in "bui" and array.max() < 256 and np.count_nonzero(np.bincount(array.ravel())) <= MOST_CLASSES
    )


def _writable(array: Any) -> Any:
    """Return whole numbers in the smallest type that holds them. Not every format has 64 bits."""
    if array.dtype.kind in "iu" and array.dtype.itemsize == 8:
        low, high = int(array.min(initial=0)), int(array.max(initial=0))
        kinds = (np.uint8, np.uint16, np.int32) if low >= 0 else (np.int16, np.int32)
        fitting = [kind for kind in kinds if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max]
        if not fitting:
            raise InputError("The layer holds numbers of more than 32 bits; relabel it first.")
        return array.astype(fitting[0])
    return array


def _names(attributes: dict[str, Any]) -> dict[str, list[str]]:
    """Return the names of the classes, which a result has in its features, one for each label from 0 on."""
    features = attributes.get("features")
    if (
        features is None
        or not {"index", "class"} <= set(features)
        or list(features["index"]) != [*range(len(features))]
    ):
        return {}
    return {"class_names": [str(name) for name in features["class"]]}


def _axes(attributes: dict[str, Any], ndim: int) -> str:
    """Return our letters for the axes: the layer's own labels, else the usual order."""
    labels = "".join(str(label) for label in attributes.get("axis_labels") or ())
    spatial = "".join(letter for letter in labels if letter in "zyx")
    if len(labels) == ndim == len(set(labels)) and not set(labels) - set("tpszyxc") and spatial in ("yx", "zyx"):
        return labels
    if not 2 <= ndim <= len("ptzyx"):
        raise InputError(f"A layer of {ndim} axes cannot be written; slice it first.")
    return "ptzyx"[-ndim:]


def _linear(attributes: dict[str, Any], ndim: int) -> Affine:
    """Return the transform from the layer's pixels to the world."""
    place = {
        key: attributes[key] for key in ("scale", "translate", "rotate", "shear") if attributes.get(key) is not None
    }
    own, outer = Affine(**place, ndim=ndim), attributes.get("affine")
    return own if outer is None else Affine(affine_matrix=np.asarray(outer) @ own.affine_matrix)


def _placed(geometry: Geometry | None, linear: Affine, spatial: list[int], shape: tuple[int, ...]) -> Geometry | None:
    """Return the geometry of the layer's own grid, which may be coarser than its source or a part of it."""
    if geometry is None:
        return None
    full = linear.affine_matrix
    matrix = np.eye(4)
    order = spatial[::-1]
    sizes = np.array(geometry.spacing[::-1])
    count = len(order)
    if count == 3 or geometry.shape[0] == 1:
        matrix[:count, :count] = full[np.ix_(order, order)] / sizes[:count, np.newaxis]
        matrix[:count, 3] = full[order, -1] / sizes[:count]
        return geometry.moved(matrix, (1,) * (3 - count) + tuple(shape[axis] for axis in spatial))
    return None
