"""Convert intensities and channels to what the networks expect."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..config import ModelConfig
from ..errors import InputError
from ._frames import Frames

PROBES, PROBE_SIDE = 8, 64
PERCENTILES = (0.5, 99.5)
RANGES = (1.0, 255.0, 1023.0, 4095.0, 16383.0, 65535.0)
LUMINANCE = np.array([0.2125, 0.7154, 0.0721], dtype=np.float32)


def match_channels(pixels: NDArray[Any], config: ModelConfig, name: str = "the image") -> NDArray[Any]:
    """Convert (C, ...) to the model's channels, or raise if that is impossible.

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


def check_channels(found: int, config: ModelConfig, name: str) -> None:
    """Refuse a number of channels that the model cannot use.

    RGB models take gray and RGBA, too, and gray models RGB and RGBA.

    Raises
    ------
    InputError
        If the model was trained on another number of channels.
    """
    wanted, kind = config.network.image_channels, config.input.channels
    if found == wanted or (kind == "rgb" and found in (1, 3, 4)) or (kind == "grayscale" and found in (3, 4)):
        return
    raise InputError(
        f"{name} has {found} channels, but the model {config.name!r} was trained on {wanted}"
        f"{' (red, green, blue)' if kind == 'rgb' else ''}; choose another model, or pick the channels to use."
    )


@dataclass(frozen=True)
class Intensities:
    """The mapping of intensities to 0..1: ``(value - low) / (high - low)``.

    Attributes
    ----------
    low, high : float
    clip : bool
        Whether values outside are clipped.
    fill : float
        The value of nan and infinite pixels.
    """

    low: float
    high: float
    clip: bool = False
    fill: float = 0.0

    def apply(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        """Map pixels to 0..1 as float32."""
        values = _finite(pixels.astype(np.float32), self.fill)
        if self.clip:
            values = values.clip(self.low, self.high)
        return (values - self.low) / np.float32(max(self.high - self.low, 1e-12))


def intensities(pixels: NDArray[Any], method: str, name: str = "the image") -> Intensities:
    """Choose how intensities are mapped to 0..1.

    ``"range"`` divides by the range that the numbers come from: 255 for uint8, otherwise 1 or the smallest of 255,
    1023, 4095, 16383, 65535 that holds the largest value. ``"minmax"``, and anything with negative values, is
    stretched from its own minimum to its own maximum (a constant image becomes 0). ``"percentile"`` stretches from
    the 0.5th to the 99.5th percentile and clips what lies beyond, so that a few bright voxels do not matter.
    nan and infinite pixels take the median of the others.

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
    """Map intensities to 0..1 as float32, see :func:`intensities`."""
    return intensities(pixels, method, name).apply(pixels)


def normalize_frame(
    pixels: NDArray[Any], config: ModelConfig, name: str = "the image", scale: Intensities | None = None
) -> NDArray[np.float32]:
    """Convert one frame (C, (Z), Y, X) to the model's channels and to 0..1, by its own intensities unless given."""
    matched = match_channels(pixels, config, name)
    own = intensities(matched, config.input.normalization, name)
    return (own if scale is None else replace(own, low=scale.low, high=scale.high)).apply(matched)


def common_range(frames: Frames, config: ModelConfig, name: str = "the image") -> Intensities | None:
    """Choose one scale for all frames, if it is the range of the data type.

    None if each frame is stretched on its own, or there is no choice (uint8). Frames are read one by one.
    """
    if config.input.normalization != "range" or frames.array.dtype == np.uint8:
        return None
    scale: Intensities | None = None
    for index in frames.indices:
        own = intensities(match_channels(np.asarray(frames.array[index]), config, name), "range", name)
        scale = own if scale is None else replace(scale, low=min(scale.low, own.low), high=max(scale.high, own.high))
    return scale


def probe(frames: Frames, *, every_pixel: bool) -> NDArray[Any]:
    """Return pixels from all over an image, (C, pixels), which show its intensities and identify it.

    They come from the first, the middle and the last frame: every pixel (meant for the coarsest level of a pyramid), or
    64 pixels a side at 8 evenly spaced places along each axis (or the whole axis, if that is less).
    """
    found, indices = [], frames.indices
    for number in sorted({0, len(indices) // 2, len(indices) - 1}):
        frame = frames.array[indices[number]]
        for axis, side in enumerate(frame.shape[1:], start=1):
            if side > PROBES * PROBE_SIDE and not every_pixel:
                starts = np.linspace(0, side - PROBE_SIDE, PROBES).astype(int)
                places = (starts[:, None] + np.arange(PROBE_SIDE)).ravel()
                frame = frame[(slice(None),) * axis + (places,)]  # not every lazy array has take()
        found.append(np.asarray(frame).reshape(frame.shape[0], -1))
    return np.concatenate(found, axis=1)


def probe_intensities(probed: NDArray[Any], config: ModelConfig, name: str) -> Intensities:
    """Choose the intensities of a whole large image from its :func:`probe`."""
    return intensities(match_channels(probed, config, name), config.input.normalization, name)
