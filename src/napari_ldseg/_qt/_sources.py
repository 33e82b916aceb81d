"""From an image layer to what the engine takes, and the place where its result belongs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from napari.utils.transforms import Affine

from ..data import Image
from ..errors import InputError

if TYPE_CHECKING:
    from napari.layers import Image as ImageLayer
    from napari.layers import Labels as LabelsLayer

Frames = Literal["current", "all"]
MAX_SIDE = 4096
FRAME_LETTERS = ("", "s", "ts", "tps")
CHANNEL_LABELS = ("c", "ch", "channel", "channels")


@dataclass(frozen=True)
class Source:
    """An image layer (or one frame of it) for the engine.

    Attributes
    ----------
    image : Image
        Its array may be lazy (dask, zarr).
    shape : tuple of int
        Shape of a result in the layer's own dimensions; 1 along axes that the result does not have.
    place : dict
        scale, translate, rotate, shear, affine, units and axis_labels of a result.
    """

    image: Image
    shape: tuple[int, ...]
    place: dict[str, Any]


def frame_axes(layer: "ImageLayer", ndim: int) -> list[int]:
    """Return the axes of a layer that a model of ``ndim`` dimensions does not see, channels excluded."""
    channel = _channel_axis(layer)
    axes = [axis for axis in range(layer.ndim) if axis != channel]
    return axes[: max(len(axes) - ndim, 0)]


def read_layer(layer: "ImageLayer", ndim: int, frames: Frames, point: Sequence[float]) -> Source:
    """Describe a layer for a model of ``ndim`` dimensions, without reading its pixels.

    Parameters
    ----------
    layer : napari.layers.Image
        Gray, RGB or RGBA, single or multiscale, with any transforms. An axis labelled "c" or "channel" is one.
    ndim : {2, 3}
    frames : {"current", "all"}
        What to take where the layer has more axes than the model: the frame that is shown, or each of them.
    point : sequence of float
        The viewer's ``dims.point``, in world coordinates; tells the current frame.

    Raises
    ------
    InputError
        The layer has too few or too many axes.
    """
    channel, leading = _channel_axis(layer), frame_axes(layer, ndim)
    spatial = [axis for axis in range(layer.ndim) if axis != channel and axis not in leading]
    if len(spatial) < ndim:
        raise InputError(
            f"The model segments volumes, but {layer.name!r} has only {len(spatial)} axes; choose a 2D model, "
            "or a layer with slices."
        )
    if len(leading) >= len(FRAME_LETTERS):
        raise InputError(
            f"{layer.name!r} has {len(leading)} axes besides the image itself, and at most 3 are supported; "
            "split the layer first."
        )
    array, factors = _level(layer)
    letters = dict.fromkeys(spatial, "") | dict(zip(spatial, "zyx"[-ndim:], strict=True))
    letters |= dict(zip(leading, _frame_letters(layer, leading), strict=True))
    if channel is not None:
        letters[channel] = "c"
    shape, origin = list(array.shape[: layer.ndim]), np.zeros(layer.ndim)
    stretch = np.asarray(factors, dtype=float)
    if channel is not None:
        # A result has no channels: one voxel as long as all of them, so that it shows with each.
        stretch[channel] *= shape[channel]
        shape[channel] = 1
    if frames == "current":
        index: list[Any] = [slice(None)] * len(array.shape)
        for axis in leading:
            index[axis] = current = current_index(layer, axis, point, shape[axis])
            origin[axis], shape[axis] = current, 1
            del letters[axis]
        array = array[tuple(index)]
    axes = "".join(letters[axis] for axis in sorted(letters)) + ("c" if layer.rgb else "")
    spacing, unit = _spacing(layer, spatial, factors)
    image = Image(array, axes, spacing, unit, layer.name)
    return Source(image, tuple(shape), place_on(layer, stretch, origin))


def place_on(layer: "ImageLayer | LabelsLayer", stretch: Any, origin: Any) -> dict[str, Any]:
    """Return the transforms that put an array, whose voxels are ``stretch`` pixels of the layer, on the layer.

    ``origin`` is its first voxel in its own voxels. The centre of a coarse voxel is not that of its first pixel.
    """
    return {
        "scale": np.asarray(layer.scale) * stretch,
        "translate": np.asarray(_physical(layer)(origin * stretch + (stretch - 1) / 2)),
        "rotate": np.array(layer.rotate),
        "shear": np.array(layer.shear),
        "affine": np.array(layer.affine.affine_matrix),
        "units": tuple(str(unit) for unit in layer.units),
        "axis_labels": tuple(layer.axis_labels),
    }


def _physical(layer: "ImageLayer | LabelsLayer") -> Affine:
    """Return the layer's own transform, to which its affine comes on top."""
    return Affine(scale=layer.scale, translate=layer.translate, rotate=layer.rotate, shear=layer.shear, ndim=layer.ndim)


def _level(layer: "ImageLayer") -> tuple[Any, Any]:
    """Return the finest level below MAX_SIDE pixels a side (else the coarsest), and how much coarser it is."""
    if not layer.multiscale:
        return layer.data, np.ones(layer.ndim)
    number = len(layer.data) - 1
    for i, level in enumerate(layer.data):
        if max(level.shape[: layer.ndim]) <= MAX_SIDE:
            number = i
            break
    return layer.data[number], np.asarray(layer.downsample_factors[number], dtype=float)[: layer.ndim]


def current_index(layer: "ImageLayer", axis: int, point: Sequence[float], size: int) -> int:
    """Return the frame along an axis that is shown at ``point`` in world coordinates."""
    position = layer.world_to_data(point)[axis]
    return int(np.clip(np.floor(position + 0.5), 0, size - 1))


def _channel_axis(layer: "ImageLayer") -> int | None:
    """Return the axis that is labelled as channels; the colours of an RGB layer are no axis of it."""
    if layer.rgb:
        return None
    return next((i for i, label in enumerate(layer.axis_labels) if str(label).lower() in CHANNEL_LABELS), None)


def _frame_letters(layer: "ImageLayer", leading: list[int]) -> str:
    if len(leading) == 1 and str(layer.axis_labels[leading[0]]).lower().startswith("t"):
        return "t"
    return FRAME_LETTERS[len(leading)]


def _spacing(layer: "ImageLayer", spatial: list[int], factors: Any) -> tuple[tuple[float, ...] | None, str]:
    """Return the pixel size in the unit of the last axis; None where the layer states none."""
    units = [layer.units[axis] for axis in spatial]
    unit = units[-1]
    if any(not other.is_compatible_with(unit) for other in units):
        return None, "pixel"
    linear = layer.affine.affine_matrix[:-1, :-1] @ _physical(layer).linear_matrix
    steps = np.linalg.norm(linear, axis=0)
    sizes = [float((1 * other).to(unit).magnitude) * steps[axis] for axis, other in zip(spatial, units, strict=True)]
    if str(unit) == "pixel" and np.allclose(sizes, 1):
        return None, "pixel"
    return tuple(float(size * factors[axis]) for axis, size in zip(spatial, sizes, strict=True)), str(unit)
