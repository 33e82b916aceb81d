"""From an image layer and a labels layer to the annotated frames that a training set keeps."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...data import Image
from ...datasets import TrainingSet, merge_foreground
from ...errors import InputError
from ..viewer._from_layers import current_index, frame_axes, read_layer
from ..viewer._result_layers import KEY, original_of
from ..viewer._units import factors

if TYPE_CHECKING:
    from napari.layers import Image as ImageLayer
    from napari.layers import Labels

Chosen = Literal["current", "all"] | Sequence[int]


@dataclass(frozen=True)
class Annotation:
    """One frame as a training set takes it; ``image.array`` may be lazy."""

    image: Image
    labels: NDArray[Any]
    touched: NDArray[np.bool_] | None
    source: str
    group: str
    model: str


def read_annotations(
    image: "ImageLayer",
    labels: "Labels",
    ndim: int,
    chosen: Chosen,
    point: Sequence[float],
    *,
    group: str = "",
    data: NDArray[Any] | None = None,
) -> list[Annotation]:
    """Return the chosen frames of an image layer with their labels, which are copied: painting goes on meanwhile.

    Parameters
    ----------
    image, labels : layers
    ndim : {2, 3}
        Axes that the model sees; those before are frames.
    chosen : {"current", "all"} or sequence of int
        Frames, counted from 0 as napari's slider does.
    point : sequence of float
        The viewer's ``dims.point``, in the world of the image layer: its axes, in its units.
    group : str
        What must not be split between training and validation; by default the image layer.
    data : array, optional
        Taken in place of the data of the labels layer.

    Raises
    ------
    InputError
        The labels do not lie on the image, or there are no such frames.
    """
    array = np.asarray(labels.data if data is None else data)
    full = read_layer(image, ndim, "all", point, like=array.shape)
    leading = frame_axes(image, ndim)
    counts = tuple(full.shape[axis] for axis in leading)
    one = _squeezed(array.shape) == _squeezed(full.image.shape)
    if not one and _squeezed(array.shape) != _squeezed((*counts, *full.image.shape)):
        shown = image.data[0].shape if image.multiscale else image.data.shape
        raise InputError(
            f"The labels {labels.name!r} have the shape {tuple(array.shape)}, but the image {image.name!r} has "
            f"{tuple(shown)}; choose labels that lie pixel by pixel on the image."
        )
    current = tuple(current_index(image, axis, _place(labels, image, point), full.shape[axis]) for axis in leading)
    indices = _indices(chosen, counts, current)
    if one and any(index != current for index in indices):
        raise InputError(
            f"The labels {labels.name!r} are of one frame ({_told(current)}), not of each; choose that frame alone."
        )
    original = original_of(labels)
    model = str(labels.metadata.get(KEY, {}).get("model", ""))
    found = []
    for index in indices:

        def cut(whole: Any, index: tuple[int, ...] = index) -> Any:
            whole = np.asarray(whole)
            return whole.reshape(full.image.shape) if one else whole.reshape((*counts, *full.image.shape))[index]

        touched = None if original is None else np.asarray(cut(labels.data) != cut(original))
        source = image.name + (f" [{_told(index)}]" if index else "")
        picture = _frame_of(full.image, index)
        found.append(Annotation(picture, np.array(cut(array)), touched, source, group or image.name, model))
    return found


def keep(dataset: TrainingSet, found: Sequence[Annotation], *, foreground: bool, replace: bool) -> list[InputError]:
    """Add frames to a training set; return what kept some from being added. Meant for a thread."""
    refused = []
    for one in found:
        labels = merge_foreground(one.labels) if foreground else one.labels
        image = one.image.replace(array=np.asarray(one.image.array))
        try:
            dataset.add(
                image, labels, source=one.source, group=one.group, model=one.model, touched=one.touched, replace=replace
            )
        except InputError as error:
            refused.append(error)
    return refused


def parse_frames(text: str) -> list[int]:
    """Read "0-3, 7" as 0, 1, 2, 3, 7.

    Raises
    ------
    InputError
        If it is no list of frames.
    """
    frames: list[int] = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        match = re.fullmatch(r"(\d+)(?:\s*-\s*(\d+))?", part)
        if match is None:
            raise InputError(f"{part!r} is no frame; write numbers and ranges such as 0-3, 7.")
        first, last = int(match[1]), int(match[2] or match[1])
        frames += range(first, min(last, first + 100_000) + 1)
    if not frames:
        raise InputError("No frame is chosen; write numbers and ranges such as 0-3, 7.")
    return sorted(set(frames))


def _indices(chosen: Chosen, counts: tuple[int, ...], current: tuple[int, ...]) -> list[tuple[int, ...]]:
    if not counts or chosen == "current":
        return [current]
    if chosen == "all":
        return list(product(*(range(count) for count in counts)))
    if len(counts) > 1:
        raise InputError(f"The image has {len(counts)} axes of frames; choose the current frame, or all.")
    wanted = [int(index) for index in chosen]
    if max(wanted) >= counts[0]:
        raise InputError(f"There is no frame {max(wanted)}; the image has the frames 0 to {counts[0] - 1}.")
    return [(index,) for index in wanted]


def _place(labels: "Labels", image: "ImageLayer", point: Sequence[float]) -> Sequence[float]:
    """Return where the frame of these labels is: their own place if they have one, else what is shown."""
    if labels.ndim != image.ndim:
        return point
    starts = (np.asarray(labels.data_to_world((0,) * labels.ndim)) * factors(labels.units, image.units)).tolist()
    shown = zip(point[-labels.ndim :], labels.data.shape, starts, strict=True)
    return tuple(at if size > 1 else start for at, size, start in shown)


def _frame_of(image: Image, index: tuple[int, ...]) -> Image:
    """Return one frame of an image, unread; channels last."""
    left = iter(index)
    key = tuple(next(left) if axis in image.frame_axes else slice(None) for axis in image.axes)
    axes = "".join(axis for axis in image.axes if axis not in image.frame_axes)
    array = image.array[key]
    if axes.startswith("c"):
        array, axes = np.moveaxis(np.asarray(array), 0, -1), f"{axes[1:]}c"
    return image.replace(array=array, axes=axes)


def _squeezed(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(int(n) for n in shape if n != 1)


def _told(index: tuple[int, ...]) -> str:
    return "frame " + ", ".join(map(str, index)) if index else "the image"
