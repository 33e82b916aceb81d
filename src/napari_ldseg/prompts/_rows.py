"""Prompts as rows of a table of points: what napari's Points layer holds, and its CSV."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from ._prompt import Prompt, box, line, point, polygon

CLASS_COLUMNS = ("class", "label")
# Dots along each side of a box.
DOTS = 12
# In this column an area's holes are told from its outline.
HOLE = "hole"
COLUMNS = ("class", "kind", "prompt", "radius")


def to_rows(prompts: Sequence[Prompt]) -> tuple[list[NDArray[np.float64]], dict[str, list[Any]]]:
    """Return the dots of prompts, and what their columns say.

    A point is one dot, a line all its vertices, an area those of its outline and holes, and a box dots around it.

    Parameters
    ----------
    prompts : sequence of Prompt
        Without label maps, which no dots can say.

    Returns
    -------
    positions : list of float arrays of shape (axes,)
    columns : dict
        ``class``, ``kind``, ``prompt`` (which dots belong together, in the order in which they were said) and
        ``radius`` (nan where it does not matter).
    """
    positions: list[NDArray[np.float64]] = []
    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    for number, prompt in enumerate(prompts):
        for ring, dots in enumerate(_outline(prompt.rings[0]) if prompt.kind == "box" else prompt.rings):
            positions += list(dots)
            kind = prompt.kind if not ring or prompt.kind == "box" else f"{HOLE} {ring}"
            radius = np.nan if prompt.radius is None else prompt.radius
            for name, value in zip(COLUMNS, (prompt.label, kind, number, radius), strict=True):
                columns[name] += [value] * len(dots)
    return positions, columns


def from_rows(positions: ArrayLike, columns: Mapping[str, Sequence[Any]], name: str = "the points") -> list[Prompt]:
    """Return the prompts of a table of dots, in the order in which they were said.

    Parameters
    ----------
    positions : float array, shape (dots, axes)
    columns : mapping
        As of :func:`to_rows`; only ``class`` (or ``label``) is needed. Without the others each dot is a point.
    name : str
        What the table is called in messages.

    Raises
    ------
    InputError
        A dot has no class, or dots of one prompt do not fit each other.
    """
    places = np.asarray(positions, dtype=float)
    classes = next((columns[each] for each in CLASS_COLUMNS if each in columns), None)
    if classes is None:
        raise InputError(
            f"No column of {name} says the class; points need one called 'class' (a feature of the layer)."
        )
    total = len(places)
    kinds = [str(kind) or "point" for kind in columns.get("kind", ["point"] * total)]
    numbers = [_number(each, default) for default, each in enumerate(columns.get("prompt", range(total)))]
    radii = [_number(each, np.nan) for each in columns.get("radius", [np.nan] * total)]
    order = sorted(range(total), key=lambda row: numbers[row])
    found: list[Prompt] = []
    for _, rows in groupby(order, key=lambda row: numbers[row]):
        group = list(rows)
        labels = [class_name(classes[row], name) for row in group]
        points = [row for row in group if kinds[row] not in ("line", "box", "polygon") and HOLE not in kinds[row]]
        found += [point(places[row], labels[group.index(row)], _radius(radii[row])) for row in points]
        rest = [row for row in group if row not in points]
        if rest:
            found.append(_joined(rest, places, kinds, labels[group.index(rest[0])], _radius(radii[rest[0]])))
    return found


def class_name(said: Any, name: str) -> int | str:
    """Return a class as a number if it is one, else as a name.

    Raises
    ------
    InputError
        Nothing is said.
    """
    text = "" if said is None else str(said).strip()
    if not text or text == "nan":
        raise InputError(f"A prompt in {name} has no class; give each point or shape one, by number or by name.")
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if np.isfinite(number) and number == int(number) else text


def _joined(
    rows: list[int], places: NDArray[np.float64], kinds: list[str], label: int | str, radius: float | None
) -> Prompt:
    """Make one prompt of several dots."""
    if kinds[rows[0]] == "box":
        return box(places[rows].min(axis=0), places[rows].max(axis=0), label)
    if kinds[rows[0]] == "line":
        return line(places[rows], label, radius)
    rings = [places[list(ring)] for _, ring in groupby(rows, key=kinds.__getitem__)]
    return polygon([ring for ring in rings if len(ring) > 2] or rings, label)


def _outline(corners: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """Yield dots around a box: around its first slice or frame, and around its last one."""
    low, high = corners.min(axis=0), corners.max(axis=0)
    share = np.linspace(0, 1, DOTS, endpoint=False)
    sides = [(share, 0 * share), (1 + 0 * share, share), (1 - share, 1 + 0 * share), (0 * share, 1 - share)]
    way = np.concatenate([np.stack(side, axis=-1) for side in sides])
    flat = np.unique(low[-2:] + way * (high - low)[-2:], axis=0)
    for lead in np.unique(np.stack([low, high])[:, :-2], axis=0):
        yield np.concatenate([np.tile(lead, (len(flat), 1)), flat], axis=1)


def _number(value: Any, default: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return default
    return number if np.isfinite(number) else default


def _radius(value: float) -> float | None:
    return None if np.isnan(value) else value
