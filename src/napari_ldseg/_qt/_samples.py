"""Sample data for the File menu."""

from typing import TYPE_CHECKING

from ..data import colon_gland as picture

if TYPE_CHECKING:
    from napari.types import LayerData


def colon_gland() -> "list[LayerData]":
    """Colon glands in haematoxylin and DAB, real tissue; the picture ships with scikit-image."""
    image = picture()
    return [(image.array, {"name": image.name, "rgb": True}, "image")]
