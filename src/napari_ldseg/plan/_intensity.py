"""Intensities and channels as the networks expect them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..config import ModelConfig
from ..errors import InputError
from ._part import check_channels

PERCENTILES = (0.5, 99.5)
RANGES = (1.0, 255.0, 1023.0, 4095.0, 16383.0, 65535.0)
LUMINANCE = np.array([0.2125, 0.7154, 0.0721], dtype=np.float32)


def match_channels(pixels: NDArray[Any], config: ModelConfig, name: str = "the image") -> NDArray[Any]:
    """Bring (C, ...) to the channels that the model wants, or say why that cannot be.

    RGB models take gray (repeated) and RGBA (alpha dropped); gray models take RGB(A) as luminance.
    """
    found, kind = pixels.shape[0], config.input.channels
    if kind == "rgb" and found == 1:
        return np.repeat(pixels, 3, axis=0)
    if kind == "rgb" and found in (3, 4):
        return pixels[:3]
    if kind == "grayscale" and found in (3, 4):
        rgb: NDArray[Any] = np.tensordot(LUMINANCE, pixels[:3].astype(np.float32), axes=1)[None]
        return rgb
    check_channels(found, config, name)
    return pixels


@dataclass(frozen=True)
class Intensities:
    """How intensities become 0 to 1: ``(value - low) / (high - low)``.

    Attributes
    ----------
    low, high : float
    clip : bool
        Whether values beyond are cut off.
    fill : float
        What not-a-number and infinite pixels count as.
    """

    low: float
    high: float
    clip: bool = False
    fill: float = 0.0

    def apply(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        """Bring pixels to 0..1 as float32."""
        values = _finite(pixels.astype(np.float32), self.fill)
        if self.clip:
            values = values.clip(self.low, self.high)
        return (values - self.low) / np.float32(max(self.high - self.low, 1e-12))


def intensities(pixels: NDArray[Any], method: str, name: str = "the image") -> Intensities:
    """Choose how intensities become 0 to 1.

    ``"range"`` divides by the range that the numbers come from: 255 for uint8, otherwise 1 or the smallest of 255,
    1023, 4095, 16383, 65535 that holds the largest value. ``"minmax"``, and anything with negative values, is
    stretched from its own minimum to its own maximum (a constant image becomes 0). ``"percentile"`` stretches from
    the 0.5th to the 99.5th percentile and clips what lies beyond, so that a few bright voxels do not matter.
    Not-a-number and infinite pixels take the median of the others.

    Raises
    ------
    InputError
        For complex or text arrays, and where no pixel is finite.
    """
    if pixels.dtype.kind not in "buif":
        raise InputError(f"{name} holds {pixels.dtype} values; only integers, booleans and floats can be segmented.")
    values, fill = pixels.astype(np.float32), 0.0
    finite = np.isfinite(values)
    if not finite.all():
        if not finite.any():
            raise InputError(f"{name} has no finite pixel; check how it was computed or loaded.")
        fill = float(np.median(values[finite]))
        values = _finite(values, fill)
    low, high = float(values.min()), float(values.max())
    if method == "range" and low >= 0:
        full = 255.0 if pixels.dtype == np.uint8 else next((r for r in RANGES if high <= r), high)
        return Intensities(0.0, full, fill=fill)
    if method == "percentile":
        low, high = (float(value) for value in np.percentile(values, PERCENTILES))
    return Intensities(low, high, clip=method == "percentile", fill=fill)


def _finite(values: NDArray[np.float32], fill: float) -> NDArray[np.float32]:
    finite = np.isfinite(values)
    return values if finite.all() else np.where(finite, values, np.float32(fill))


def normalize(pixels: NDArray[Any], method: str, name: str = "the image") -> NDArray[np.float32]:
    """Bring intensities to 0..1 as float32, see :func:`intensities`."""
    return intensities(pixels, method, name).apply(pixels)


def normalize_frame(
    pixels: NDArray[Any], config: ModelConfig, name: str = "the image", scale: Intensities | None = None
) -> NDArray[np.float32]:
    """Bring one frame (C, (Z), Y, X) to the model's channels and to intensities of 0 to 1, its own unless given."""
    matched = match_channels(pixels, config, name)
    own = intensities(matched, config.input.normalization, name)
    return (own if scale is None else replace(own, low=scale.low, high=scale.high)).apply(matched)


def common_range(frames: Iterable[Any], config: ModelConfig, name: str = "the image") -> Intensities | None:
    """Choose one scale for all frames (C, (Z), Y, X), where that is the range that the numbers come from.

    None where each frame is stretched by itself, or nothing is to be chosen (uint8).
    """
    if config.input.normalization != "range":
        return None
    scale: Intensities | None = None
    for frame in frames:
        if frame.dtype == np.uint8:
            return None
        own = intensities(match_channels(np.asarray(frame), config, name), "range", name)
        scale = own if scale is None else replace(scale, low=min(scale.low, own.low), high=max(scale.high, own.high))
    return scale
