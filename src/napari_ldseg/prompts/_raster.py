"""Prompts as pixels of the image."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

from ..annotations import inside
from ..errors import InputError
from ._prompt import NOTHING, Prompt

# Lines are drawn in pieces of so many pixels, so that a long one needs no large array.
PIECE = 128
MAX_AREA = 2**28


@dataclass(frozen=True, eq=False)
class Patch:
    """What is said of a box of one frame.

    Attributes
    ----------
    frame : tuple of int
    start : tuple of int
        First pixel ((Z), Y, X).
    values : uint8 array
        Class of each pixel; 255 where nothing is said.
    """

    frame: tuple[int, ...]
    start: tuple[int, ...]
    values: NDArray[np.uint8]


def patches(
    prompt: Prompt, label: int, shape: tuple[int, ...], ndim: int, ratio: Sequence[float], radius: float
) -> Iterator[Patch]:
    """Yield the pixels of a prompt that lie inside of the image, frame by frame.

    Parameters
    ----------
    prompt : Prompt
    label : int
        Its class.
    shape : tuple of int
        Of the image, without channels.
    ndim : int
        How many of the last axes the model sees; the others are frames.
    ratio : sequence of float
        Pixel size ((Z), Y, X) in pixels along x.
    radius : float
        For points and lines that have none.
    """
    if prompt.values is not None:
        yield from _map_patches(prompt.values, ndim)
        return
    lead = len(shape) - ndim
    for frame in _frames(prompt, lead):
        rings = [ring[:, lead:] for ring in prompt.rings]
        for start, mask in _masks(prompt, rings, shape[lead:], np.asarray(ratio), radius):
            if mask.any():
                yield Patch(frame, start, np.where(mask, label, NOTHING).astype(np.uint8))


def _map_patches(values: NDArray[np.uint8], ndim: int) -> Iterator[Patch]:
    for frame in np.ndindex(*values.shape[: values.ndim - ndim]):
        said = values[frame] != NOTHING
        if said.any():
            extents = [np.flatnonzero(said.any(axis=tuple(set(range(ndim)) - {axis}))) for axis in range(ndim)]
            box = tuple(slice(int(places[0]), int(places[-1]) + 1) for places in extents)
            yield Patch(frame, tuple(side.start for side in box), values[frame][box])


def _frames(prompt: Prompt, lead: int) -> Iterator[tuple[int, ...]]:
    """Yield the frames that a prompt lies in: one, but for boxes."""
    places = np.floor(np.concatenate(prompt.rings)[:, :lead] + 0.5).astype(int)
    low, high = places.min(axis=0), places.max(axis=0)
    if prompt.kind != "box" and (low != high).any():
        raise InputError(
            f"A {prompt.kind} lies in one frame, but this one goes from {low.tolist()} to {high.tolist()}."
        )
    yield from product(*(range(a, b + 1) for a, b in zip(low.tolist(), high.tolist(), strict=True)))


Masks = Iterator[tuple[tuple[int, ...], NDArray[np.bool_]]]


def _masks(
    prompt: Prompt, rings: list[NDArray[np.float64]], shape: tuple[int, ...], ratio: NDArray[np.float64], radius: float
) -> Masks:
    reach = radius if prompt.radius is None else prompt.radius
    if prompt.kind == "box":
        low, high = np.floor(np.sort(rings[0], axis=0) + 0.5).astype(int)
        start, stop = _clipped(low, high + 1, shape)
        yield start, np.ones(_sides(start, stop), dtype=bool)
    elif prompt.kind == "polygon":
        yield from _areas(rings, shape)
    else:
        places = rings[0] if len(rings[0]) > 1 else np.repeat(rings[0], 2, axis=0)
        for first, last in pairwise(places):
            number = max(1, int(np.ceil(np.abs(last - first).max() / PIECE)))
            for a, b in pairwise(np.linspace(first, last, number + 1)):
                yield _capsule(a, b, shape, ratio, reach)


def _capsule(
    a: NDArray[np.float64], b: NDArray[np.float64], shape: tuple[int, ...], ratio: NDArray[np.float64], radius: float
) -> tuple[tuple[int, ...], NDArray[np.bool_]]:
    """Return all pixels within ``radius`` of the way from a to b; at least those that it passes through."""
    # Half a pixel: thinner lines would have holes.
    reach = np.maximum(radius / ratio, 0.5)
    start, stop = _clipped(
        np.floor(np.minimum(a, b) - reach + 0.5), np.floor(np.maximum(a, b) + reach + 0.5) + 1, shape
    )
    grid = np.stack(np.meshgrid(*map(np.arange, start, stop), indexing="ij"), axis=-1).astype(float)
    way, scale = (b - a), 1 / reach
    length = float(((way * scale) ** 2).sum())
    along = (
        np.zeros(grid.shape[:-1]) if not length else (((grid - a) * way * scale**2).sum(axis=-1) / length).clip(0, 1)
    )
    near = ((((grid - a) - along[..., None] * way) * scale) ** 2).sum(axis=-1) <= 1 + 1e-9
    for end in (a, b):
        pixel = tuple((np.floor(end + 0.5).astype(int) - start).tolist())
        if all(0 <= p < n for p, n in zip(pixel, near.shape, strict=True)):
            near[pixel] = True
    return start, near


def _areas(rings: list[NDArray[np.float64]], shape: tuple[int, ...]) -> Masks:
    """Yield the inside of an outline without its holes; in a volume it lies in one slice."""
    places = np.concatenate(rings)
    depth = np.floor(places[:, :-2] + 0.5).astype(int)
    if (depth != depth[:1]).any():
        raise InputError("A polygon lies in one slice (z) of a volume; draw one for each slice.")
    low, high = places[:, -2:].min(axis=0), places[:, -2:].max(axis=0)
    _sides(*_clipped(np.floor(low), np.ceil(high) + 1, shape[-2:]))
    hit = inside([ring[:, -2:] for ring in rings], (shape[-2], shape[-1]))
    if hit is None:
        return
    box, mask = hit
    slices = tuple(depth[0].tolist())
    if all(0 <= z < n for z, n in zip(slices, shape[:-2], strict=True)):
        yield (*slices, box[0].start, box[1].start), mask.reshape((1,) * len(slices) + mask.shape)


def _clipped(
    low: NDArray[np.float64] | NDArray[np.int_], high: NDArray[np.float64] | NDArray[np.int_], shape: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return first pixel, and the one after the last, of what is inside of the image."""
    start = tuple(min(max(int(a), 0), n) for a, n in zip(low, shape, strict=True))
    return start, tuple(min(max(int(b), s), n) for b, s, n in zip(high, start, shape, strict=True))


def _sides(start: tuple[int, ...], stop: tuple[int, ...]) -> tuple[int, ...]:
    sides = tuple(b - a for a, b in zip(start, stop, strict=True))
    if np.prod(sides, dtype=float) > MAX_AREA:
        raise InputError(f"A prompt of {' x '.join(map(str, sides))} pixels is too large; say it of smaller areas.")
    return sides
