"""Sample data for the File menu."""

from typing import TYPE_CHECKING

from ..data import colon_gland as picture

if TYPE_CHECKING:
    from napari.types import LayerData


def colon_gland() -> "list[LayerData]":
    """Colon glands in haematoxylin and DAB, real tissue; the picture ships with scikit-image."""
    image = picture()
    place = {} if image.spacing is None else {"scale": image.spacing, "units": (image.unit,) * len(image.spacing)}
    return [(image.array, {"name": image.name, "rgb": True, **place}, "image")]
