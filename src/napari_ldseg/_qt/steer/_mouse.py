"""Turn clicks and drags on the canvas into places: a click says a point, a drag a stroke or a box."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..viewer._units import on_layer

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Points

LEFT, RIGHT = 1, 2
# Pixels on the canvas within which a press and its release are a click.
STILL = 4
Tool = Literal["stroke", "box"]


@dataclass(frozen=True)
class Gesture:
    """What the mouse did: places in data coordinates of the layer, one for a click.

    ``is_background`` says that a modifier or the right button meant the background, and ``is_over`` that the button
    was released.
    """

    places: list[NDArray[np.float64]]
    tool: Tool
    is_background: bool
    is_over: bool


class Mouse:
    """Listens to a layer while napari's own tools rest.

    Parameters
    ----------
    viewer : ViewerModel
    layer : Points
    tell : callable
        Receives a gesture at each move, and when it is over.
    """

    def __init__(self, viewer: "ViewerModel", layer: "Points", tell: Callable[[Gesture], object]) -> None:
        self._viewer, self._layer, self._tell = viewer, layer, tell
        self.tool: Tool = "stroke"
        layer.mouse_drag_callbacks.append(self._on_drag)
        layer.bind_key("Space", self._hold, overwrite=True)
        layer.events.mode.connect(self._on_mode)
        self._on_mode()

    def release(self) -> None:
        """Give the mouse back to napari."""
        layer = self._layer
        layer.mouse_drag_callbacks.remove(self._on_drag)
        layer.bind_key("Space", None, overwrite=True)
        layer.events.mode.disconnect(self._on_mode)
        layer.mouse_pan = True

    def _hold(self, layer: "Points") -> Iterator[None]:
        """Move the camera while the key is held."""
        layer.mouse_pan = True
        yield
        self._on_mode()

    def _on_mode(self, event: Any = None) -> None:
        if self._layer.mode == "pan_zoom":
            self._layer.mouse_pan = False

    def _on_drag(self, layer: "Points", event: Any) -> Iterator[None]:
        if layer.mode != "pan_zoom" or layer.mouse_pan or event.button not in (LEFT, RIGHT):
            return
        held = {str(key) for key in event.modifiers}
        tool: Tool = "box" if "Control" in held else self.tool
        is_background, is_right = "Shift" in held or event.button == RIGHT, event.button == RIGHT
        first, moved, places = np.array(event.pos), False, [self._place(event)]
        yield
        while event.type == "mouse_move":
            moved = moved or np.abs(np.array(event.pos) - first).max() > STILL
            if moved and not is_right:
                places = [places[0], self._place(event)] if tool == "box" else [*places, self._place(event)]
                self._tell(Gesture(places, tool, is_background, is_over=False))
            yield
        if not (is_right and moved):  # napari zooms so
            self._tell(Gesture(places if moved else places[:1], tool, is_background, is_over=True))

    def _place(self, event: Any) -> NDArray[np.float64]:
        world = on_layer(self._viewer, self._layer, event.position)[0]
        return np.asarray(self._layer.world_to_data(world), dtype=float)
