"""All that was said of an image, on any grid."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ._prompt import NOTHING, Prompt
from ._raster import Patch, patches

# Grids that are a little finer than the image for want of whole numbers are not taken as coarser.
ROUNDING = 1e-6


@dataclass(frozen=True, eq=False)
class Said:
    """Prompts of an image, as pixels; later ones win.

    Attributes
    ----------
    prompts : tuple of Prompt
    frames : dict
        Patches of each frame, by its index.
    """

    prompts: tuple[Prompt, ...] = ()
    frames: dict[tuple[int, ...], list[Patch]] = field(default_factory=dict)

    def __len__(self) -> int:
        """How many prompts there are."""
        return len(self.prompts)

    def notes(self) -> list[dict[str, Any]]:
        """Return the prompts as JSON."""
        return [prompt.note() for prompt in self.prompts]

    def on(
        self, frame: tuple[int, ...], box: Sequence[tuple[int, int]], offset: Sequence[float], step: Sequence[float]
    ) -> NDArray[np.uint8] | None:
        """Return the classes that were said of the pixels of another grid, 255 where none was; None where none at all.

        Parameters
        ----------
        frame : tuple of int
            Of the image.
        box : sequence of (start, stop)
            Pixels of that grid.
        offset, step : sequence of float
            Pixel ``i`` of that grid covers ``offset + i * step`` to ``offset + (i + 1) * step`` of the image, counted
            from the corner of its first pixel. On a coarser grid a pixel is of a class where a part of it is; on a
            finer one it has the class of the pixel that its centre lies in.
        """
        out: NDArray[np.uint8] | None = None
        for patch in self.frames.get(frame, ()):
            spans = [_span(*each) for each in zip(patch.start, patch.values.shape, box, offset, step, strict=True)]
            if any(stop <= start for start, stop in spans):
                continue
            out = np.full([b - a for a, b in box], NOTHING, np.uint8) if out is None else out
            target = out[tuple(slice(s - a, e - a) for (s, e), (a, _) in zip(spans, box, strict=True))]
            for label in np.unique(patch.values[patch.values != NOTHING]):
                target[_resampled(patch.values == label, patch.start, spans, offset, step)] = label
        return out


SAID_NOTHING = Said()


def say(
    prompts: Sequence[Prompt],
    shape: tuple[int, ...],
    ndim: int,
    class_names: Sequence[str],
    *,
    ratio: Sequence[float],
    radius: float,
    name: str = "the image",
) -> Said:
    """Check prompts and bring them onto the pixels of an image.

    Parameters
    ----------
    prompts : sequence of Prompt
        In the order in which they were said.
    shape : tuple of int
        Of the image, without channels.
    ndim : {2, 3}
        How many of its last axes the model sees.
    class_names : sequence of str
    ratio : sequence of float
        Pixel size ((Z), Y, X) in pixels along x.
    radius : float
        For points and lines that have none, in pixels along x.
    name : str
        What the image is called in messages.

    Raises
    ------
    InputError
        A prompt is of an unknown class, of another image, or lies outside of this one.
    """
    frames: dict[tuple[int, ...], list[Patch]] = {}
    for prompt in prompts:
        label = _class_of(prompt, class_names)
        _check(prompt, shape, name)
        for patch in patches(prompt, label, shape, ndim, ratio, radius):
            frames.setdefault(patch.frame, []).append(patch)
    return Said(tuple(prompts), frames)


def _class_of(prompt: Prompt, names: Sequence[str]) -> int:
    known = ", ".join(f"{number} {name}" for number, name in enumerate(names))
    if prompt.values is not None:
        wrong = prompt.values[(prompt.values >= len(names)) & (prompt.values != NOTHING)]
        if wrong.size:
            raise InputError(f"The prompts name the class {wrong[0]}; the model knows {known}, and 255 says nothing.")
        return NOTHING
    label = prompt.label
    if isinstance(label, str):
        found = [number for number, name in enumerate(names) if name.casefold() == label.strip().casefold()]
        label = found[0] if found else int(label) if label.strip().isdecimal() else -1
    if not 0 <= label < len(names):
        raise InputError(f"A prompt is of the class {prompt.label!r}; the model knows {known}.")
    return int(label)


def _check(prompt: Prompt, shape: tuple[int, ...], name: str) -> None:
    """Refuse a prompt that is not of this image."""
    size = " x ".join(map(str, shape))
    if prompt.values is not None:
        if prompt.values.shape != shape:
            other = " x ".join(map(str, prompt.values.shape))
            raise InputError(f"The map of prompts has {other} pixels and {name!r} {size}: it is of another image.")
        return
    for ring in prompt.rings:
        if ring.shape[1] != len(shape):
            raise InputError(
                f"A prompt has {ring.shape[1]} coordinates, and {name!r} {len(shape)} axes ({size}); give one for each "
                "axis but the channels."
            )
    places = np.concatenate(prompt.rings)
    low, high = places.min(axis=0), places.max(axis=0)
    if (high < -0.5).any() or (low >= np.array(shape) - 0.5).any():
        where = ", ".join(f"{value:.6g}" for value in places[0])
        raise InputError(f"The {prompt.kind} at {where} lies outside of {name!r} ({size}); is it of another image?")


def _span(start: int, length: int, box: tuple[int, int], offset: float, step: float) -> tuple[int, int]:
    """Return the pixels of the other grid, within a box, that a patch reaches into."""
    low = math.floor((start - offset) / step + ROUNDING)
    high = math.ceil((start + length - offset) / step - ROUNDING)
    return max(low, box[0]), min(high, box[1])


def _resampled(
    mask: NDArray[np.bool_],
    start: tuple[int, ...],
    spans: Sequence[tuple[int, int]],
    offset: Sequence[float],
    step: Sequence[float],
) -> NDArray[np.bool_]:
    for axis, (first, (low, high), o, s) in enumerate(zip(start, spans, offset, step, strict=True)):
        n = mask.shape[axis]
        at = np.arange(low, high)
        if s <= 1 + ROUNDING:
            places = np.floor(o + (at + 0.5) * s + ROUNDING).astype(int) - first
            inside = (places >= 0) & (places < n)
            shown = mask.take(places.clip(0, n - 1), axis=axis)
            mask = shown & inside.reshape([-1 if i == axis else 1 for i in range(mask.ndim)])
        else:
            a = np.floor(o + at * s + ROUNDING).astype(int) - first
            b = np.ceil(o + (at + 1) * s - ROUNDING).astype(int) - first
            sums = np.insert(np.cumsum(mask, axis=axis, dtype=np.int32), 0, 0, axis=axis)
            mask = sums.take(b.clip(0, n), axis=axis) > sums.take(a.clip(0, n), axis=axis)
    return mask
