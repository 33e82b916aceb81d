"""Choose the pixel size at which a model sees new images when it is fine-tuned."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..config import ModelConfig
from ..data import convert_spacing
from ..datasets import UNLABELLED
from ._dataset import Frame

# Width of the objects in latent cells: kept as it is within the first two, otherwise brought to the third (glands are
# 6 cells wide for the released model glas).
NARROWEST, WIDEST, WANTED = 2.5, 9.0, 4.0
CROP_CELLS = 14
LARGEST = 2**20
COARSE = 512
PIXEL_EXCESS = 0.25


def fit_scale(frames: Sequence[Frame], model: ModelConfig) -> tuple[ModelConfig, str]:
    """Choose the pixel size for these images: (the model's settings, what was done in words).

    The networks draw what is a few latent cells wide. If the objects in the labels are, at the model's own pixel size,
    and the images are neither smaller than a crop nor larger than a million pixels, that size is kept. Otherwise it is
    changed so that the objects are four cells wide, as far as images stay within those limits and are not enlarged
    more than twice. Images that state no pixel size count as if they had the one that the model assumes.
    Models that see the whole image resized (mode "fit") are left as they are.
    """
    given = model.input
    if given.mode != "spacing" or given.spacing is None:
        return model, "every image is resized to the model's shape"
    zooms = [_zoom(frame, model) for frame in frames]
    widths = [
        width * _mean(zoom) for frame, zoom in zip(frames, zooms, strict=True) if (width := object_width(frame.labels))
    ]
    sides = [
        math.prod(n * z for n, z in zip(frame.source.shape, zoom, strict=True)) ** (1 / model.network.ndim)
        for frame, zoom in zip(frames, zooms, strict=True)
    ]
    factor, side = model.network.factor, float(np.median(sides))
    cells = float(np.median(widths)) / factor if widths else WANTED
    smallest = min(CROP_CELLS * factor, _mean(given.shape))
    largest = LARGEST ** (1 / model.network.ndim)
    if NARROWEST <= cells <= WIDEST and 0.7 * smallest <= side <= largest:
        return model, f"the model's pixel size is kept: objects are about {cells * factor:.0f} pixels wide at it"
    native = 1 / float(np.median([_mean(zoom) for zoom in zooms]))
    change = min(max(WANTED / cells, smallest / side), largest / side, 2 * native)
    spacing = tuple(float(f"{size / change:.3g}") for size in given.spacing)
    config = model.replace(input=given.replace(spacing=spacing).model_dump())
    return config, (
        f"the pixel size that the networks see changes from {_told(given.spacing)} to {_told(spacing)} {given.unit}, "
        f"so that objects are about {cells * factor * change:.0f} pixels wide (they were {cells * factor:.0f}) and "
        f"images about {side * change:.0f} a side"
    )


def object_width(labels: NDArray[np.uint8]) -> float | None:
    """Return how wide the objects are, in pixels: the diameter of the disks (balls) that are as thick on average.

    The mean distance of a disk's pixels to its border is a third of its radius, a quarter in a ball; measured between
    pixel centres it is a quarter of a pixel too large (counted on disks and balls). Classes are taken one by one and
    weighted by their area; touching objects count by their thickness, so ids are not needed.
    """
    stride = max(1, math.ceil(max(labels.shape) / COARSE))
    coarse = labels[(slice(None, None, stride),) * labels.ndim]
    total, area = 0.0, 0
    for index in np.unique(coarse[(coarse > 0) & (coarse != UNLABELLED)]):
        inside = coarse == index
        distances = ndimage.distance_transform_edt(np.pad(inside, 1, mode="edge"))
        total += float(np.asarray(distances)[(slice(1, -1),) * labels.ndim][inside].sum()) - PIXEL_EXCESS * int(
            inside.sum()
        )
        area += int(inside.sum())
    return 2 * (labels.ndim + 1) * stride * total / area if area else None


def _zoom(frame: Frame, model: ModelConfig) -> tuple[float, ...]:
    """Return pixels on the networks' grid per pixel of the image, along each axis."""
    given = model.input
    wanted = given.spacing or (1.0,) * model.network.ndim
    stated = convert_spacing(frame.source.spacing, frame.source.unit, given.unit)
    spacing = stated or given.source_spacing or wanted
    return tuple(s / w for s, w in zip(spacing, wanted, strict=True))


def _mean(values: Sequence[float]) -> float:
    return float(np.exp(np.mean(np.log(values))))


def _told(spacing: Sequence[float]) -> str:
    return " x ".join(f"{size:g}" for size in spacing)
