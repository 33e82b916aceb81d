"""One prompt: something that a person says about some pixels of an image."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError

NOTHING = 255
Kind = Literal["point", "line", "polygon", "box", "labels"]


@dataclass(frozen=True, eq=False)
class Prompt:
    """Some pixels and their class. Made by :func:`point`, :func:`line`, :func:`polygon`, :func:`box`, :func:`labels`.

    Attributes
    ----------
    kind : str
    label : int or str
        The class, by its number or its name; of a label map ``NOTHING``, as each pixel has its own.
    rings : tuple of float arrays, each of shape (vertices, axes)
        Vertices in pixels of the image, for all its axes but the channels; the centre of the first pixel is 0. Those of
        a point are the point alone; of a box two corners; of a polygon the outline, and its holes after it.
    radius : float or None
        Of a point, and half the width of a line, in pixels along x; None takes what suits the model.
    values : uint8 array or None
        Of a label map: the class of each pixel, 255 where nothing is said.
    """

    kind: Kind
    label: int | str
    rings: tuple[NDArray[np.float64], ...] = ()
    radius: float | None = None
    values: NDArray[np.uint8] | None = None

    def note(self) -> dict[str, Any]:
        """Return it as JSON, for the provenance; of a label map its hash and the number of pixels."""
        if self.values is not None:
            digest = hashlib.sha256(np.ascontiguousarray(self.values).tobytes()).hexdigest()
            said = int(np.count_nonzero(self.values != NOTHING))
            return {"kind": self.kind, "shape": list(self.values.shape), "pixels": said, "sha256": digest}
        places = [np.round(ring, 3).tolist() for ring in self.rings]
        found: dict[str, Any] = {"kind": self.kind, "class": self.label, "places": places}
        return found if self.radius is None else {**found, "radius": self.radius}


def point(position: ArrayLike, label: int | str, radius: float | None = None) -> Prompt:
    """Say of which class a disk (ball) is.

    Parameters
    ----------
    position : numbers, one for each axis of the image but the channels
        In pixels; the centre of the first one is 0.
    label : int or str
    radius : float, optional
        In pixels along x; by default a quarter of a cell of the latent's grid.
    """
    return Prompt("point", label, (_vertices([position], 1),), _radius(radius))


def line(places: ArrayLike, label: int | str, radius: float | None = None) -> Prompt:
    """Say of which class a stroke is: all pixels within ``radius`` of a line through ``places`` (vertices, axes)."""
    return Prompt("line", label, (_vertices(places, 1),), _radius(radius))


def polygon(rings: Sequence[ArrayLike], label: int | str) -> Prompt:
    """Say of which class an area is: inside of the first ring (vertices, axes), and outside of the others."""
    return Prompt("polygon", label, tuple(_vertices(ring, 3) for ring in rings))


def box(start: ArrayLike, stop: ArrayLike, label: int | str) -> Prompt:
    """Say of which class a box is, from one corner pixel to the opposite one, both with it."""
    return Prompt("box", label, (_vertices([start, stop], 2),))


def labels(values: ArrayLike) -> Prompt:
    """Say of which class each pixel is: a map of the image's shape (without channels), 255 where nothing is said.

    Raises
    ------
    InputError
        The values are no whole numbers from 0 to 255.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "bui" or (array.size and not 0 <= int(array.min()) <= int(array.max()) <= NOTHING):
        raise InputError(
            f"A map of prompts holds the classes 0, 1, 2, ... and {NOTHING} where nothing is said; this one holds "
            f"{array.dtype} values from {array.min():g} to {array.max():g}."
        )
    return Prompt("labels", NOTHING, values=array.astype(np.uint8))


def _vertices(places: Any, least: int) -> NDArray[np.float64]:
    try:
        array = np.asarray(places, dtype=float)
    except (TypeError, ValueError) as error:
        raise InputError(f"The places {places!r} of a prompt are no numbers.") from error
    if array.ndim != 2 or len(array) < least or not np.isfinite(array).all():
        raise InputError(
            f"The places {np.asarray(places).tolist()!r} of a prompt must be finite numbers, one for each axis, of at "
            f"least {least} place{'s' if least > 1 else ''}."
        )
    return array


def _radius(radius: float | None) -> float | None:
    if radius is not None and not 0 <= radius < np.inf:
        raise InputError(f"The radius {radius} of a prompt must be 0 (one pixel) or more.")
    return None if radius is None else float(radius)
