"""Outlines of masks, and masks of outlines' bounds."""

from typing import Any

import numpy as np
import shapely
import skimage.measure
from numpy.typing import NDArray

Ring = list[list[float]]


def rings(mask: NDArray[np.bool_], origin: tuple[int, int] = (0, 0)) -> list[Ring]:
    """Return outline and holes of one connected mask as closed rings of x, y: the outline first, anticlockwise.

    Marching squares at one half gives the lines (``skimage.measure.find_contours``). Pixel centres lie at one half,
    as QuPath counts.

    Parameters
    ----------
    mask : bool array (Y, X)
        Pixels that are connected by their sides.
    origin : tuple of int
        Where the first pixel (Y, X) lies in the image.
    """
    found = []
    for line in skimage.measure.find_contours(np.pad(mask, 1).astype(np.float32), 0.5):
        y, x = (line + 0.5 - 1 + origin).T
        area = float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])) / 2
        found.append((area, np.column_stack([x, y])))
    found.sort(key=lambda one: -abs(one[0]))
    result = []
    for index, (area, line) in enumerate(found):
        # RFC 7946: the outline anticlockwise, holes clockwise.
        turned = line if (area > 0) == (index == 0) else line[::-1]
        result.append(np.round(turned, 2).tolist())
    return result


def area_of(mask: NDArray[np.bool_], origin: tuple[int, int] = (0, 0)) -> Any:
    """Return a flat mask as a shapely Polygon, or as a MultiPolygon if it has several pieces."""
    parts = np.asarray(skimage.measure.label(mask, connectivity=1))
    polygons = []
    for part in range(1, int(parts.max(initial=0)) + 1):
        outline, *holes = rings(parts == part, origin)
        polygons.append(shapely.Polygon(outline, holes))
    return polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons)
