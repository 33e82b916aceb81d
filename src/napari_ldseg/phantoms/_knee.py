"""A knee-like volume: two bones with cartilage between them, as fat-suppressed MRI shows them."""

from typing import Any

import numpy as np
import scipy.ndimage as ndi
from numpy.typing import NDArray

from ..data import Image
from ..errors import InputError

FIELD = (240.0, 104.0, 160.0)  # mm: front to back, top to bottom, left to right
FEMUR, TIBIA = 1, 2
_CARTILAGE = 4.0  # mm

Array = NDArray[np.floating[Any]]


def volume_phantom(seed: int, shape: tuple[int, ...] = (120, 52, 80)) -> tuple[Image, NDArray[np.uint8]]:
    """Draw a knee-like volume with known labels.

    Parameters
    ----------
    seed : int
        The same seed draws the same knee.
    shape : tuple of int
        ``(Z, Y, X)``, at least 16 each; whatever it is, the field of view is 240 x 104 x 160 mm.

    Returns
    -------
    Image
        ``zyx`` uint16, mm; dark bones, bright cartilage and fluid, Rician noise.
    labels : uint8 array of ``shape``
        0 background, 1 femur, 2 tibia.

    Raises
    ------
    InputError
        If the shape is out of these limits.
    """
    if len(shape) != 3 or min(shape) < 16:
        raise InputError(f"A knee phantom of shape {shape} cannot be drawn; give three sides of at least 16 voxels.")
    rng = np.random.default_rng(seed)
    spacing = tuple(side / n for side, n in zip(FIELD, shape, strict=True))
    z, y, x = np.meshgrid(
        *((np.arange(n, dtype=np.float32) + 0.5) * step for n, step in zip(shape, spacing, strict=True)),
        indexing="ij",
        sparse=True,
    )
    wave = _waves(shape, 7, rng)
    middle = np.array(FIELD) * (0.5, 0.52, 0.5) + rng.uniform(-7, 7, 3)
    size = rng.uniform(0.9, 1.1)
    front, down, aside = (z - middle[0]) / size, (y - middle[1]) / size, (x - middle[2]) / size
    femur = _femur(front, down, aside, rng) + 1.5 * wave
    tibia = np.maximum(_tibia(front, down, aside, rng) - 1.5 * wave, _CARTILAGE - femur)
    labels = np.zeros(shape, np.uint8)
    labels[femur < 0], labels[tibia < 0] = FEMUR, TIBIA

    leg = np.hypot(front / 118, aside / 76) + 0.03 * _waves(shape, 5, rng)
    signal = np.where(leg < 0.93, 42 + 22 * _waves(shape, 14, rng), 55) * (leg < 1)
    outside = (labels == 0) & (leg < 1)
    joint = np.exp(-((np.minimum(femur, tibia) / _CARTILAGE) ** 2)) * np.exp(-((down / 26) ** 2)) * outside
    signal = signal + joint * rng.uniform(70, 110)
    signal[labels > 0] = 22 + 4 * _waves(shape, 20, rng)[labels > 0]
    signal = ndi.gaussian_filter(signal.astype(np.float32), 0.6) * (1 + 0.25 * _waves(shape, 2, rng))
    noise = rng.normal(0, rng.uniform(6, 11), (2, *shape))
    picture = np.hypot(signal + noise[0], noise[1])
    return Image(np.round(picture).astype(np.uint16), "zyx", spacing, "millimeter", f"knee phantom {seed}"), labels


def _femur(front: Array, down: Array, aside: Array, rng: np.random.Generator) -> Array:
    """Distance (mm, about) to two condyles below a shaft that widens towards them; negative inside."""
    apart = rng.uniform(25, 31)
    condyles = [
        _ellipsoid((front - rng.uniform(0, 14), down + 24, aside - side * apart), (62, 26, 25)) for side in (-1, 1)
    ]
    width = 50 - 0.12 * np.clip(-down - 20, 0, None)
    shaft = np.maximum((np.hypot(front / 66, aside / width) - 1) * 50, down + 22)
    return _joined([*condyles, shaft])


def _tibia(front: Array, down: Array, aside: Array, rng: np.random.Generator) -> Array:
    """Distance (mm, about) to a plateau with two hollows and an eminence between them, which narrows downwards."""
    apart = rng.uniform(25, 31)
    hollows = sum(np.exp(-(((aside - side * apart) / 17) ** 2) - (front / 55) ** 2) for side in (-1, 1))
    eminence = rng.uniform(6, 11) * np.exp(-((aside / 9) ** 2) - ((front - 5) / 28) ** 2)
    top = 8 + rng.uniform(2, 5) * hollows - eminence - down
    narrowing = 1 - 0.006 * np.clip(down - 12, 0, None)
    sides = (np.hypot((front - 10) / (76 * narrowing), aside / (58 * narrowing)) - 1) * 58
    return -_joined([-top, -sides])


def _ellipsoid(at: tuple[Array, Array, Array], radii: tuple[float, float, float]) -> Array:
    return np.asarray((np.sqrt(sum((a / r) ** 2 for a, r in zip(at, radii, strict=True))) - 1) * min(radii))


def _joined(distances: list[Array], soft: float = 4.0) -> Array:
    """Smooth minimum: the union of shapes with a fillet of about ``soft`` mm."""
    total = sum(np.exp(-np.clip(d / soft, -50, 50)) for d in distances)
    return np.asarray(-soft * np.log(total))


def _waves(shape: tuple[int, ...], knots: int, rng: np.random.Generator) -> Array:
    """Smooth random values of variance about 1, with ``knots`` bumps along the longest side."""
    counts = [max(3, round(knots * n / max(shape)) + 2) for n in shape]
    coarse = rng.normal(size=counts).astype(np.float32)
    zoom = [n / c for n, c in zip(shape, counts, strict=True)]
    return np.asarray(ndi.zoom(coarse, zoom, order=1, mode="nearest", grid_mode=True), np.float32)
