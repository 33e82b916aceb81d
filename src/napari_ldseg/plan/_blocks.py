"""Blocks are computed in a row; if the result is on disk, each is written as one."""

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ._grid import Grid
from ._tiles import Box

# Pixels of the networks' grid along a side of a block. The larger it is, the fewer tiles are computed twice.
BLOCK_SIDE = {2: 2048, 3: 160}
MAX_BLOCK = {2: 4096, 3: 256}


@dataclass(frozen=True)
class Block:
    """Some whole frames, or a part of one.

    Attributes
    ----------
    frames : tuple of index
        The frames that are computed together.
    start : tuple of int
        First pixel ((Z), Y, X) of the result.
    box : Box
        The part of the networks' grid that is needed.
    """

    frames: tuple[tuple[int, ...], ...]
    start: tuple[int, ...]
    box: Box


def whole_box(grid: Grid) -> Box:
    """Return all of the networks' grid."""
    return tuple((0, side) for side in grid.outer)


def block_side(grid: Grid) -> int:
    """Return the side of blocks in pixels of the result, a power of two."""
    ndim = len(grid.source)
    factor = max(n / m for n, m in zip(grid.source, grid.inner, strict=True))
    side: float = 2 ** round(math.log2(BLOCK_SIDE[ndim] * factor))
    return max(1, int(min(side, MAX_BLOCK[ndim])))


def block_starts(grid: Grid, side: int) -> list[tuple[int, ...]]:
    """Return the first pixel of each block of a frame, in reading order."""
    return list(product(*(range(0, length, side) for length in grid.source)))


def block_places(grid: Grid, start: tuple[int, ...], side: int) -> tuple[list[NDArray[np.float64]], Box]:
    """Return the places of a block's pixels in a box of the networks' grid, along each axis, and that box."""
    places, box = [], []
    for first, n, inner in zip(start, grid.source, grid.inner, strict=True):
        pixels = np.arange(first, min(first + side, n))
        at = ((pixels + 0.5) * inner / n - 0.5).clip(0, inner - 1)
        low, high = math.floor(at[0]), min(math.floor(at[-1]) + 2, inner)
        places.append(at - low)
        box.append((low, high))
    return places, tuple(box)
