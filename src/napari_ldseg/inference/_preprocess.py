"""From an :class:`Image` to what the networks see, ``(C, (Z), Y, X)`` on their own grid, and back.

This is the only place where axes, number ranges and pixel sizes are converted.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from skimage import transform
from torch import Tensor

from ..config import InputConfig, ModelConfig, Tiling
from ..data import Image, check_channels, check_sides
from ..errors import InputError

PERCENTILES = (0.5, 99.5)
RANGES = (1.0, 255.0, 1023.0, 4095.0, 16383.0, 65535.0)
MAX_GRID = 3_000_000
MAX_FIT = 8_000_000
LUMINANCE = np.array([0.2125, 0.7154, 0.0721], dtype=np.float32)


@dataclass(frozen=True)
class Grid:
    """How the pixels of one image lie on the grid of the networks.

    Attributes
    ----------
    source : tuple of int
        Shape ((Z), Y, X) of the image.
    inner : tuple of int
        The shape that the image is resized to.
    outer : tuple of int
        ``inner``, mirrored at the far ends up to a multiple of the networks' stride.
    tiled : bool
        Whether it is to be cut into tiles.
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
    # A tile of a model that saw whole images is as large as those, even where the image is smaller.
    least = given.shape if fit else (2 * stride,) * ndim
    outer = tuple(-(-max(side, low) // stride) * stride for side, low in zip(inner, least, strict=True))
    most = MAX_FIT if fit else MAX_GRID
    large = math.prod(outer) > most
    if large and (fit or tiles == "never") and tiles != "always":
        raise InputError(
            f"At the model's pixel size this image is {_times(inner)} pixels, more than the {most:,} that fit in "
            "one pass; allow tiles, crop the image, or check that its pixel size is right."
        )
    return Grid(tuple(shape), tuple(inner), outer, tiled=tiles == "always" or (tiles == "auto" and large))


def _resampled(shape: tuple[int, ...], spacing: tuple[float, ...] | None, given: InputConfig) -> tuple[int, ...]:
    if given.spacing is None:
        raise InputError("The model asks for a pixel size but states none; its config is incomplete.")
    spacing = spacing or given.source_spacing or given.spacing
    return tuple(max(round(n * s / g), 1) for n, s, g in zip(shape, spacing, given.spacing, strict=True))


def frames(image: Image, config: ModelConfig) -> Iterator[tuple[tuple[int, ...], NDArray[Any]]]:
    """Yield ``(index, pixels)`` for each frame; pixels are (C, (Z), Y, X) in the image's own dtype.

    Spatial axes that a 2D model does not see (the slices of a stack) count as frames.
    """
    for index, frame in lazy_frames(image, config):
        yield index, np.asarray(frame)


def lazy_frames(image: Image, config: ModelConfig) -> Iterator[tuple[tuple[int, ...], NDArray[Any]]]:
    """Yield ``(index, pixels)`` as :func:`frames` does, without reading: what is lazy (dask, memory maps) stays so."""
    spatial = _frame_axes(image, config)
    leading = [i for i, axis in enumerate(image.axes) if axis not in spatial and axis != "c"]
    order = [*leading, *([image.axes.index("c")] if "c" in image.axes else []), *(image.axes.index(a) for a in spatial)]
    moved = image.array.transpose(order)
    for index in np.ndindex(*moved.shape[: len(leading)]):
        frame = moved[index]
        yield index, frame if "c" in image.axes else frame[None]


def frame_shape(
    image: Image, config: ModelConfig
) -> tuple[tuple[int, ...], tuple[int, ...], str, tuple[float, ...] | None]:
    """Return how many frames there are along each frame axis, the shape and spacing of a frame, and a result's axes.

    Returns
    -------
    leading, shape : tuple of int
    axes : str
        The frame axes, then the spatial ones.
    spacing : tuple of float or None
    """
    spatial = _frame_axes(image, config)
    sizes = dict(zip(image.axes, np.shape(image.array), strict=True))
    leading = "".join(axis for axis in image.axes if axis not in spatial and axis != "c")
    spacing = None if image.spacing is None else image.spacing[-len(spatial) :]
    return tuple(sizes[a] for a in leading), tuple(sizes[a] for a in spatial), leading + spatial, spacing


def _frame_axes(image: Image, config: ModelConfig) -> str:
    """Return the spatial axes that the model sees."""
    ndim = config.network.ndim
    if len(image.spatial) < ndim:
        raise InputError(
            f"The model {config.name!r} segments volumes, but {image.name!r} is a flat image; choose a 2D model."
        )
    return image.spatial[-ndim:]


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


def resize_frame(values: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Resize each channel of (C, (Z), Y, X) to ``shape``, linearly, smoothed first where it shrinks."""
    if values.shape[1:] == shape:
        return values
    shrinks = any(a < b for a, b in zip(shape, values.shape[1:], strict=True))
    return np.stack(
        [
            transform.resize(channel, shape, order=1, mode="reflect", anti_aliasing=shrinks, preserve_range=True)
            for channel in values
        ]
    ).astype(np.float32)


def prepare(
    pixels: NDArray[Any],
    grid: Grid,
    config: ModelConfig,
    name: str = "the image",
    scale: Intensities | None = None,
) -> Tensor:
    """Turn one frame (C, *source) into the float32 tensor (1, image_channels, *outer) that the networks see."""
    values = resize_frame(normalize_frame(pixels, config, name, scale), grid.inner)
    margins = [(0, 0), *((0, o - i) for o, i in zip(grid.outer, grid.inner, strict=True))]
    return torch.from_numpy(np.pad(values, margins, mode="symmetric"))[None]


def crop_to_inner(maps: Tensor, grid: Grid) -> Tensor:
    """Cut the mirrored margin off maps (..., *outer)."""
    for axis, side in enumerate(grid.inner, start=maps.ndim - len(grid.inner)):
        maps = maps.narrow(axis, 0, side)
    return maps


def restore(maps: Tensor, grid: Grid) -> Tensor:
    """Bring maps (N, C, *outer) from the networks' grid back to the image's own, linearly, not in label space."""
    inner = crop_to_inner(maps, grid)
    if grid.inner == grid.source:
        return inner
    mode = "bilinear" if len(grid.source) == 2 else "trilinear"
    return F.interpolate(inner, size=grid.source, mode=mode, align_corners=False)


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
