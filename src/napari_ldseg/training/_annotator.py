"""Simulate an annotator: where somebody would click next, and with which label."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Click:
    """A disk (ball) of pixels that an annotator gives one class.

    Attributes
    ----------
    centre : tuple of int
        In pixels, ((Z), Y, X).
    radius : float
        In pixels; 0 is one pixel.
    label : int
    """

    centre: tuple[int, ...]
    radius: float
    label: int

    def pixels(self, shape: Sequence[int]) -> tuple[NDArray[np.intp], ...]:
        """Return the indices of its pixels inside an image of ``shape``."""
        reach = int(self.radius)
        axes = [np.arange(max(0, c - reach), min(n, c + reach + 1)) for c, n in zip(self.centre, shape, strict=True)]
        grid = np.meshgrid(*axes, indexing="ij")
        near = sum((g - c) ** 2 for g, c in zip(grid, self.centre, strict=True)) <= self.radius**2
        return tuple(g[near] for g in grid)


@dataclass(frozen=True)
class Component:
    """A connected error: its true class, the box around it, and its pixels within that box."""

    label: int
    box: tuple[slice, ...]
    inside: Mask
    size: int


def wrong_components(estimate: NDArray[Any], reference: NDArray[Any], known: Mask | None = None) -> list[Component]:
    """Return the connected regions where the estimate misses the true class, the largest first.

    Parameters
    ----------
    estimate, reference : integer arrays, shape ((Z), Y, X)
    known : bool array, optional
        Where the reference is to be trusted.
    """
    wrong = estimate != reference
    if known is not None:
        wrong &= known
    found = []
    for label in np.unique(reference[wrong]):
        parts, _ = ndimage.label(wrong & (reference == label))
        for index, box in enumerate(ndimage.find_objects(parts), start=1):
            inside = parts[box] == index
            found.append(Component(int(label), box, inside, int(inside.sum())))
    return sorted(found, key=lambda part: part.size, reverse=True)


def innermost(inside: Mask) -> tuple[tuple[int, ...], float]:
    """Return the pixel that lies deepest in a region, and its distance to the outside (or the border)."""
    distances = ndimage.distance_transform_edt(np.pad(inside, 1))[(slice(1, -1),) * inside.ndim]
    centre = np.unravel_index(int(distances.argmax()), distances.shape)
    return tuple(int(i) for i in centre), float(distances.max())


def next_click(
    estimate: NDArray[Any], reference: NDArray[Any], radius: float, known: Mask | None = None
) -> Click | None:
    """Return the click of the evaluation: in the middle of the largest error (as in RITM and the NoC benchmarks).

    The disk is as large as ``radius``, and never larger than what surrounds its centre in the true class. None where
    nothing is wrong.
    """
    parts = wrong_components(estimate, reference, known)
    if not parts:
        return None
    part = parts[0]
    centre, _ = innermost(part.inside)
    centre = tuple(c + s.start for c, s in zip(centre, part.box, strict=True))
    return Click(centre, min(radius, room_at(reference == part.label, centre, radius)), part.label)


def room_at(inside: Mask, centre: Sequence[int], most: float) -> float:
    """Return the largest radius, up to ``most``, of a disk around a pixel that stays inside; 0 is that pixel alone."""
    reach = int(most) + 1
    window = tuple(slice(max(0, c - reach), c + reach + 1) for c in centre)
    outside = np.argwhere(~inside[window])
    if not len(outside):
        return most
    offset = np.array([c - s.start for c, s in zip(centre, window, strict=True)])
    nearest = float(np.sqrt(((outside - offset) ** 2).sum(axis=1).min()))
    return max(0.0, min(most, nearest - 1e-3))
