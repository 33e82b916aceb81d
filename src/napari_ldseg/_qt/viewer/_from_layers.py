"""From an image layer to what the engine takes, and the place where its result belongs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from napari.utils.transforms import Affine
from numpy.typing import NDArray

from ...config import ModelConfig
from ...data import Image, convert_spacing
from ...errors import InputError
from ...plan import Reading

if TYPE_CHECKING:
    from napari.layers import Image as ImageLayer
    from napari.layers import Labels as LabelsLayer

Frames = Literal["current", "all", "range"]
Role = Literal["space", "frames", "channels"]
ROLES: tuple[Role, ...] = ("space", "frames", "channels")
MAX_SIDE = 4096
# Where a layer keeps the geometry of its medical image.
GEOMETRY = "napari-ldseg-geometry"
FRAME_LETTERS = ("", "s", "ts", "tps")
CHANNEL_LABELS = ("c", "ch", "channel", "channels")


@dataclass(frozen=True)
class Source:
    """An image layer (or a part of it) for the engine.

    Attributes
    ----------
    image : Image
        Its array may be lazy (dask).
    shape : tuple of int
        Shape of a result in the layer's own dimensions; 1 along axes that the result does not have.
    place : dict
        scale, translate, rotate, shear, affine, units and axis_labels of a result.
    order : tuple of int
        Which axis of the layer each axis of a result is; empty where they stand in the layer's own order.
    reading : Reading or None
        The same in words.
    """

    image: Image
    shape: tuple[int, ...]
    place: dict[str, Any]
    order: tuple[int, ...] = ()
    reading: Reading | None = None

    @property
    def in_order(self) -> bool:
        """Whether the axes of a result stand in the layer's order: no frame axis lies between the spatial ones."""
        return self.order == tuple(sorted(self.order))

    def arrange(self, data: NDArray[Any]) -> NDArray[Any]:
        """Bring a map of the result, frames first, into the dimensions of the layer."""
        return (data if self.in_order else data.transpose(np.argsort(self.order))).reshape(self.shape)


def automatic_roles(layer: "ImageLayer", ndim: int, order: Sequence[int] | None = None) -> tuple[Role, ...]:
    """Say what each axis of a layer is for a model of ``ndim`` dimensions.

    The last axes of ``order``, those on screen, are space; an axis of channels or of time never is.
    """
    channel = channel_axis(layer)
    axes = [axis for axis in order or range(layer.ndim) if axis != channel]
    axes.sort(key=lambda axis: not _is_time(layer, axis))
    roles: list[Role] = ["frames"] * layer.ndim
    for axis in axes[-ndim:]:
        roles[axis] = "space"
    if channel is not None:
        roles[channel] = "channels"
    return tuple(roles)


def read_layer(
    layer: "ImageLayer",
    ndim: int,
    frames: Frames,
    point: Sequence[float],
    *,
    roles: Sequence[Role] | None = None,
    ranges: Sequence[tuple[int, int]] = (),
    region: NDArray[Any] | None = None,
    config: ModelConfig | None = None,
) -> Source:
    """Describe a layer for a model of ``ndim`` dimensions, without reading its pixels.

    Parameters
    ----------
    layer : napari.layers.Image
        Gray, RGB or RGBA, single or multiscale, with any transforms. An axis labelled "c" or "channel" is one.
    ndim : {2, 3}
    frames : {"current", "all", "range"}
        What to take where the layer has more axes than the model: the frame that is shown, each of them, or ``ranges``.
    point : sequence of float
        The viewer's ``dims.point``, in the layer's world coordinates; tells the current frame.
    roles : sequence of {"space", "frames", "channels"}, optional
        What each axis of the layer is; by default as :func:`automatic_roles` says.
    ranges : sequence of (int, int)
        First and last frame along each frame axis, for ``frames="range"``.
    region : array of shape (n, layer.ndim), optional
        Points in data coordinates whose bounding box is taken along the spatial axes; not-a-number takes all.
    config : ModelConfig, optional
        Chooses the level of a pyramid whose pixels are nearest to the model's.

    Raises
    ------
    InputError
        The layer has too few or too many axes, the roles do not fit the model, or the region lies outside.
    """
    roles = tuple(roles) if roles is not None else automatic_roles(layer, ndim)
    spatial, leading = _checked(layer, ndim, roles)
    channel = roles.index("channels") if "channels" in roles else None
    array, factors, level = _level(layer, spatial, config)
    letters = dict(zip(spatial, "zyx"[-ndim:], strict=True)) | dict(
        zip(leading, _frame_letters(layer, leading), strict=True)
    )
    shape, origin = list(array.shape[: layer.ndim]), np.zeros(layer.ndim)
    stretch = np.asarray(factors, dtype=float)
    box: list[slice | int] = [slice(0, side) for side in array.shape]
    for axis in leading:
        box[axis] = _frames(layer, axis, frames, point, shape[axis], factors, dict(zip(leading, ranges, strict=False)))
    if region is not None:
        for axis in spatial:
            box[axis] = _extent(region[:, axis], shape[axis], float(factors[axis]), layer.name)
    for axis, part in enumerate(box[: layer.ndim]):
        first, last = (part.start, part.stop) if isinstance(part, slice) else (part, part + 1)
        origin[axis], shape[axis] = first, last - first
    if channel is not None:
        # A result has no channels: one voxel as long as all of them, so that it shows with each.
        letters[channel] = "c"
        stretch[channel] *= shape[channel]
        shape[channel] = 1
    axes = "".join(letters[axis] for axis in sorted(letters)) + ("c" if layer.rgb else "")
    spacing, unit = pixel_size(layer, spatial, factors)
    geometry = layer.metadata.get(GEOMETRY) if region is None else None
    reading = Reading(Image(array, axes, spacing, unit, layer.name, geometry=geometry), tuple(box), level)
    order = (*(axis for axis in leading if isinstance(box[axis], slice)), *spatial)
    return Source(reading.cut(), tuple(shape), place_on(layer, stretch, origin), order, reading)


def place_on(layer: "ImageLayer | LabelsLayer", stretch: Any = 1, origin: Any = 0) -> dict[str, Any]:
    """Return the transforms that put an array, whose voxels are ``stretch`` pixels of the layer, on the layer.

    ``origin`` is its first voxel in its own voxels. The centre of a coarse voxel is not that of its first pixel.
    """
    stretch, origin = np.broadcast_to(stretch, layer.ndim), np.broadcast_to(origin, layer.ndim)
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


def _checked(layer: "ImageLayer", ndim: int, roles: Sequence[Role]) -> tuple[list[int], list[int]]:
    """Return the spatial and the frame axes, or say why they do not fit the model."""
    spatial = [axis for axis, role in enumerate(roles) if role == "space"]
    leading = [axis for axis, role in enumerate(roles) if role == "frames"]
    if len(spatial) + len(leading) < ndim:
        raise InputError(
            f"The model segments volumes, but {layer.name!r} has only {len(spatial) + len(leading)} axes; "
            "choose a 2D model, or a layer with slices."
        )
    if len(spatial) != ndim:
        raise InputError(
            f"The model segments {ndim}D images, but {len(spatial)} of the axes of {layer.name!r} are chosen as space; "
            f"under Axes choose {ndim}."
        )
    if roles.count("channels") > 1 - layer.rgb:
        raise InputError(f"{layer.name!r} can have one axis of channels only (its colours are one); choose under Axes.")
    if len(leading) >= len(FRAME_LETTERS):
        raise InputError(
            f"{layer.name!r} has {len(leading)} axes besides the image itself, and at most 3 are supported; "
            "split the layer first."
        )
    return spatial, leading


def _frames(
    layer: "ImageLayer",
    axis: int,
    frames: Frames,
    point: Sequence[float],
    size: int,
    factors: Any,
    ranges: dict[int, tuple[int, int]],
) -> slice | int:
    """Return what to take along a frame axis."""
    if frames == "current":
        return current_index(layer, axis, point, size, float(factors[axis]))
    if frames == "all" or axis not in ranges:
        return slice(0, size)
    first, last = ranges[axis]
    if not 0 <= first <= last < size:
        raise InputError(f"Frames {first} to {last} hold nothing of {layer.name!r}, which has frames 0 to {size - 1}.")
    return slice(first, last + 1)


def current_index(layer: "ImageLayer", axis: int, point: Sequence[float], size: int, factor: float = 1.0) -> int:
    """Return the frame along an axis that is shown at ``point``, in world coordinates of the layer's own units."""
    position = (layer.world_to_data(point)[axis] + 0.5) / factor
    return int(np.clip(np.floor(position), 0, size - 1))


def frame_axes(layer: "ImageLayer", ndim: int) -> list[int]:
    """Return the axes of a layer that a model of ``ndim`` dimensions does not see, channels excluded."""
    return [axis for axis, role in enumerate(automatic_roles(layer, ndim)) if role == "frames"]


def _extent(positions: NDArray[Any], size: int, factor: float, name: str) -> slice:
    """Return the pixels that lie between the outermost of these positions; a pixel reaches half to either side."""
    if np.isnan(positions).any():
        return slice(0, size)
    low, high = (positions.min() + 0.5) / factor, (positions.max() + 0.5) / factor
    # What is off by rounding only touches no further pixel.
    start, stop = max(int(np.floor(low + 1e-6)), 0), min(int(np.ceil(high - 1e-6)), size)
    if stop <= start:
        raise InputError(f"The region lies outside of {name!r}; move the view or the rectangle onto it.")
    return slice(start, stop)


def _level(layer: "ImageLayer", spatial: list[int], config: ModelConfig | None) -> tuple[Any, Any, str]:
    """Return one level, how much coarser it is than the finest, and its name in words.

    It is the one whose pixels are nearest to the model's; where that is unknown, the finest below MAX_SIDE pixels a
    side (else the coarsest).
    """
    if not layer.multiscale:
        return _lazy(layer.data), np.ones(layer.ndim), ""
    factors = np.asarray(layer.downsample_factors, dtype=float)[:, : layer.ndim]
    spacing, unit = pixel_size(layer, spatial, np.ones(layer.ndim))
    seen = config.input.spacing if config is not None and config.input.mode == "spacing" else None
    own = convert_spacing(spacing, unit, config.input.unit) if config is not None else None
    if seen is not None and own is not None:
        coarser = np.log(factors[:, spatial] * own / seen).mean(axis=1)
        number = int(np.abs(coarser).argmin())
    else:
        small = (i for i, level in enumerate(layer.data) if max(level.shape[: layer.ndim]) <= MAX_SIDE)
        number = next(small, len(layer.data) - 1)
    return _lazy(layer.data[number]), factors[number], f"level {number} of a pyramid"


def _lazy(array: Any) -> Any:
    """Return an array of which a part can be taken without reading it."""
    if isinstance(array, np.ndarray):
        return array
    import dask.array  # 0.2 s, which nobody is to wait for when a widget opens

    return array if isinstance(array, dask.array.Array) else dask.array.from_array(array)


def _is_time(layer: "ImageLayer", axis: int) -> bool:
    label = str(layer.axis_labels[axis]).lower()
    return label in ("t", "time") or layer.units[axis].is_compatible_with("second")


def looks_made_for(config: ModelConfig, layer: "ImageLayer", *, as_a_whole: bool) -> bool:
    """Whether a model sees such colours as a layer seems to have, and as many axes (else plane by plane)."""
    spatial = layer.ndim - (channel_axis(layer) is not None) - sum(_is_time(layer, axis) for axis in range(layer.ndim))
    colours = ("rgb", "any") if layer.rgb else ("grayscale", "any")
    ndim, most = config.network.ndim, min(max(spatial, 2), 3)
    return config.input.channels in colours and (ndim == most if as_a_whole else ndim <= most)


def channel_axis(layer: "ImageLayer") -> int | None:
    """Return the axis that is labelled as channels; the colours of an RGB layer are no axis of it."""
    if layer.rgb:
        return None
    return next((i for i, label in enumerate(layer.axis_labels) if str(label).lower() in CHANNEL_LABELS), None)


def _frame_letters(layer: "ImageLayer", leading: list[int]) -> str:
    if len(leading) == 1 and str(layer.axis_labels[leading[0]]).lower().startswith("t"):
        return "t"
    return FRAME_LETTERS[len(leading)]


def pixel_size(layer: "ImageLayer", spatial: list[int], factors: Any) -> tuple[tuple[float, ...] | None, str]:
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
    if convert_spacing((1.0,), str(unit), "micrometer") is None and unit.is_compatible_with("meter"):
        sizes, unit = [float((size * unit).to("micrometer").magnitude) for size in sizes], "micrometer"
    return tuple(float(size * factors[axis]) for axis, size in zip(spatial, sizes, strict=True)), str(unit)
