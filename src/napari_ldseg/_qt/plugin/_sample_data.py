"""Provide sample data for the File menu."""

from typing import TYPE_CHECKING

from numpy.typing import NDArray

from ... import phantoms
from ...data import Image
from ..viewer._file_layers import layer_data

if TYPE_CHECKING:
    import numpy as np
    from napari.types import LayerData


def colon_gland() -> "list[LayerData]":
    """Return real colon glands in haematoxylin and DAB; scikit-image ships the image."""
    return [layer_data(phantoms.colon_gland())]


def echo_cine() -> "list[LayerData]":
    """Return one heart beat of an echocardiography phantom, with its true labels hidden."""
    cine = phantoms.echo_cine(4, frames=24)
    return _with_truth(cine.image, cine.labels)


def knee_volume() -> "list[LayerData]":
    """Return a knee-like volume, with its true labels hidden."""
    return _with_truth(*phantoms.volume_phantom(0))


def _with_truth(image: Image, labels: "NDArray[np.uint8]") -> "list[LayerData]":
    truth = image.replace(array=labels, name=f"{image.name} truth")
    return [layer_data(image), layer_data(truth, "labels", opacity=0.5, visible=False)]
