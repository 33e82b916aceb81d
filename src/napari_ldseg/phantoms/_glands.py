"""Pictures to try things on: one real slide and seeded phantoms."""

import numpy as np
import skimage.data
import skimage.filters
from numpy.typing import NDArray

from ..data import Image
from ..errors import InputError

_STAIN = (0.7, 1.0, 0.5)


def colon_gland() -> Image:
    """Colon glands in haematoxylin and DAB, ``(512, 512, 3)`` uint8; the picture ships with scikit-image.

    The source states no pixel size. The 0.36 micrometer here are an estimate from the nuclei: about 25 pixels long,
    where epithelial nuclei of the colon measure about 9 micrometer.
    """
    picture = skimage.data.immunohistochemistry()
    return Image(picture, "yxc", (0.36, 0.36), "micrometer", "colon gland (IHC)")


def phantom(
    shape: tuple[int, ...], *, seed: int, classes: int = 2, colour: bool | None = None
) -> tuple[Image, NDArray[np.uint8]]:
    """Draw glands with a dark wall and a bright lumen, under noise, blur and uneven light.

    Parameters
    ----------
    shape : tuple of int
        ``((Z), Y, X)``, at least 8 pixels a side.
    seed : int
        The same seed draws the same picture.
    classes : int
        Background included. With 2 the whole gland is class 1, as in GlaS; with more, a gland is cut into
        nested shells, of which class 1 is the outermost.
    colour : bool, optional
        Whether to stain the picture (axes ``yxc``); by default 2D is in colour and 3D is not.

    Returns
    -------
    Image
        uint8, pixel size 1 micrometer.
    labels : uint8 array of ``shape``

    Raises
    ------
    InputError
        If shape or classes are out of these limits.
    """
    if len(shape) not in (2, 3) or min(shape) < 8 or not 2 <= classes <= 255:
        raise InputError(
            f"A phantom of shape {shape} with {classes} classes cannot be drawn; "
            "give two or three sides of at least 8 pixels and 2 to 255 classes."
        )
    rng = np.random.default_rng(seed)
    distance = _distance_to_glands(shape, rng)
    shells = max(2, classes - 1)
    shell = np.clip(np.ceil((1 - distance) * shells), 0, shells).astype(np.intp)
    labels = np.minimum(shell, classes - 1).astype(np.uint8)

    brightness = np.concatenate([[0.6], np.linspace(0.2, 0.95, shells)])[shell]
    brightness = _blurred(brightness, 0.7) * (1 + 0.15 * _smooth_noise(shape, rng))
    brightness += rng.normal(0, 0.04, shape)
    if colour if colour is not None else len(shape) == 2:
        brightness = 1 - (1 - brightness[..., np.newaxis]) * np.array(_STAIN)
    picture = np.round(255 * np.clip(brightness, 0, 1)).astype(np.uint8)
    axes = "zyx"[-len(shape) :] + "c" * (picture.ndim - len(shape))
    return Image(picture, axes, (1.0,) * len(shape), "micrometer", f"phantom {seed}"), labels


def _distance_to_glands(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
    """Distance to the nearest gland's middle: 0 there, 1 at its (wavy) border, more outside."""
    side = min(shape)
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1)
    # As many glands as cover about a third of the picture.
    count = max(1, round(0.35 * np.prod(shape) / (0.36 * side) ** len(shape)))
    nearest = np.full(shape, np.inf)
    for _ in range(count):
        middle = rng.uniform(0.15, 0.85, len(shape)) * shape
        radii = side * rng.uniform(0.13, 0.23, len(shape))
        nearest = np.minimum(nearest, np.sqrt((((grid - middle) / radii) ** 2).sum(axis=-1)))
    return nearest + 0.12 * _smooth_noise(shape, rng)


def _smooth_noise(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
    """Slow random waves of mean 0 between -1 and 1."""
    waves = _blurred(rng.normal(size=shape), min(shape) / 8)
    waves -= waves.mean()
    return np.asarray(waves / np.abs(waves).max())


def _blurred(array: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    return np.asarray(skimage.filters.gaussian(array, sigma, mode="reflect"))
