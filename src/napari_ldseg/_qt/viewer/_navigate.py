"""Move the viewer to an object, and outline it."""

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Layer

from ...measure import Region
from ._extra_layers import outline_layer
from ._from_layers import place_on
from ._labels_source import Subject
from ._result_layers import HELPER
from ._units import to_view

if TYPE_CHECKING:
    from napari.components import ViewerModel

LINE = 2.5
# An object fills at most this share of the canvas, so that its surroundings stay visible.
SHARE = 0.4
CLOSEST = 5
# A place nearer to the middle than this share of half the canvas is in view.
IN_VIEW = 0.85


def move_to(layer: Layer, where: dict[str, Any]) -> None:
    """Set a layer's transforms to those of :func:`place_on`."""
    now = place_on(layer)
    for name, value in where.items():
        if not np.array_equal(now[name], value):
            setattr(layer, name, value)


def show_region(viewer: "ViewerModel", subject: Subject, region: Region) -> None:
    """Go to a region and outline it, if its layer still exists."""
    if subject.layer in viewer.layers:
        go_to(viewer, subject, region)
        outline(viewer, subject, region)


def go_to(viewer: "ViewerModel", subject: Subject, region: Region) -> None:
    """Show the frame and slice of a region; centre objects and zoom in on them."""
    layer, index = subject.layer, subject.index(region.frame, region.box)
    whole = region.label == 0
    centre = [0.0] * layer.ndim
    for axis, part in enumerate(index):
        centre[axis] = (part.start + part.stop - 1) / 2 if isinstance(part, slice) else float(part)
    if not whole:
        # In volumes, show the slice of the middle pixel, which surely holds the object.
        for axis, value in zip(subject.axes[len(region.frame) :], region.anchor, strict=True):
            centre[axis] = centre[axis] if axis in subject.axes[-2:] else float(value)
    world = to_view(viewer, layer, layer.data_to_world(centre))
    offset = viewer.dims.ndim - layer.ndim
    for axis in range(layer.ndim):
        if axis + offset not in viewer.dims.displayed:
            viewer.dims.set_point(axis + offset, world[axis])
    if whole:
        return
    corners = np.array([[p.start, p.stop] if isinstance(p, slice) else [p, p + 1] for p in index], float) - 0.5
    grid = np.stack(np.meshgrid(*corners, indexing="ij"), axis=-1).reshape(-1, layer.ndim)
    points = to_view(viewer, layer, [layer.data_to_world(corner) for corner in grid])
    shown = [axis - offset for axis in viewer.dims.displayed if axis >= offset]
    extent = np.ptp(points[:, shown], axis=0)
    view = camera_of(viewer)
    canvas = canvas_size(viewer)
    limits = to_view(viewer, layer, layer.extent.world)[:, shown]
    everything = np.ptp(limits, axis=0)
    near, far = (
        min(share * side / max(e, 1e-9) for side, e in zip(canvas, size[-2:], strict=True))
        for share, size in ((SHARE, extent), (0.95, everything))
    )
    # Zoom out at most until the whole layer is in view, and never so far in that one is lost.
    view.zoom = float(np.clip(near, far, CLOSEST * far))
    centre_in_view = world[shown]
    if viewer.dims.ndisplay == 2:
        # At the edge of the image the view stays inside it, so that no half of the canvas is black.
        low, high = limits
        half = np.array(canvas) / view.zoom / 2
        middle = (low + high) / 2
        inside = np.clip(centre_in_view, np.minimum(low + half, middle), np.maximum(high - half, middle))
        centre_in_view = np.where(high - low < 2 * half, middle, inside)
    camera = [0.0, 0.0, 0.0]
    camera[-len(shown) :] = [float(value) for value in centre_in_view]
    view.center = tuple(camera)


def show_place(viewer: "ViewerModel", layer: Layer, place: Any) -> None:
    """Go to the frame and slice of a place in data coordinates of a layer; move the view only if it is not on it."""
    world = to_view(viewer, layer, layer.data_to_world(place))
    offset = viewer.dims.ndim - layer.ndim
    for axis in range(layer.ndim):
        if axis + offset not in viewer.dims.displayed:
            viewer.dims.set_point(axis + offset, world[axis])
    shown = [axis - offset for axis in viewer.dims.displayed if axis >= offset]
    view = camera_of(viewer)
    half = np.array(canvas_size(viewer)) / view.zoom / 2
    away = np.abs(world[shown][-2:] - np.asarray(view.center)[-2:])
    if (away > IN_VIEW * half).any():
        centre = np.array(view.center, dtype=float)
        centre[-len(shown) :] = world[shown]
        view.center = tuple(centre.tolist())


def camera_of(viewer: "ViewerModel") -> Any:
    """Return the camera, which napari 0.9 moved from the viewer to its scene."""
    scene = getattr(viewer, "scene", None)
    return scene.camera if scene is not None else viewer.camera


def canvas_size(viewer: "ViewerModel") -> tuple[int, int]:
    """Return height and width of the canvas; napari before 0.9 kept them elsewhere."""
    canvas = getattr(viewer, "canvas", None)
    size: Any = canvas.size if canvas is not None else getattr(viewer, "_canvas_size", (600, 800))
    return int(size[0]), int(size[1])


def outline(viewer: "ViewerModel", subject: Subject, region: Region | None) -> None:
    """Draw a white line around an object, in a small layer that is never selected. None hides it."""
    layer = next((layer for layer in viewer.layers if layer.metadata.get(HELPER) == "outline"), None)
    if region is None or region.label == 0:
        if layer is not None:
            layer.visible = False
        return
    # The line has a few pixels on screen at every zoom, and needs room.
    step = to_view(viewer, subject.layer, np.abs(subject.layer.scale))[subject.axes[-1]]
    width = max(1, round(LINE / (camera_of(viewer).zoom * float(step))))
    margin = [width if axis in subject.axes[-2:] else 0 for axis in range(subject.layer.ndim)]
    data = np.pad(region.mask.reshape(subject.shape(region)).astype(np.uint8), [(m, m) for m in margin])
    first = np.array(subject.origin(region), float) - margin
    where = place_on(subject.layer, origin=first)
    if layer is not None and layer.ndim == data.ndim:
        layer.data = data
        move_to(layer, where)
        layer.contour, layer.visible = width, True
        return
    add_unselected(viewer, outline_layer(data, width, metadata={HELPER: "outline"}, **where))


def add_unselected(viewer: "ViewerModel", layer: Layer) -> None:
    """Add a layer without changing the selection, so that the user keeps painting in the same layer."""
    selected, active = set(viewer.layers.selection), viewer.layers.selection.active
    viewer.add_layer(layer)
    viewer.layers.selection = {layer for layer in selected if layer in viewer.layers}
    if active is not None:
        viewer.layers.selection.active = active
