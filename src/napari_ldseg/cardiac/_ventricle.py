"""Measure one left ventricle in one apical view: area, long axis, disks, and the volumes that follow.

Sources: Lang et al., Recommendations for cardiac chamber quantification by echocardiography in adults, J Am Soc
Echocardiogr 28 (2015) 1-39 (disk summation, biplane); Schiller et al., J Am Soc Echocardiogr 2 (1989) 358-367.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.ndimage as ndi
import skimage.measure
from numpy.typing import NDArray

Array = NDArray[np.float64]

DISKS = 20
_CHORDS = 4  # per disk, of which the mean is its diameter
_SMALLEST = 12  # pixels


@dataclass(frozen=True)
class Ventricle:
    """The measurements of one mask of the left ventricle (LV); all nan if it is empty.

    Attributes
    ----------
    area, length : float
        Of the cavity, and of its long axis from the middle of the mitral plane to the apex.
    diameters : float array ``(20,)``
        Across the long axis in the middle of 20 slabs of equal height, from the mitral plane to the apex.
    atrium_area : float
        Of the left atrium.
    base, apex : tuple of float
        Ends of the long axis (y, x) in the unit of the pixel size, from the centre of the first pixel.
    """

    area: float = math.nan
    length: float = math.nan
    diameters: Array = field(default_factory=lambda: np.full(DISKS, math.nan))
    atrium_area: float = math.nan
    base: tuple[float, float] = (math.nan, math.nan)
    apex: tuple[float, float] = (math.nan, math.nan)


def area_length(area: float, length: float) -> float:
    """Volume by the single-plane area-length method, 8 A^2 / (3 pi L): exact for half an ellipsoid of revolution."""
    return 8 * area**2 / (3 * math.pi * length)


def disk_summation(diameters: Array, others: Array, length: float) -> float:
    """Volume by Simpson's method of disks, pi/4 sum(a_i b_i) L/20.

    Parameters
    ----------
    diameters, others : float array ``(20,)``
        a_i and b_i, from two views that cross at right angles (biplane); the same twice for a single plane.
    length : float
        The longer of the two long axes.
    """
    return float(math.pi / 4 * np.sum(diameters * others) * length / len(diameters))


def measure_ventricle(
    labels: NDArray[Any], spacing: tuple[float, ...], *, lv: int = 1, myocardium: int = 2, atrium: int = 3
) -> Ventricle:
    """Measure the left ventricle of one frame.

    The mitral plane is where the cavity meets the left atrium; without an atrium, where the myocardium is open; with
    neither, the wider end of the cavity's principal axis. The apex is the point of the cavity farthest from its middle.
    Pieces beside the largest one are left out.

    Parameters
    ----------
    labels : integer array ``(Y, X)``
    spacing : tuple of float
        Pixel size (Y, X), which may differ.
    lv, myocardium, atrium : int
        Classes.
    """
    atrium_area = float(np.count_nonzero(labels == atrium)) * math.prod(spacing)
    mask = _largest_piece(labels == lv)
    if np.count_nonzero(mask) < _SMALLEST:
        return Ventricle(atrium_area=atrium_area)
    box = tuple(slice(max(0, s.start - 3), s.stop + 3) for s in ndi.find_objects(mask.astype(np.uint8))[0])
    corner = np.array([part.start for part in box]) * spacing
    mask, near = mask[box], labels[box]
    outline = _outline(mask, spacing)
    base = _mitral_middle(outline, near, spacing, myocardium, atrium)
    apex = outline[np.argmax(np.hypot(*(outline - base).T))]
    length = float(np.hypot(*(apex - base)))
    return Ventricle(
        float(np.count_nonzero(mask)) * math.prod(spacing),
        length,
        _diameters(mask, spacing, base, apex),
        atrium_area,
        _point(base + corner),
        _point(apex + corner),
    )


def _largest_piece(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    pieces, count = ndi.label(mask)
    if count < 2:
        return mask
    return np.asarray(pieces == 1 + np.argmax(np.bincount(pieces.ravel())[1:]))


def _outline(mask: NDArray[np.bool_], spacing: tuple[float, ...]) -> Array:
    """Return the points of the border, halfway between inner and outer pixels, ``(points, 2)``."""
    lines = skimage.measure.find_contours(np.pad(mask, 1).astype(float), 0.5)
    return np.asarray((max(lines, key=len) - 1) * spacing)


def _mitral_middle(
    outline: Array, labels: NDArray[Any], spacing: tuple[float, ...], myocardium: int, atrium: int
) -> Array:
    for touching, inside in ((labels == atrium, True), (labels == myocardium, False)):
        if not touching.any():
            continue
        distance = ndi.distance_transform_edt(~touching, sampling=spacing)
        at_border = ndi.map_coordinates(distance, (outline / spacing).T, order=1, mode="nearest")
        # Neighbours lie half a pixel from the border between them.
        meets = (at_border < 1.5 * max(spacing)) == inside
        if np.count_nonzero(meets) >= 3:
            return _middle(outline[meets])
    return _wide_end(outline)


def _middle(points: Array) -> Array:
    """Middle between the two ends of a line of points."""
    centred = points - points.mean(axis=0)
    along = centred @ np.linalg.svd(centred, full_matrices=False)[2][0]
    return np.asarray((points[np.argmin(along)] + points[np.argmax(along)]) / 2)


def _wide_end(outline: Array) -> Array:
    """Middle of that end of the principal axis near which the outline is wider."""
    middle = outline.mean(axis=0)
    axes = np.linalg.svd(outline - middle, full_matrices=False)[2]
    along, across = axes @ (outline - middle).T
    low, high = along.min(), along.max()
    near = 0.2 * (high - low)
    ends = {float(low): along < low + near, float(high): along > high - near}
    tip, end = max(ends.items(), key=lambda item: float(np.ptp(across[item[1]])))
    return np.asarray(middle + tip * axes[0] + (across[end].min() + across[end].max()) / 2 * axes[1])


def _diameters(mask: NDArray[np.bool_], spacing: tuple[float, ...], base: Array, apex: Array) -> Array:
    """Widths across the axis: mean of a few chords for each disk."""
    axis = apex - base
    across = np.array([-axis[1], axis[0]]) / np.hypot(*axis)
    reach, step = float(np.hypot(*(np.array(mask.shape) * spacing))), min(spacing) / 2
    offsets = np.arange(-reach, reach, step)
    heights = (np.arange(DISKS * _CHORDS) + 0.5) / (DISKS * _CHORDS)
    points = base + heights[:, None, None] * axis + offsets[None, :, None] * across
    inside = ndi.map_coordinates(mask.astype(np.float32), np.moveaxis(points / spacing, -1, 0), order=1) > 0.5
    return np.asarray(inside.sum(axis=1).reshape(DISKS, _CHORDS).mean(axis=1) * step)


def _point(point: Array) -> tuple[float, float]:
    return float(point[0]), float(point[1])
