"""Gather what is known about a labels layer that is reviewed or measured."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels, Layer

from ...config import class_color
from ...errors import InputError
from ...measure import Box, Measured, Region
from ._from_layers import pixel_size
from ._result_layers import HELPER, KEY, is_result, result_of

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from ...inference import Segmentation


# These entries tell one run from another.
RUN = ("date", "image", "model_sha256")


@dataclass(frozen=True)
class Subject:
    """A labels layer as something to measure.

    Attributes
    ----------
    layer : Labels
    source : Measured
        Its labels are a view of the layer's data, without the axes that the result lacks.
    axes : tuple of int
        The axis of the layer for each axis of ``source.labels``; the others have length 1.
    unit : str
    class_names, class_colors : tuple of str
    provenance : dict
    """

    layer: Labels
    source: Measured
    axes: tuple[int, ...]
    unit: str
    class_names: tuple[str, ...]
    class_colors: tuple[str, ...]
    provenance: dict[str, Any]

    @property
    def samples(self) -> int:
        """The number of available samples."""
        return self.source.masks.count if self.source.masks is not None else 0

    def class_name(self, label: int) -> str:
        """Return the name of a class; "all classes" for 0, which stands for a whole frame."""
        if label == 0:
            return "all classes"
        return self.class_names[label] if label < len(self.class_names) else f"label {label}"

    def class_color(self, label: int) -> str:
        """Return the colour of a class, or for labels that are not ours, the layer's own colour."""
        if label == 0:
            return "#808080"
        shown = None if label < len(self.class_colors) else self.layer.get_color(label)
        if shown is None or not shown[3]:  # hidden
            return class_color(label, self.class_colors)
        return "#{:02x}{:02x}{:02x}".format(*(round(255 * float(part)) for part in shown[:3]))

    def index(self, frame: tuple[int, ...], box: Box) -> tuple[Any, ...]:
        """Return the index into the layer's data of a box in a frame."""
        index: list[Any] = [0] * self.layer.ndim
        for axis, part in zip(self.axes, (*frame, *box), strict=True):
            index[axis] = part
        return tuple(index)

    def origin(self, region: Region) -> tuple[int, ...]:
        """Return the first pixel of a region's box in the layer's data."""
        index = self.index(region.frame, region.box)
        return tuple(part.start if isinstance(part, slice) else part for part in index)

    def shape(self, region: Region) -> tuple[int, ...]:
        """Return the shape of a region's mask in the layer's dimensions."""
        shape = [1] * self.layer.ndim
        for axis, side in zip(self.axes[len(region.frame) :], region.mask.shape, strict=True):
            shape[axis] = side
        return tuple(shape)


def labels_layers(viewer: "ViewerModel") -> list[Labels]:
    """Return the labels layers that can be reviewed: our own first, each kind from the top."""
    layers = reversed(viewer.layers)
    found = [layer for layer in layers if isinstance(layer, Labels) and HELPER not in layer.metadata]
    return sorted(found, key=lambda layer: result_of(layer) is None)


def read_subject(viewer: "ViewerModel", layer: Labels, *, volume: bool, image: Image | None = None) -> Subject:
    """Gather what is known about a labels layer: the result it came from, else an SD layer with a matching name.

    Parameters
    ----------
    viewer : ViewerModel
    layer : Labels
    volume : bool
        Whether the last three axes of a layer that we did not make are a volume and not a sequence.
    image : Image layer, optional
        Its intensities are measured if it has the same grid.

    Raises
    ------
    InputError
        If the layer cannot be edited in place (multiscale, lazy) or has too few axes.
    """
    if layer.multiscale or not isinstance(layer.data, np.ndarray):
        raise InputError(
            f"{layer.name!r} is {'multiscale' if layer.multiscale else 'not in memory'} and cannot be edited; "
            "duplicate the layer as a single array in memory and choose that one."
        )
    result = result_of(layer)
    if result is not None and (axes := match_axes(layer.data.shape, result.labels.shape)) is not None:
        source = Measured(
            layer.data.reshape(result.labels.shape),
            result.labels.ndim - (result.sizes.ndim - 2),
            result.spacing,
            result.masks,
            result.sd,
            result.mean if result.probability is None else result.probability,
            _pixels(image, layer, result.labels.shape),
        )
        return Subject(layer, source, axes, result.unit, result.class_names, _colors(result), dict(result.provenance))
    ndim = 3 if volume and layer.ndim >= 3 else 2
    spacing, unit = pixel_size(layer, list(range(layer.ndim))[-ndim:], np.ones(layer.ndim))
    sd = sd_layer(viewer, layer)
    source = Measured(
        layer.data,
        ndim,
        spacing,
        sd=None if sd is None else np.asarray(sd.data),
        image=_pixels(image, layer, layer.data.shape),
    )
    notes = layer.metadata.get(KEY, {})
    return Subject(layer, source, tuple(range(layer.ndim)), unit, (), (), dict(notes))


def match_axes(shape: tuple[int, ...], part: tuple[int, ...]) -> tuple[int, ...] | None:
    """Return which axes of ``shape`` are those of ``part``; the others have length 1. None if they do not fit."""
    axes: list[int] = []
    wanted = list(part)
    for axis in reversed(range(len(shape))):
        if wanted and shape[axis] == wanted[-1] and (shape[axis] != 1 or axis < len(wanted)):
            axes.insert(0, axis)
            wanted.pop()
        elif shape[axis] != 1:
            return None
    return None if wanted else tuple(axes)


def _colors(result: "Segmentation") -> tuple[str, ...]:
    return tuple(class_color(label, result.class_colors) for label in range(len(result.class_names)))


def sd_layer(viewer: "ViewerModel", layer: Labels) -> Layer | None:
    """Return the SD layer of the run that made these labels, else one with "SD" in place of "labels" in its name."""
    stem = layer.name.lower().replace("labels", "").strip(" _")
    run = layer.metadata.get(KEY)
    named = None
    for other in viewer.layers:
        if not isinstance(other, Image) or other.multiscale or HELPER in other.metadata:
            continue
        if np.shape(other.data) != layer.data.shape:
            continue
        made, name = other.metadata.get(KEY), other.name.lower()
        if run is not None and made is not None:
            if made.get("kind") == "SD" and all(made.get(key) == run.get(key) for key in RUN):
                return other
        elif named is None and name.endswith("sd") and name.removesuffix("sd").strip(" _") == stem:
            named = other
    return named


def image_name(layer: Labels) -> str:
    """Return the name of the image that labels were made from; empty if unknown."""
    return str(layer.metadata.get(KEY, {}).get("image", ""))


def is_of(layer: Labels, image: Image) -> bool:
    """Whether labels may belong to an image: they were made from one of that name, or their source is unknown."""
    # napari numbers layers with the same name.
    return image_name(layer) in ("", image.name, re.sub(r" \[\d+\]$", "", image.name))


def image_layer(viewer: "ViewerModel", layer: Labels) -> Image | None:
    """Return the image layer that labels were made from; None if it is unknown or ambiguous."""
    if not image_name(layer):
        return None
    images = [one for one in viewer.layers if isinstance(one, Image) and not is_result(one) and is_of(layer, one)]
    if result_of(layer) is not None:  # made in this session, where names of layers are unique
        images = [one for one in images if one.name == image_name(layer)] or images
    return images[0] if len(images) == 1 else None


def _pixels(image: Image | None, layer: Labels, shape: tuple[int, ...]) -> Any:
    """Return the image in the shape of the labels, channels last; None if it has another grid."""
    if image is None or image.multiscale or not hasattr(image.data, "reshape"):
        return None
    grid = image.data.shape[:-1] if image.rgb else image.data.shape
    # A lazy array stays lazy: it is read in the thread.
    return image.data.reshape(*shape, -1) if tuple(grid) == layer.data.shape else None
