"""Which level of a multiscale image a model is run at."""

import math

from ..config import ModelConfig, SegmentConfig
from ..data import Image, convert_spacing
from ._frames import frame_shape
from ._grid import MAX_PLANE, plan_grid


def nearest_level(image: Image, config: ModelConfig) -> tuple[Image, tuple[float, ...] | None]:
    """Return the level nearest the model's pixel size (by the ratio), and its pixel size in the model's unit.

    A model that sees whole images (mode ``fit``) gets the coarsest level that is at least as large as what it sees.
    Where the image states no pixel size, the one that the model assumes then (``source_spacing``) is that of the
    finest level.
    """
    given = config.input
    _, shape, _, spacing = frame_shape(image, config)
    finest = convert_spacing(spacing, image.unit, given.unit) or given.source_spacing
    levels = [image, *image.levels]
    if given.mode == "fit":
        large = [each for each in levels if _at_least(frame_shape(each, config)[1], given.shape)]
        return (large[-1] if large else image).replace(levels=()), None
    wanted, base = given.spacing, finest or given.spacing
    assert wanted is not None
    assert base is not None
    sizes = [
        tuple(size * n / m for size, n, m in zip(base, shape, frame_shape(each, config)[1], strict=True))
        for each in levels
    ]
    distances = [abs(math.log(math.prod(size) / math.prod(wanted))) for size in sizes]
    number = distances.index(min(distances))
    return levels[number].replace(levels=()), sizes[number]


def is_large(image: Image, config: ModelConfig, settings: SegmentConfig) -> bool:
    """Whether an image is one for :func:`segment_large`: neither its maps nor its tiles fit well into memory."""
    if settings.is_part or (config.input.mode == "fit" and settings.tiles != "always"):
        return False
    level, seen = nearest_level(image, config)
    leading, shape, _, _ = frame_shape(level, config)
    grid = plan_grid(shape, seen, config, "always")
    return grid.cells > MAX_PLANE or math.prod((*leading, *shape)) > MAX_PLANE


def _at_least(shape: tuple[int, ...], least: tuple[int, ...]) -> bool:
    return all(side >= low for side, low in zip(shape, least, strict=True))
