"""Choose the level of a multiscale image for a model."""

import math

from ..config import ModelConfig, Tiling
from ..data import convert_spacing
from ._part import Part


def nearest_level(part: Part, config: ModelConfig, tiles: Tiling) -> tuple[int, tuple[float, ...] | None]:
    """Choose a level; return it with its pixel size in the model's unit (None if unknown).

    It is the level with the nearest pixel size, by ratio. A model that sees whole images (mode ``fit``) gets the
    coarsest level on which the part is at least as large as its input; in tiles, the finest. If the image states no
    pixel size, the finest level has the one that the model assumes (``source_spacing``).

    Parameters
    ----------
    part : Part
        In pixels of the finest level.
    config : ModelConfig
    tiles : {"auto", "always", "never"}
    """
    given, ndim = config.input, part.ndim
    levels = [part.at(each) for each in (part.image, *part.image.levels)]
    stated = None if part.image.spacing is None else part.image.spacing[-ndim:]
    finest = convert_spacing(stated, part.image.unit, given.unit) or given.source_spacing or given.spacing
    sizes = [
        None
        if finest is None
        else tuple(size * (n / m) for size, n, m in zip(finest, part.full_shape, shape, strict=True))
        for shape in (level.full_shape for level in levels)
    ]
    if given.mode == "fit":
        large = [number for number, level in enumerate(levels) if _at_least(level.shape, given.shape)]
        number = large[-1] if large and tiles != "always" else 0
        return number, sizes[number]
    wanted = given.spacing
    assert wanted is not None
    distances = [abs(math.log(math.prod(size) / math.prod(wanted))) for size in sizes if size is not None]
    number = distances.index(min(distances))
    return number, sizes[number]


def _at_least(shape: tuple[int, ...], least: tuple[int, ...]) -> bool:
    return all(side >= low for side, low in zip(shape, least, strict=True))
