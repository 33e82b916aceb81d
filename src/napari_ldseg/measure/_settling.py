"""Where an answer settles most of what the samples of one image disagree about."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Samples below which nothing is asked; blocks that a frame is divided into at most; places that are compared.
LEAST, BLOCKS, PLACES, AT_ONCE = 4, 4096, 256, 32


@dataclass(frozen=True)
class Question:
    """A place, the class in question, and what an answer is worth.

    Attributes
    ----------
    place : tuple of int
        Pixel ((Z), Y, X) of the masks' grid.
    label, other : int
        The likeliest class there but the background, and the likeliest besides.
    probability : float
        Of ``label``.
    settled : float
        Expected reduction of the variance, summed over pixels.
    share : float
        The same as a share of all variance of the frame.
    """

    place: tuple[int, ...]
    label: int
    other: int
    probability: float
    settled: float
    share: float


def most_settling(masks: NDArray[np.uint8], classes: int, reach: float) -> Question | None:
    """Return the question whose answer is expected to settle most.

    The samples are parted by their class at a place. The variance between the groups (law of total variance) is what an
    answer takes away on average; what groups of so few samples differ by chance is subtracted (the F-test's estimate).

    Parameters
    ----------
    masks : uint8 array, shape (N, (Z), Y, X)
        Class of each pixel in each sample.
    classes : int
    reach : float
        Only pixels that near, along each axis, count.

    Returns
    -------
    Question or None
        None for fewer than four samples, and where they agree everywhere.
    """
    n, shape = len(masks), masks.shape[1:]
    if n < LEAST:
        return None
    side = max(1, math.ceil((math.prod(shape) / BLOCKS) ** (1 / len(shape))))
    planes = np.stack([_blocks(masks == label, side) for label in range(classes)])  # (C, N, *blocks), pixels of a class
    variance = planes.var(axis=1).sum(axis=0)
    places = _places(masks, classes, side)
    total = float(variance.sum()) / side ** len(shape)
    if not len(places) or total <= 0:
        return None
    grid = np.stack(np.meshgrid(*((np.arange(b) + 0.5) * side for b in variance.shape), indexing="ij"), axis=-1)
    flat, centres = planes.reshape(classes, n, -1), grid.reshape(-1, len(shape))
    parts = [places[first : first + AT_ONCE] for first in range(0, len(places), AT_ONCE)]
    gains = np.concatenate([_gains(flat, masks, part, centres, reach) for part in parts]) / side ** len(shape)
    best = int(gains.argmax())
    if gains[best] <= 0:
        return None
    place = tuple(places[best].tolist())
    shares = np.bincount(masks[(slice(None), *place)], minlength=classes) / n
    label = 1 + int(shares[1:].argmax())
    other = int(np.where(np.arange(classes) == label, -1, shares).argmax())
    settled = float(gains[best])
    return Question(place, label, other, float(shares[label]), settled, min(1.0, settled / total))


def _blocks(masks: NDArray[np.bool_], side: int) -> NDArray[np.float32]:
    """Count the pixels in cubes of ``side`` pixels, (N, *blocks)."""
    counted = masks.astype(np.float32)
    for axis in range(1, masks.ndim):
        counted = np.add.reduceat(counted, np.arange(0, counted.shape[axis], side), axis=axis)
    return counted


def _places(masks: NDArray[np.uint8], classes: int, side: int) -> NDArray[np.intp]:
    """Return the most uncertain pixel of the most uncertain blocks, (places, axes)."""
    doubt = np.zeros(masks.shape[1:], np.float32)
    for label in range(classes):
        p = (masks == label).mean(axis=0, dtype=np.float32)
        doubt += p * (1 - p)
    shape: tuple[int, ...] = doubt.shape
    padded = np.pad(doubt, [(0, -length % side) for length in shape])
    blocks_along = [-(-length // side) for length in shape]
    cubes = padded.reshape([size for number in blocks_along for size in (number, side)])
    ndim = doubt.ndim
    cubes = cubes.transpose([*range(0, 2 * ndim, 2), *range(1, 2 * ndim, 2)]).reshape(-1, side**ndim)
    chosen = np.argsort(-cubes.sum(axis=1), kind="stable")[:PLACES]
    chosen = chosen[cubes[chosen].max(axis=1) > 0]
    blocks = np.stack(np.unravel_index(chosen, blocks_along), axis=-1)
    inside = np.stack(np.unravel_index(cubes[chosen].argmax(axis=1), (side,) * ndim), axis=-1)
    return np.asarray(blocks * side + inside)


def _gains(
    planes: NDArray[np.float32],
    masks: NDArray[np.uint8],
    places: NDArray[np.intp],
    centres: NDArray[np.float64],
    reach: float,
) -> NDArray[np.float64]:
    """Return the expected reduction of the variance by an answer at each place."""
    classes, n, _ = planes.shape
    said = masks[(slice(None), *places.T)].T  # (places, N)
    groups = (said[:, None] == np.arange(classes)[:, None]).astype(np.float32)  # (places, classes, N)
    sizes = groups.sum(axis=2)
    near: NDArray[np.bool_] = np.all(np.abs(centres[None] - places[:, None]) <= reach, axis=2)  # (places, blocks)
    used = near.any(axis=0)
    shown = planes[..., used]
    means = np.einsum("qgn,cnp->qgcp", groups, shown, optimize=True) / np.maximum(sizes, 1)[..., None, None]
    apart = (means - shown.mean(axis=1)) ** 2 * (sizes / n)[..., None, None]
    between = apart.sum(axis=(1, 2))
    within = shown.var(axis=1).sum(axis=0) - between
    number = (sizes > 0).sum(axis=1)
    chance: NDArray[np.float64] = (number - 1) / np.maximum(n - number, 1)
    return np.asarray(((between - chance[:, None] * within) * near[:, used]).sum(axis=1), np.float64)
