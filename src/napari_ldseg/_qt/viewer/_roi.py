"""Get regions of interest as points on an image layer: what is on screen, or a drawn shape."""

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image, Layer, Shapes
from numpy.typing import NDArray

from ...errors import InputError
from ._navigate import camera_of, canvas_size
from ._units import on_layer, unit_factors

if TYPE_CHECKING:
    from napari.components import ViewerModel

FLAT = 1e-3


def order_on(viewer: "ViewerModel", layer: Layer) -> tuple[int, ...]:
    """Return the viewer's order of axes, as axes of the layer. The last ones are on screen."""
    offset = viewer.dims.ndim - layer.ndim
    return tuple(axis - offset for axis in viewer.dims.order if axis >= offset)


def current_view(viewer: "ViewerModel", layer: Image) -> NDArray[np.float64]:
    """Return the corners of the canvas in data coordinates of the layer; nan along axes off screen.

    Raises
    ------
    InputError
        If the view is in 3D, where the canvas shows no rectangle.
    """
    if viewer.dims.ndisplay != 2:
        raise InputError("In 3D the current view is no rectangle; switch to 2D, or take the whole image.")
    camera, shown = camera_of(viewer), list(viewer.dims.displayed)
    half = np.array(canvas_size(viewer)) / (2 * camera.zoom)
    corners = np.tile(np.asarray(viewer.dims.point, dtype=float), (4, 1))
    corners[:, shown] = np.asarray(camera.center[-2:]) + half * [(-1, -1), (-1, 1), (1, -1), (1, 1)]
    points = _to_data(viewer, layer, corners)
    offset = viewer.dims.ndim - layer.ndim
    points[:, [axis for axis in range(layer.ndim) if axis + offset not in shown]] = np.nan
    return points


def drawn(viewer: "ViewerModel", shapes: Shapes, layer: Image) -> NDArray[np.float64]:
    """Return the vertices of the selected shape, else of the last one, in data coordinates of the image layer.

    Along an axis in which the shape is flat (a rectangle on one slice of a volume) the whole axis is taken.

    Raises
    ------
    InputError
        If nothing is drawn.
    """
    if not len(shapes.data):
        raise InputError(f"There is nothing in {shapes.name!r} yet; draw a rectangle around the part to segment.")
    number = max(shapes.selected_data, default=len(shapes.data) - 1)
    vertices = np.array([shapes.data_to_world(vertex) for vertex in shapes.data[min(number, len(shapes.data) - 1)]])
    world = np.tile(np.asarray(viewer.dims.point, dtype=float), (len(vertices), 1))
    world[:, -shapes.ndim :] = vertices / unit_factors(viewer, shapes)
    points = _to_data(viewer, layer, world)
    points[:, np.ptp(points, axis=0) < FLAT] = np.nan
    return points


def _to_data(viewer: "ViewerModel", layer: Layer, world: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([layer.world_to_data(point) for point in on_layer(viewer, layer, world)])
