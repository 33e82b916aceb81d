"""Fold axes that a format does not know into one, and note them in the file so that reading restores them."""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._image import FRAMES, Image

KEY = "napari-ldseg"


def fold(image: Image, tail: str) -> tuple[NDArray[Any], str, dict[str, Any]]:
    """Merge all frame axes into a leading ``t``, followed by the axes of ``tail``.

    Returns
    -------
    array, axes
    note : dict
        The axes and shape before folding, for :func:`unfold`.
    """
    axes = image.frame_axes + "".join(axis for axis in tail if axis in image.axes)
    shape = tuple(int(image.array.shape[image.axes.index(axis)]) for axis in axes)
    stack = np.transpose(image.array, [image.axes.index(axis) for axis in axes]).reshape(_folded(axes, shape))
    frames = len(image.frame_axes)
    return stack, "t" * bool(frames) + axes[frames:], {"axes": axes, "shape": shape}


def unfold(notes: Mapping[str, Any], stored: tuple[int, ...]) -> tuple[str, tuple[int, ...]] | None:
    """Return axes and shape as :func:`fold` noted them.

    None if the file has no such note, or if its pixels have another shape by now (another program cropped them).
    """
    try:
        note = notes[KEY]
        axes, shape = str(note["axes"]), tuple(int(n) for n in note["shape"])
    except (KeyError, TypeError, ValueError):
        return None
    # ImageJ drops axes of length 1.
    same = [n for n in _folded(axes, shape) if n != 1] == [n for n in stored if n != 1]
    return (axes, shape) if same and len(axes) == len(shape) else None


def note_text(metadata: Mapping[str, Any], note: Mapping[str, Any], indent: int | None = None) -> str:
    """Return provenance and axes as JSON."""
    return json.dumps({**metadata, KEY: note}, indent=indent, default=str)


def parse_notes(text: object) -> dict[str, Any]:
    """Parse the text of :func:`note_text`; any other text gives an empty dict."""
    try:
        notes = json.loads(text) if isinstance(text, str) else {}
    except (ValueError, RecursionError):
        return {}
    return notes if isinstance(notes, dict) else {}


def _folded(axes: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape with all (leading) frame axes merged."""
    frames = sum(axis in FRAMES for axis in axes)
    return (math.prod(shape[:frames]), *shape[frames:]) if frames else shape
