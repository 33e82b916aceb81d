"""Sample data for the File menu."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ... import phantoms
from ...data import Image

if TYPE_CHECKING:
    from napari.types import LayerData


def colon_gland() -> "list[LayerData]":
    """Colon glands in haematoxylin and DAB, real tissue; the picture ships with scikit-image."""
    image = phantoms.colon_gland()
    return [(image.array, {"name": image.name, "rgb": True, **_place(image)}, "image")]


def echo_cine() -> "list[LayerData]":
    """One heart beat of an echocardiography phantom, and its true labels, hidden."""
    cine = phantoms.echo_cine(4, frames=24)
    return _with_truth(cine.image, cine.labels)


def knee_volume() -> "list[LayerData]":
    """A knee-like volume, and its true labels, hidden."""
    return _with_truth(*phantoms.volume_phantom(0))


def _with_truth(image: Image, labels: NDArray[np.uint8]) -> "list[LayerData]":
    place = _place(image)
    return [
        (image.array, {"name": image.name, "colormap": "gray", **place}, "image"),
        (labels, {"name": f"{image.name} truth", "opacity": 0.5, "visible": False, **place}, "labels"),
    ]


def _place(image: Image) -> dict[str, Any]:
    if image.spacing is None:
        return {}
    axes = image.axes.replace("c", "")
    size = dict(zip(image.spatial, image.spacing, strict=True))
    return {
        "scale": tuple(size.get(axis, 1.0) for axis in axes),
        "units": tuple(image.unit if axis in size else "pixel" for axis in axes),
        "axis_labels": tuple(axes),
    }
