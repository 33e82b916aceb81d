"""Tiles that cover a plane or a volume, with weights that blend them without seams."""

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ..config import ModelConfig, NetworkConfig, SegmentConfig
from ..errors import InputError

Box = tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class Tile:
    """One window of a sliding window.

    Attributes
    ----------
    start : tuple of int
        First pixel ((Z), Y, X).
    weights : tuple of float32 arrays
        For each axis, the weight of each of the tile's pixels along it; the weight of a pixel is their product.
        Over all tiles the weights of a pixel sum to 1.
    """

    start: tuple[int, ...]
    weights: tuple[NDArray[np.float32], ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Pixels along each axis."""
        return tuple(len(weights) for weights in self.weights)

    @property
    def box(self) -> Box:
        """First pixel and the one after the last, along each axis."""
        return tuple((a, a + n) for a, n in zip(self.start, self.shape, strict=True))

    @property
    def weight(self) -> NDArray[np.float32]:
        """The weight of every pixel, of the tile's shape."""
        grids = np.meshgrid(*self.weights, indexing="ij")
        return np.asarray(math.prod(grids[1:], start=grids[0]), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Tiles:
    """All windows of a sliding window, which are made when they are asked for: there may be millions.

    Attributes
    ----------
    lines : tuple of sequences
        For each axis, first pixel and weights of each window along it; empty where there are no tiles.
    """

    lines: tuple[list[tuple[int, NDArray[np.float32]]], ...] = ()

    def __len__(self) -> int:
        """How many there are."""
        return math.prod(map(len, self.lines)) if self.lines else 0

    @property
    def shape(self) -> tuple[int, ...]:
        """Pixels of each along each axis."""
        return tuple(len(line[0][1]) for line in self.lines)

    def within(self, box: Box) -> list[Tile]:
        """Return the tiles that have a pixel in a box, in reading order."""
        chosen = product(*self._within(box))
        return [Tile(tuple(start for start, _ in each), tuple(weights for _, weights in each)) for each in chosen]

    def count(self, box: Box) -> int:
        """Return how many tiles have a pixel in a box."""
        return math.prod(map(len, self._within(box)))

    def _within(self, box: Box) -> list[list[tuple[int, NDArray[np.float32]]]]:
        sides = zip(self.lines, box, strict=True)
        return [
            [each for each in line if each[0] < high and low < each[0] + len(each[1])] for line, (low, high) in sides
        ]


def plan_tiles(shape: tuple[int, ...], tile: tuple[int, ...], overlap: tuple[int, ...], cell: int = 1) -> Tiles:
    """Cover a plane or volume with as few tiles as the overlap allows, evenly spread.

    All tiles have the same shape, that of ``tile`` or of the plane where that is smaller. They start at whole cells,
    none reaches beyond the plane, and neighbours share at least ``overlap`` pixels. From a border inside the plane
    the weight rises as sin² over that many pixels (the Hann window), so that what a network computes at a border,
    where it knows only one side, hardly counts.

    Parameters
    ----------
    shape : tuple of int
        Pixels of the plane ((Z), Y, X), a multiple of ``cell`` where the tile is smaller than the plane.
    tile, overlap : tuple of int
        In pixels; both are rounded to whole cells.
    cell : int
        Pixels along a side of a cell of the networks' coarsest grid.

    Raises
    ------
    InputError
        If tiles of this size do not get ahead.
    """
    return Tiles(tuple(_axis(*sides, cell) for sides in zip(shape, tile, overlap, strict=True)))


def _axis(length: int, tile: int, overlap: int, cell: int) -> list[tuple[int, NDArray[np.float32]]]:
    """Return start and weights of each window along one axis."""
    side, shared = max(round(tile / cell), 1), round(overlap / cell)
    cells = math.ceil(length / cell)
    if cells <= side:
        return [(0, np.ones(length, dtype=np.float32))]
    if shared >= side:
        raise InputError(
            f"Tiles of {side * cell} pixels that share {shared * cell} do not get ahead; "
            "choose larger tiles or less overlap."
        )
    number = math.ceil((cells - shared) / (side - shared))
    starts = [i * (cells - side) // (number - 1) * cell for i in range(number)]
    total, windows = np.zeros(length), []
    for index, start in enumerate(starts):
        window = np.ones(side * cell)
        ramp = np.sin(np.pi / 2 * (np.arange(shared * cell) + 0.5) / max(shared * cell, 1)) ** 2
        if index:
            window[: len(ramp)] *= ramp
        if index < number - 1:
            window[len(window) - len(ramp) :] *= ramp[::-1]
        total[start : start + len(window)] += window
        windows.append(window)
    return [
        (start, (window / total[start : start + len(window)]).astype(np.float32))
        for start, window in zip(starts, windows, strict=True)
    ]


def tile_sides(config: ModelConfig, settings: SegmentConfig) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return shape and overlap of tiles in pixels of the networks' grid: as set, or as suits the networks.

    Raises
    ------
    InputError
        If the networks see one size only and another is asked for.
    """
    shape, network = config.input.shape, config.network
    if not isinstance(network, NetworkConfig):
        if settings.tile is not None and (settings.tile,) * len(shape) != shape:
            raise InputError(f"The model {config.name!r} sees tiles of {shape} pixels only; leave the tile size empty.")
        tile = shape
    elif settings.tile is not None:
        tile = (settings.tile,) * len(shape)
    else:
        tile = tuple(2 * side for side in shape) if config.input.mode == "spacing" else shape
    reach = decoder_reach(network) if isinstance(network, NetworkConfig) else 4 * network.factor
    overlap = settings.overlap if settings.overlap is not None else reach
    return tile, tuple(overlap if settings.overlap is not None else min(reach, side // 2) for side in tile)


def decoder_reach(network: NetworkConfig) -> int:
    """Return how many pixels away from a latent cell the mask decoder's convolutions still see it.

    Three convolutions of reach 1 on the latent's grid, three on each finer one, and the head's.
    """
    factor, stages = network.factor, len(network.decoder_widths)
    return 3 * factor + sum(3 * (factor >> stage) for stage in range(1, stages + 1)) + (factor >> stages)
