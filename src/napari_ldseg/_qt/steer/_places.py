"""Turn places of the mouse into prompts, and tell whether they lie in what is steered."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...plan import Plan
from ...prompts import Prompt, box, line, point
from ._mouse import Tool

Places = Sequence[NDArray[np.float64]]


def prompt_of(places: Places, tool: Tool, label: str, radius: float) -> Prompt:
    """Return what a click (one place) or a drag (several) says; places and radius in pixels of the image."""
    if len(places) == 1:
        return point(places[0], label, radius)
    if tool == "box":
        return box(np.round(places[0]), np.round(places[-1]), label)
    return line(_dense(places, max(radius, 1)), label, radius)


def is_inside(plan: Plan, places: Places) -> bool:
    """Whether some of these places, or what lies between them, are in the image."""
    part = plan.asked
    sizes = np.array([part.size(axis) for axis in part.image.axes if axis != "c"])
    low, high = np.min(places, axis=0), np.max(places, axis=0)
    return bool((high >= -0.5).all() and (low < sizes - 0.5).all())


def is_steered(plan: Plan, prompt: Prompt) -> bool:
    """Whether a prompt reaches into the frames and the region that are segmented."""
    part, places = plan.asked, np.concatenate(prompt.rings)
    extents = [part.extent(axis) for axis in part.image.axes if axis != "c"]
    for extent, least, most in zip(extents, places.min(axis=0), places.max(axis=0), strict=True):
        start, stop = (extent.start, extent.stop) if isinstance(extent, slice) else (extent, extent + 1)
        if most < start - 0.5 or least >= stop - 0.5:
            return False
    return True


def _dense(places: Places, step: float) -> NDArray[np.float64]:
    """Return a line with a vertex at each step at least, and none much closer to another."""
    kept = [places[0]]
    for place in places[1:]:
        way = float(np.abs(place - kept[-1]).max())
        if way < step / 2:
            continue
        number = int(np.ceil(way / step))
        kept += list(np.linspace(kept[-1], place, number + 1)[1:])
    return np.stack(kept)
