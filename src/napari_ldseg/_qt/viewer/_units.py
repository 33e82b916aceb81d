"""Convert between the viewer's world and a layer's. The viewer has a unit for each axis, and so has each layer."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Layer
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari.components import ViewerModel


def on_layer(viewer: "ViewerModel", layer: Layer, points: Any) -> NDArray[np.float64]:
    """Convert points (n, viewer's ndim) from the viewer's world to the layer's: its axes, in its units."""
    near = np.atleast_2d(np.asarray(points, dtype=float))[:, -layer.ndim :]
    return near * unit_factors(viewer, layer)


def to_view(viewer: "ViewerModel", layer: Layer, world: Any) -> NDArray[np.float64]:
    """Convert points or lengths (..., layer's ndim) from the layer's world to the viewer's."""
    return np.asarray(np.asarray(world, float) / unit_factors(viewer, layer))


def unit_factors(viewer: "ViewerModel", layer: Layer) -> NDArray[np.float64]:
    """Return how many of the layer's units make one of the viewer's, along each axis of the layer."""
    units = getattr(viewer.dims, "units", None) or layer.units  # napari before 0.7 has no units
    return factors(units[-layer.ndim :], layer.units)


def factors(units: Sequence[Any], others: Sequence[Any]) -> NDArray[np.float64]:
    """Return how many of the other unit make one of each unit; 1 if they are not comparable."""
    pairs = zip(units, others, strict=True)
    return np.array([float((1 * a).to(b).magnitude) if a.is_compatible_with(b) else 1.0 for a, b in pairs])
