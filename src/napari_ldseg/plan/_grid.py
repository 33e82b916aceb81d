"""Choose the grid that the networks see: how an image is resized and padded."""

import math
from dataclasses import dataclass

import numpy as np

from ..config import InputConfig, ModelConfig, Tiling
from ..errors import InputError

MIN_SIDE = 8
MAX_GRID = 3_000_000
MAX_FIT = 8_000_000
# No slide is wider; a pixel size that is wrong by powers of ten would fill the memory with the plan alone.
MAX_SIDE = 2**23


@dataclass(frozen=True)
class Grid:
    """How an image is mapped to the grid of the networks.

    Attributes
    ----------
    source : tuple of int
        Shape ((Z), Y, X) of the image.
    inner : tuple of int
        The shape that the image is resized to.
    outer : tuple of int
        ``inner``, mirrored at the far ends up to a multiple of the networks' stride.
    tiled : bool
        Whether it is cut into tiles.
    """

    source: tuple[int, ...]
    inner: tuple[int, ...]
    outer: tuple[int, ...]
    tiled: bool = False

    @property
    def cells(self) -> float:
        """Number of pixels that the networks see."""
        return float(np.prod(self.outer))


def plan_grid(
    shape: tuple[int, ...], spacing: tuple[float, ...] | None, config: ModelConfig, tiles: Tiling = "never"
) -> Grid:
    """Choose the grid for an image of this shape and pixel size.

    Mode ``fit`` resizes the whole image to the training shape, whatever its spacing (LDSeg, section IV); in tiles,
    which such a model gets only if ``tiles`` is ``"always"``, the image keeps its own pixels.
    Mode ``spacing`` resamples it to the pixel size that the networks were trained at.

    Raises
    ------
    InputError
        If the image is too small, or too large for one pass.
    """
    ndim, given = config.network.ndim, config.input
    if len(shape) != ndim:
        raise InputError(
            f"The model {config.name!r} segments {ndim}D images, but this one has {len(shape)} spatial axes {shape}; "
            f"choose a {len(shape)}D model, or give the other axes as frames."
        )
    check_sides(shape)
    fit, stride = given.mode == "fit", config.network.stride
    own = shape if tiles == "always" else given.shape
    inner = own if fit else _resampled(shape, spacing, given)
    # A model that saw whole images gets tiles of their size, even if the image is smaller.
    least = given.shape if fit else (least_side(config),) * ndim
    outer = tuple(-(-max(side, low) // stride) * stride for side, low in zip(inner, least, strict=True))
    most = MAX_FIT if fit else MAX_GRID
    large = math.prod(outer) > most
    if max(outer) > MAX_SIDE:
        raise InputError(
            f"At the model's pixel size this image is {times(inner)} pixels; check that its pixel size is right."
        )
    if large and (fit or tiles == "never") and tiles != "always":
        raise InputError(
            f"At the model's pixel size this image is {times(inner)} pixels, more than the {most:,} that fit in "
            "one pass; allow tiles, crop the image, or check that its pixel size is right."
        )
    return Grid(tuple(shape), tuple(inner), outer, tiled=tiles == "always" or (tiles == "auto" and large))


def _resampled(shape: tuple[int, ...], spacing: tuple[float, ...] | None, given: InputConfig) -> tuple[int, ...]:
    if given.spacing is None:
        raise InputError("The model asks for a pixel size but states none; its config is incomplete.")
    spacing = spacing or given.source_spacing or given.spacing
    return tuple(max(round(n * s / g), 1) for n, s, g in zip(shape, spacing, given.spacing, strict=True))


def least_side(config: ModelConfig) -> int:
    """Return the least number of pixels per side that gives the networks context; smaller images are mirrored."""
    return 2 * config.network.stride


def check_sides(shape: tuple[int, ...]) -> None:
    """Refuse images that are too small to segment.

    Raises
    ------
    InputError
        If a side has fewer than 8 pixels.
    """
    if min(shape) < MIN_SIDE:
        raise InputError(f"The image is only {times(shape)} pixels; at least {MIN_SIDE} along each side are needed.")


def times(numbers: tuple[float, ...]) -> str:
    """Write "40 x 60"."""
    return " x ".join(f"{number:.4g}" if isinstance(number, float) else str(number) for number in numbers)
