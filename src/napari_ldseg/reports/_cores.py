"""Objects of a tissue microarray, by the core that they lie in."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import shapely

from ..annotations import Shape
from ..errors import InputError
from ._report import Report

KINDS = ("tma_core", "tmacore", "tma")


def name_cores(report: Report, drawn: Sequence[Shape]) -> Report:
    """Return the report with the name of the core that each object's centroid lies in.

    Parameters
    ----------
    report : Report
    drawn : sequence of Shape
        What QuPath exported, in pixels of the full image. What is no core is left out.

    Raises
    ------
    InputError
        If none of the shapes is a core.
    """
    cores = [shape for shape in drawn if shape.kind.casefold().replace(" ", "_") in KINDS]
    if not cores:
        raise InputError(
            "The file holds no TMA cores; dearray the slide in QuPath, then export its TMA cores as GeoJSON."
        )
    (top, left), (down, right) = report.place
    found = {}
    for one in report.measurements:
        y, x = (
            box.start + float(np.mean(places)) + 0.5
            for box, places in zip(one.region.box[-2:], np.nonzero(one.region.mask)[-2:], strict=True)
        )
        centre = shapely.Point(left + x * right, top + y * down)
        found[one.region.number] = next((core.title or core.name for core in cores if core.geometry.covers(centre)), "")
    return replace(report, cores=found)
