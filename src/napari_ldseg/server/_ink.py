"""How much there is to draw for the prompts of an order: a few numbers can describe more than fits into memory."""

import math
from itertools import pairwise

import numpy as np

from ..errors import InputError
from ..remote import Order, SaidPrompt

# Pixels of all prompts together.
MOST = 2**28
PIECE = 128


def refuse_ink(order: Order) -> None:
    """Refuse prompts that would take too long to draw.

    Raises
    ------
    InputError
    """
    sides = [n for n, axis in zip(order.full.levels[0].shape, order.full.axes, strict=True) if axis != "c"]
    if sum(_ink(one, sides) for one in order.prompts) > MOST:
        raise InputError("The prompts cover too many pixels for a server; say it of smaller areas.")


def _ink(one: SaidPrompt, sides: list[int]) -> float:
    if one.kind == "labels":
        return 0.0  # as large as what was sent
    reach = 2 * (one.radius or 0.0)
    try:
        rings = [np.asarray(ring, dtype=float) for ring in one.rings]
    except ValueError:
        return 0.0  # refused where it is read
    if not math.isfinite(reach) or any(ring.ndim != 2 or not np.isfinite(ring).all() for ring in rings):
        return 0.0
    if one.kind == "line":
        total = math.prod(min(1 + reach, n) for n in sides)
        for first, last in pairwise(rings[0] if rings else ()):
            steps = np.abs(last - first)[-len(sides) :]
            number = math.ceil(float(steps.max(initial=0)) / PIECE) + 1
            total += number * math.prod(min(PIECE + reach, n) for n in sides[-3:])
        return total
    places = np.concatenate(rings) if rings else np.zeros((1, len(sides)))
    if places.shape[1] != len(sides):
        return 0.0
    extents = places.max(axis=0) - places.min(axis=0) + 1 + reach
    return math.prod(min(float(extent), n) for extent, n in zip(extents, sides, strict=True))
