"""The layer in which prompts lie: an ordinary Points layer, which is saved, opened and edited like any other."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

import numpy as np
from napari.layers import Image, Points
from numpy.typing import ArrayLike, NDArray

from ...config import class_color
from ...prompts import Prompt, from_rows, to_rows
from ._from_layers import Source, place_on
from ._navigate import add_unselected, move_to
from ._result_layers import HELPER, KEY, UNKNOWN

if TYPE_CHECKING:
    from napari.components import ViewerModel

# The key of the metadata of a layer of prompts; its value is the name of the image that they are of.
PROMPTS = "napari-ldseg-prompts"
# Dots have at least so many pixels on the canvas, however far one zooms out.
LEAST, MOST = 8, 10_000
# Dots around a box are smaller than points.
BOX_DOT = 0.5
DARK = "#1c1c1c"
# Width of the ring on the canvas.
RING = 30
RING_COLOR = "#ff4fa3"
# The image that the prompts of a layer are of.
_IMAGES: "WeakKeyDictionary[Points, ref[Image]]" = WeakKeyDictionary()


def is_prompts(layer: Any) -> bool:
    """Whether a layer holds prompts that were made here."""
    return isinstance(layer, Points) and PROMPTS in layer.metadata


class PromptLayer:
    """The prompts of an image as dots in the colours of their classes.

    A point is one dot, a stroke many, a box dots around it. The features of the layer say class, kind, and which dots
    belong together.

    Parameters
    ----------
    viewer : ViewerModel
    image : Image layer
    whole : Source
        All of that image.
    names, colors : sequence of str
        Of the classes.
    """

    def __init__(
        self, viewer: "ViewerModel", image: Image, whole: Source, names: Sequence[str], colors: Sequence[str]
    ) -> None:
        self._viewer, self._names, self._whole = viewer, tuple(names), whole
        self._colors = {name: class_color(label, colors) for label, name in enumerate(names)} | {names[0]: DARK}
        # Prompts have no coordinate along the channels, of which each shows them.
        self._axes = sorted(whole.order) or list(range(image.ndim))
        self.layer = self._former(image) or self._made(image)
        self.is_writing = False

    @property
    def exists(self) -> bool:
        """Whether the layer is still in the viewer."""
        return self.layer in self._viewer.layers

    def position(self, data: ArrayLike) -> NDArray[np.float64]:
        """Return a place in data coordinates of the layer as one in the image, in the middle of frame and slice."""
        place = np.asarray(data, dtype=float)[self._axes]
        hidden = [axis not in self._shown() for axis in self._axes]
        return np.where(hidden, np.floor(place + 0.5), place)

    def data(self, position: Sequence[float]) -> NDArray[np.float64]:
        """Return a place in the image in data coordinates of the layer."""
        place = np.zeros(self.layer.ndim)
        place[self._axes] = position
        return place

    def read(self) -> list[Prompt]:
        """Return the prompts that the layer holds.

        Raises
        ------
        InputError
            A point has no class.
        """
        return from_rows(
            np.asarray(self.layer.data)[:, self._axes], dict(self.layer.features), f"the layer {self.layer.name!r}"
        )

    def show(self, prompts: Sequence[Prompt], new_class: str, radius: float) -> None:
        """Show these prompts. Points that the user adds with napari's own tools get this class and radius."""
        layer = self.layer
        positions, columns = to_rows(prompts)
        columns["class"] = [self._named(label) for label in columns["class"]]
        data = np.zeros((len(positions), layer.ndim))
        if positions:
            data[:, self._axes] = np.stack(positions)
        self.is_writing = True
        try:
            layer.selected_data = set()
            with layer.events.blocker_all():
                layer.data = data
                layer.features = _typed(columns)
            layer.feature_defaults = {"class": new_class, "kind": "point", "prompt": len(prompts), "radius": radius}
            self._paint(columns)
            layer.current_face_color = self._colors.get(new_class, UNKNOWN)
            layer.current_size = 2 * radius + 1
            layer.refresh()
            layer.events.data(value=layer.data)
        finally:
            self.is_writing = False

    def lift(self) -> None:
        """Bring the layer above those of results."""
        layers = self._viewer.layers
        if self.exists and any(KEY in layer.metadata for layer in layers[layers.index(self.layer) + 1 :]):
            layers.move(layers.index(self.layer), len(layers))

    def _paint(self, columns: dict[str, list[Any]]) -> None:
        kinds, radii = columns["kind"], np.nan_to_num(np.asarray(columns["radius"], dtype=float))
        sizes = np.where([kind in ("point", "line") for kind in kinds], 2 * radii + 1, 1)
        sizes[[kind not in ("point", "line") for kind in kinds]] *= BOX_DOT * self.layer.current_size
        colors = [self._colors.get(name, UNKNOWN) for name in columns["class"]]
        rims = ["white" if kind == "point" else color for kind, color in zip(kinds, colors, strict=True)]
        if kinds:
            self.layer.size, self.layer.face_color, self.layer.border_color = sizes, colors, rims

    def _named(self, label: int | str) -> str:
        return self._names[label] if isinstance(label, int) and 0 <= label < len(self._names) else str(label)

    def _shown(self) -> set[int]:
        offset = self._viewer.dims.ndim - self.layer.ndim
        return {axis - offset for axis in self._viewer.dims.displayed}

    def _former(self, image: Image) -> Points | None:
        """Return the layer that holds prompts of this image already, even if the image was renamed meanwhile."""
        found = [layer for layer in reversed(self._viewer.layers) if is_prompts(layer) and layer.ndim == image.ndim]
        mine = [layer for layer in found if _IMAGES.get(layer, lambda: None)() is image]
        known = [layer for layer in found if layer not in _IMAGES and layer.metadata[PROMPTS] == image.name]
        layer = next(iter(mine + known), None)
        if layer is not None:
            _IMAGES[layer] = ref(image)
            move_to(layer, self._whole.place)
        return layer

    def _made(self, image: Image) -> Points:
        layer = Points(
            np.zeros((0, image.ndim)),
            name=f"{image.name} prompts",
            features=_typed(to_rows(())[1]),
            metadata={PROMPTS: image.name},
            border_width=0.12,
            opacity=0.85,
            canvas_size_limits=(LEAST, MOST),
            **self._whole.place,
        )
        _IMAGES[layer] = ref(image)
        add_unselected(self._viewer, layer)
        return layer


class Ring:
    """A ring around one place, in a small layer that is never selected, nor made again when somebody removes it."""

    def __init__(self, viewer: "ViewerModel", prompts: PromptLayer) -> None:
        self._viewer, self._prompts = viewer, prompts
        self._layer: Points | None = None

    def show(self, position: Sequence[float] | None) -> None:
        """Show the ring there; None hides it."""
        data = np.zeros((0, self._prompts.layer.ndim)) if position is None else self._prompts.data(position)[None]
        if self._layer is None and position is not None:
            self._layer = self._made(data)
        elif self._layer is not None and len(self._layer.data) + len(data):
            self._layer.data = data
            self._layer.selected_data = set()

    def remove(self) -> None:
        """Remove the layer."""
        if self._layer in self._viewer.layers:
            self._viewer.layers.remove(self._layer)

    def _made(self, data: NDArray[np.float64]) -> Points:
        layer = Points(
            data,
            name="Suggested place",
            size=1,
            face_color="transparent",
            border_color=RING_COLOR,
            border_width=0.12,
            canvas_size_limits=(RING, RING),
            metadata={HELPER: "suggestion"},
            **place_on(self._prompts.layer),
        )
        add_unselected(self._viewer, layer)
        return layer


def _typed(columns: dict[str, list[Any]]) -> dict[str, NDArray[Any]]:
    """Return columns of one type each, even where they are empty."""
    types: dict[str, type] = {"prompt": int, "radius": float}
    return {name: np.array(column, dtype=types.get(name, object)) for name, column in columns.items()}
