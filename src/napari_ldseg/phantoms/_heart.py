"""A left heart of known volume that beats: the geometry behind the echocardiography phantom."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
View = Literal["4ch", "2ch"]

LV, MYOCARDIUM, ATRIUM = 1, 2, 3
_REACH = 20.0  # mm beyond the epicardium to which the tissue around takes part in the motion


def bulge(s: Array, widest: float) -> Array:
    """Half-width of an ellipse that is cut off at ``s = 0`` and ends at ``s = 1``, relative to its widest place."""
    inside = (s >= 0) & (s <= 1)
    return np.where(inside, np.sqrt(np.clip(1 - ((s - widest) / (1 - widest)) ** 2, 0, None)), 0.0)


def bulge_area(widest: float) -> float:
    """Integral of :func:`bulge` from 0 to 1."""
    start = -widest / (1 - widest)
    return (1 - widest) * (math.pi / 2 - start * math.sqrt(1 - start**2) - math.asin(start)) / 2


def bulge_volume(widest: float) -> float:
    """Integral of the square of :func:`bulge` from 0 to 1."""
    return 1 - ((1 - widest) ** 3 + widest**3) / (3 * (1 - widest) ** 2)


@dataclass(frozen=True)
class Pose:
    """The chambers at one moment, in mm: lengths along the axis, and half-widths where they are widest."""

    length: float
    width: float
    outer_width: float
    atrium_length: float
    atrium_width: float


@dataclass(frozen=True)
class Heart:
    """One heart, as one apical view shows it.

    The left ventricle (LV) is a truncated ellipsoid; its disks are ellipses with half-widths w(s) in the four-chamber
    and ``roundness`` w(s) in the two-chamber plane, so its volume is pi roundness W^2 L times :func:`bulge_volume`.
    It empties along :func:`volume_curve` while the mitral plane moves towards the apex, which stays in place; the
    wall keeps its volume (it thickens), and the roof of the left atrium stays where it is.

    Heart coordinates are v, from the epicardial apex along the axis, and r, across it towards the lateral wall (mm).

    Attributes
    ----------
    length, width, wall, atrium_length, atrium_width : float
        At end-diastole, mm; ``width`` and ``atrium_width`` are half-widths.
    apex_wall : float
        Thickness of the apex relative to the length.
    widest, atrium_widest : float
        Where a chamber is widest, as a share of its length from the mitral plane.
    roundness : float
    ejection_fraction, systole : float
        Share of the volume that is ejected; share of the cycle until end-systole.
    apex : tuple of float
        (depth, right) of the epicardial apex from the transducer, mm.
    tilt, slope, bend : float
        Angle of the axis (radians, towards the right), slope of the mitral plane, bending of the axis (mm).
    view : "4ch" or "2ch"
    """

    length: float
    width: float
    wall: float
    atrium_length: float
    atrium_width: float
    apex_wall: float
    widest: float
    atrium_widest: float
    roundness: float
    ejection_fraction: float
    systole: float
    apex: tuple[float, float]
    tilt: float
    slope: float
    bend: float
    view: View = "4ch"

    @property
    def end_diastolic_volume(self) -> float:
        """Volume of the LV at end-diastole, mm^3."""
        across = self.roundness if self.view == "4ch" else 1 / self.roundness
        return math.pi * across * self.width**2 * self.length * bulge_volume(self.widest)

    def pose(self, ejected: float) -> Pose:
        """Return the chambers when a share ``ejected`` of the stroke has left the LV (1 at end-systole)."""
        share = self.ejection_fraction * ejected
        # Longitudinal strain is about a quarter of the ejection fraction.
        shortened = 1 - 0.28 * share
        length = self.length * shortened
        inner = self.width**2 * (1 - share) / shortened
        outer = ((self.width + self.wall) ** 2 - self.width**2) / shortened + inner
        descent = (1 + self.apex_wall) * (self.length - length)
        return Pose(
            length,
            math.sqrt(inner),
            math.sqrt(outer),
            self.atrium_length + descent,
            self.atrium_width * (1 + 0.22 * ejected),
        )

    def areas(self, pose: Pose) -> tuple[float, float]:
        """Areas of the LV and the left atrium in the plane of the view, mm^2."""
        return (
            2 * pose.width * pose.length * bulge_area(self.widest),
            2 * pose.atrium_width * pose.atrium_length * bulge_area(self.atrium_widest),
        )

    def to_heart(self, depth: Array, right: Array, pose: Pose) -> tuple[Array, Array]:
        """Heart coordinates (v, r) of points below the transducer."""
        y, x = depth - self.apex[0], right - self.apex[1]
        r = x * math.cos(self.tilt) - y * math.sin(self.tilt)
        v = y * math.cos(self.tilt) + x * math.sin(self.tilt) + self.slope * r
        return v, r - self._bending(v, pose)

    def from_heart(self, v: Array, r: Array, pose: Pose) -> tuple[Array, Array]:
        """Invert :func:`to_heart`."""
        r = r + self._bending(v, pose)
        v = v - self.slope * r
        depth = v * math.cos(self.tilt) - r * math.sin(self.tilt)
        right = v * math.sin(self.tilt) + r * math.cos(self.tilt)
        return depth + self.apex[0], right + self.apex[1]

    def outlines(self, v: Array, pose: Pose) -> tuple[Array, Array]:
        """Half-width of the cavity (LV or left atrium) and of its outer border at ``v``, mm."""
        base = self.base(pose)
        below = v > base
        s = (base - v) / pose.length
        sa = (v - base) / pose.atrium_length
        atrium = pose.atrium_width * bulge(sa, self.atrium_widest)
        inner = np.where(below, atrium, pose.width * bulge(s, self.widest))
        ventricle = pose.outer_width * bulge((base - v) / base, self.widest)
        outer = np.where(below, atrium + 2 * (sa < 1), ventricle)
        return inner, np.maximum(outer, inner)

    def base(self, pose: Pose) -> float:
        """Distance of the mitral plane from the epicardial apex, mm."""
        return pose.length * (1 + self.apex_wall)

    def labels(self, depth: Array, right: Array, pose: Pose) -> NDArray[np.uint8]:
        """Label points: 1 LV, 2 its myocardium (open at the mitral plane), 3 left atrium, as CAMUS does."""
        v, r = self.to_heart(depth, right, pose)
        inner, outer = self.outlines(v, pose)
        above = v <= self.base(pose)
        labels = np.zeros(v.shape, np.uint8)
        labels[above & (np.abs(r) < outer)] = MYOCARDIUM
        labels[np.abs(r) < inner] = LV
        labels[~above & (np.abs(r) < inner)] = ATRIUM
        return labels

    def _bending(self, v: Array, pose: Pose) -> Array:
        s = np.clip(v / self.base(pose), 0, 1)
        return 4 * self.bend * s * (1 - s)


class Tissue:
    """Points of tissue, given at one pose, that move with the heart; borders stay on borders.

    Parameters
    ----------
    heart : Heart
    start : Pose
    v, r : array
        Heart coordinates at ``start``, mm.
    """

    def __init__(self, heart: Heart, start: Pose, v: Array, r: Array) -> None:
        self.heart, self.start, self.v, self.r = heart, start, v, r
        self.inner, self.outer = heart.outlines(v, start)
        self.below = v > heart.base(start)

    def at(self, pose: Pose) -> tuple[Array, Array]:
        """Heart coordinates at another pose."""
        start, heart = self.start, self.heart
        old, new = heart.base(start), heart.base(pose)
        roof = old + start.atrium_length
        v = np.interp(self.v, [0, old, roof], [0, new, new + pose.atrium_length])
        v += np.minimum(self.v, 0) + np.maximum(self.v - roof, 0)
        # The share of a chamber's length is kept, so its outline only widens or narrows.
        inner = self.inner * np.where(self.below, pose.atrium_width / start.atrium_width, pose.width / start.width)
        wall = np.where(self.below, self.outer - self.inner, self.outer * pose.outer_width / start.outer_width - inner)
        size = np.abs(self.r)
        in_cavity = size * inner / np.maximum(self.inner, 1e-9)
        in_wall = inner + (size - self.inner) * wall / np.maximum(self.outer - self.inner, 1e-9)
        around = size + (inner + wall - self.outer) * np.clip(1 - (size - self.outer) / _REACH, 0, 1)
        size = np.where(size < self.inner, in_cavity, np.where(size < self.outer, in_wall, around))
        return v, np.copysign(size, self.r)


def volume_curve(phase: Array, systole: float) -> Array:
    """Share of the stroke that has left the LV, 0 at end-diastole (phase 0 and 1) and 1 at end-systole.

    Ejection is a half cosine; 70 % return in early filling, and after a pause the atrium pushes the rest.
    """
    late = (phase - systole) / (1 - systole)
    early, kick = _smooth_step(late / 0.45), _smooth_step((late - 0.75) / 0.25)
    return np.where(phase <= systole, (1 - np.cos(np.pi * phase / systole)) / 2, 1 - 0.7 * early - 0.3 * kick)


def cycle(frames: int, systole: float) -> tuple[Array, int]:
    """Phases of ``frames`` frames over one cycle from end-diastole, and which of them is end-systole exactly."""
    es = min(max(1, round(systole * frames)), frames - 1)
    return np.interp(np.arange(frames), [0, es, frames], [0, systole, 1]), es


def random_heart(rng: np.random.Generator, view: View = "4ch") -> Heart:
    """Draw a heart; the other view of the same heart has the same volumes and its own pose."""
    length = rng.uniform(68, 90)
    width = length * rng.uniform(0.27, 0.36)
    roundness = rng.uniform(0.9, 1.1)
    shared: dict[str, Any] = {
        "length": length,
        "wall": rng.uniform(7.5, 12),
        "atrium_length": rng.uniform(32, 50),
        "apex_wall": rng.uniform(0.07, 0.12),
        "widest": rng.uniform(0.33, 0.43),
        "atrium_widest": rng.uniform(0.38, 0.45),
        "ejection_fraction": rng.uniform(0.25, 0.72),
        "systole": rng.uniform(0.33, 0.42),
    }
    atrium_width = rng.uniform(15, 21)
    # The poses of both views are drawn, so that a seed gives the same heart to either.
    poses = {
        "4ch": _random_pose(rng, right=(2, 12), tilt=(-2, 14)),
        "2ch": _random_pose(rng, right=(-4, 10), tilt=(-8, 10)),
    }
    return Heart(
        width=width * (1 if view == "4ch" else roundness),
        atrium_width=atrium_width,
        roundness=roundness,
        view=view,
        **shared,
        **poses[view],
    )


def _random_pose(rng: np.random.Generator, right: tuple[float, float], tilt: tuple[float, float]) -> dict[str, Any]:
    return {
        "apex": (rng.uniform(9, 24), rng.uniform(*right)),
        "tilt": math.radians(rng.uniform(*tilt)),
        "slope": rng.uniform(-0.12, 0.22),
        "bend": rng.uniform(-4, 3),
    }


def _smooth_step(x: Array) -> Array:
    x = np.clip(x, 0, 1)
    return np.asarray(x * x * (3 - 2 * x))
