"""How strongly the tissues of the echocardiography phantom echo."""

import numpy as np
import scipy.ndimage as ndi

from ._heart import Array, Heart, Pose, Tissue, bulge


class Echogenicity:
    """Strength in decibels of the tissue at each point, and where there is blood.

    Attributes
    ----------
    decibel : float array
    blood : bool array
    """

    def __init__(self, tissue: Tissue, rng: np.random.Generator) -> None:
        heart, pose = tissue.heart, tissue.start
        base = heart.base(pose)
        self._rng, self._r, self._size = rng, tissue.r, np.abs(tissue.r)
        self._inner, self._outer = tissue.inner, tissue.outer
        self._s, self._below = (base - tissue.v) / base, (tissue.v - base) / pose.atrium_length
        self._muscle = rng.uniform(-11, -5)
        self.blood = self._size < self._inner
        self.decibel = self._surroundings(tissue.v)
        self._draw_wall(tissue.v)
        if heart.view == "4ch":
            self._draw_right_heart()
        self._draw_annulus(heart, pose, tissue.v)
        self.decibel[self.blood] = rng.uniform(-27, -19)
        self._draw_papillary_muscle()

    def _surroundings(self, v: Array) -> Array:
        """Lung and pericardium: brighter far out and below, in bands across the beams."""
        rng, out = self._rng, self._size - self._outer
        decibel = rng.uniform(-11, -4) + rng.uniform(-2, 5) * np.clip(out / 30, 0, 1)
        decibel += rng.uniform(-3, 6) * (self._below > 1) + texture(v, self._r, (9, 25), rng) * rng.uniform(0, 4)
        dark = rng.uniform(0, 9) * np.clip(-v / 8, 0, 1)
        return np.asarray(decibel - dark)

    def _draw_wall(self, v: Array) -> None:
        """Muscle in fibres along the wall; less where it lies along the beam, least in the lateral wall (dropout)."""
        rng, lateral = self._rng, self._r > 0
        wall = (self._s >= 0) & ~self.blood & (self._size < self._outer)
        fibres = texture(v, self._r, (8, 2.2), rng) * rng.uniform(1, 4)
        loss = np.where(lateral, rng.uniform(-1, 7), rng.uniform(-4, 2))
        drop, place = rng.uniform(0, 14), rng.uniform(0.3, 1.0)
        loss += drop * np.exp(-(((self._s - place) / 0.2) ** 2)) * np.where(lateral, 1, 0.25)
        self.decibel[wall] = (self._muscle + fibres - loss)[wall]
        # Bright borders: the pericardium, and a little the endocardium.
        outside = np.exp(-(((self._size - self._outer - 0.5) / 1.5) ** 2)) * (self._s > 0)
        self.decibel += outside * np.where(lateral, rng.uniform(-2, 9), rng.uniform(-2, 3))
        inside = np.exp(-(((self._size - self._inner) / 1.6) ** 2)) * wall
        self.decibel += inside * rng.uniform(0, 5)

    def _draw_right_heart(self) -> None:
        """Draw both cavities on the septum's side, with a free wall and a valve."""
        rng, s, below = self._rng, self._s, self._below
        ventricle = rng.uniform(14, 30) * bulge(s / rng.uniform(0.6, 0.9), 0.2)
        atrium = rng.uniform(20, 36) * bulge(below / rng.uniform(0.8, 1.1), 0.42)
        depth = np.where(s >= 0, ventricle, atrium)
        ragged = texture(s * 80, self._r, (5, 4), rng) * 1.5
        gap = -self._r - self._outer - rng.uniform(0, 2.5) * (below > 0)
        free = (gap >= depth) & (gap < depth + 6) & (depth > 1)
        self.decibel[free] += rng.uniform(0, 6)
        cavity = (gap > np.abs(ragged) * (s > 0)) & (gap < depth + ragged)
        valve = cavity & (np.abs(s + rng.uniform(-0.08, 0.03)) < 0.014)
        self.decibel[cavity] = self._muscle - 6
        self.decibel[valve] = rng.uniform(-14, -3)
        self.blood |= cavity & ~valve & (texture(s * 80, self._r, (6, 3), rng) < 1.6)

    def _draw_annulus(self, heart: Heart, pose: Pose, v: Array) -> None:
        """Bright fibrous tissue at both ends of the mitral plane, most at the septum."""
        rng, base = self._rng, heart.base(pose)
        width = float(heart.outlines(np.array([base]), pose)[0][0])
        for side, least in ((-1, 5), (1, 2)):
            middle = (width + rng.uniform(2, 6)) * side
            size, length = rng.uniform(4, 9), rng.uniform(5, 14)
            near = np.exp(-(((self._r - middle) / size) ** 2) - ((v - base - rng.uniform(-2, 9)) / length) ** 2)
            self.decibel += rng.uniform(least, 13) * near

    def _draw_papillary_muscle(self) -> None:
        """Draw muscle within the cavity, near the lateral wall; it belongs to the LV, as in CAMUS."""
        rng = self._rng
        along = (self._s - rng.uniform(0.35, 0.7)) / rng.uniform(0.05, 0.18)
        across = (self._r / np.maximum(self._inner, 1) - rng.uniform(0.6, 0.95)) / rng.uniform(0.1, 0.3)
        inside = (along**2 + across**2 < 1) & (self._s > 0) & (self._size < self._inner)
        self.decibel[inside] = self._muscle - rng.uniform(0, 14)


def leaflets(heart: Heart, pose: Pose, ejected: float, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Mitral leaflets as bright points ``(v, r, strength)``.

    They close the mitral plane in systole and point into the LV when it fills, of which ``ejected`` is a measure.
    """
    base = heart.base(pose)
    width = float(heart.outlines(np.array([base]), pose)[0][0])
    openness = min(1.0, max(0.0, 1.3 * (1 - ejected) - 0.15))
    along, side = np.tile(np.linspace(0, 1, 160), 2), np.repeat([-1.0, 1.0], 160)
    r = side * width * (1 - along * (1 - 0.4 * openness))
    tip = np.repeat([rng.uniform(12, 17), rng.uniform(6, 12)], 160) * openness
    v = base - along * tip + 2.5 * (1 - openness) * np.sin(np.pi * along / 2)
    strength = rng.normal(0, 10 ** (-5 / 20), r.shape) * rng.uniform(0.4, 1)
    jitter = rng.normal(0, 0.5, (2, r.size))
    return v + jitter[0], r + jitter[1], strength


def texture(y: Array, x: Array, size: tuple[float, float], rng: np.random.Generator) -> Array:
    """Smooth random values of variance about 1 at points; ``size`` is that of the spots, in the points' unit."""
    corner, counts = (float(y.min()), float(x.min())), (int(np.ptp(y) / size[0]) + 4, int(np.ptp(x) / size[1]) + 4)
    grid = ndi.gaussian_filter(rng.normal(size=counts), 0.7)
    places = [(y - corner[0]) / size[0] + 1, (x - corner[1]) / size[1] + 1]
    return np.asarray(ndi.map_coordinates(grid / grid.std(), places, order=1, mode="nearest"))
