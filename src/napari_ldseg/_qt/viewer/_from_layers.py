"""Turn an image layer into the engine's input, and tell where the result belongs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from napari.utils.transforms import Affine
from numpy.typing import NDArray

from ...config import ModelConfig, PartConfig, SegmentConfig
from ...data import Image, convert_spacing
from ...errors import InputError
from ...plan import Part, Plan, plan_image, take_part

if TYPE_CHECKING:
    from napari.layers import Image as ImageLayer, Labels as LabelsLayer

Frames = Literal["current", "all", "range"]
Role = Literal["space", "frames", "channels"]
ROLES: tuple[Role, ...] = ("space", "frames", "channels")
# The key of a layer's metadata that holds the geometry of its medical image.
GEOMETRY = "napari-ldseg-geometry"
FRAME_LETTERS = ("", "s", "ts", "tps")
CHANNEL_LABELS = ("c", "ch", "channel", "channels")


@dataclass(frozen=True)
class Source:
    """An image layer, or a part of it, for the engine.

    Attributes
    ----------
    image : Image
        Its array may be lazy (dask).
    shape : tuple of int
        Shape of a result in the layer's own dimensions; 1 along axes that the result lacks.
    place : dict
        scale, translate, rotate, shear, affine, units and axis_labels of a result.
    order : tuple of int
        The axis of the layer for each axis of a result; empty if they are the same.
    plan : Plan or None
        How it will be segmented, if the model is known.
    """

    image: Image
    shape: tuple[int, ...]
    place: dict[str, Any]
    order: tuple[int, ...] = ()
    plan: Plan | None = None

    @property
    def in_order(self) -> bool:
        """Whether the axes of a result have the layer's order: no frame axis lies between spatial ones."""
        return self.order == tuple(sorted(self.order))

    def arrange(self, data: Any) -> Any:
        """Bring a map of the result, frames first, into the dimensions of the layer. Lazy arrays stay lazy."""
        if not self.order:
            return data.reshape(self.shape)
        if self.in_order and len(self.order) == len(self.shape):
            return data
        axes = (slice(None) if axis in self.order else None for axis in range(len(self.shape)))
        return _lazy(data).transpose(np.argsort(self.order).tolist())[tuple(axes)]


def automatic_roles(layer: "ImageLayer", ndim: int, order: Sequence[int] | None = None) -> tuple[Role, ...]:
    """Return the role of each axis of a layer for a model of ``ndim`` dimensions.

    The last axes of ``order``, those on screen, are spatial. An axis of channels or time never is.
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
    settings: SegmentConfig | None = None,
    like: tuple[int, ...] = (),
) -> Source:
    """Describe a layer for a model of ``ndim`` dimensions, without reading its pixels.

    Parameters
    ----------
    layer : napari.layers.Image
        Gray, RGB or RGBA, single or multiscale, with any transforms. An axis labelled "c" or "channel" is one.
    ndim : {2, 3}
    frames : {"current", "all", "range"}
        What to take if the layer has more axes than the model: the current frame, all frames, or ``ranges``.
    point : sequence of float
        The viewer's ``dims.point`` in the layer's world coordinates. It selects the current frame.
    roles : sequence of {"space", "frames", "channels"}, optional
        The role of each axis of the layer; by default that of :func:`automatic_roles`.
    ranges : sequence of (int, int)
        First and last frame along each frame axis, for ``frames="range"``.
    region : array of shape (n, layer.ndim), optional
        Points in data coordinates. Their bounding box is taken along the spatial axes; nan takes everything.
    config, settings : ModelConfig, SegmentConfig, optional
        Make a plan, which chooses the level of a pyramid.
    like : tuple of int
        Without a plan: take the level of this shape (ignoring axes of length 1), if there is one, else the finest.

    Raises
    ------
    InputError
        If the layer has too few or too many axes, the roles do not fit the model, or the region lies outside.
    """
    roles = tuple(roles) if roles is not None else automatic_roles(layer, ndim)
    spatial, leading = _checked(layer, ndim, roles)
    image = _whole(layer, roles, spatial, leading, geometry=region is None)
    sizes = np.shape(image.array)
    taken = [
        _frames(layer, axis, frames, point, sizes[axis], dict(zip(leading, ranges, strict=False))) for axis in leading
    ]
    extents = [] if region is None else [_extent(region[:, axis], sizes[axis], layer.name) for axis in spatial]
    config_of_part = PartConfig(frames=",".join(taken) or None, region=",".join(extents) or None)
    plan = None if config is None else plan_image(image, config, settings, config_of_part)
    part = _like(take_part(image, ndim, config_of_part), like) if plan is None else plan.part
    factors = np.array([n / m for n, m in zip(sizes, np.shape(part.image.array), strict=True)][: layer.ndim])
    pixels = [slice(each, each + 1) if isinstance(each, int) else each for each in part.box[: layer.ndim]]
    shape, origin = [each.stop - each.start for each in pixels], np.array([each.start for each in pixels], dtype=float)
    if "channels" in roles:
        # A result has no channels. Its voxel spans all of them, so that it shows with each.
        channel = roles.index("channels")
        factors[channel] *= shape[channel]
        shape[channel] = 1
    order = (*(axis for axis in leading if isinstance(part.box[axis], slice)), *spatial)
    cut = part.cut() if plan is None else plan.image
    return Source(cut, tuple(shape), place_on(layer, factors, origin), order, plan)


def _whole(
    layer: "ImageLayer", roles: Sequence[Role], spatial: list[int], leading: list[int], *, geometry: bool
) -> Image:
    """Return a layer with all its levels, without reading them."""
    letters = dict(zip(spatial, "zyx"[-len(spatial) :], strict=True))
    letters |= dict(zip(leading, _frame_letters(layer, leading), strict=True))
    letters |= {axis: "c" for axis, role in enumerate(roles) if role == "channels"}
    axes = "".join(letters[axis] for axis in sorted(letters)) + ("c" if layer.rgb else "")
    every, levels = list(layer.data) if layer.multiscale else [layer.data], []
    for level in every:
        factors = np.asarray(every[0].shape[: layer.ndim]) / np.asarray(level.shape[: layer.ndim])
        spacing, unit = pixel_size(layer, spatial, factors)
        levels.append(Image(_lazy(level), axes, spacing, unit, layer.name))
    known = layer.metadata.get(GEOMETRY) if geometry else None
    return levels[0].replace(levels=tuple(levels[1:]), geometry=known)


def _like(part: Part, shape: tuple[int, ...]) -> Part:
    """Return the part on the level where the result has this shape, or else on the finest level."""
    levels = [part.at(level) for level in (part.image, *part.image.levels)]
    wanted = [side for side in shape if side != 1]

    def fits(level: Part) -> bool:
        sides = (level.size(axis) for axis in level.frame_axes + level.spatial)
        return [side for side in sides if side != 1] == wanted

    return next(filter(fits, levels), part)


def place_on(layer: "ImageLayer | LabelsLayer", stretch: Any = 1, origin: Any = 0) -> dict[str, Any]:
    """Return the transforms that put an array on the layer; its voxels are ``stretch`` pixels of the layer.

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
    """Return the layer's own transform, without its affine."""
    return Affine(scale=layer.scale, translate=layer.translate, rotate=layer.rotate, shear=layer.shear, ndim=layer.ndim)


def _checked(layer: "ImageLayer", ndim: int, roles: Sequence[Role]) -> tuple[list[int], list[int]]:
    """Return the spatial and the frame axes, or raise if they do not fit the model."""
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
        raise InputError(f"{layer.name!r} can only have one channel axis (its colours are one); choose it under Axes.")
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
    ranges: dict[int, tuple[int, int]],
) -> str:
    """Return the selection along a frame axis, as :class:`PartConfig` writes it."""
    if frames == "current":
        return str(current_index(layer, axis, point, size))
    if frames == "all" or axis not in ranges:
        return ":"
    first, last = ranges[axis]
    if not 0 <= first <= last < size:
        raise InputError(f"Frames {first} to {last} hold nothing of {layer.name!r}, which has frames 0 to {size - 1}.")
    return f"{first}:{last + 1}"


def current_index(layer: "ImageLayer", axis: int, point: Sequence[float], size: int) -> int:
    """Return the current frame along an axis; ``point`` is in world coordinates of the layer's own units."""
    return int(np.clip(np.floor(layer.world_to_data(point)[axis] + 0.5), 0, size - 1))


def frame_axes(layer: "ImageLayer", ndim: int) -> list[int]:
    """Return the axes of a layer that a model of ``ndim`` dimensions does not see, without channels."""
    return [axis for axis, role in enumerate(automatic_roles(layer, ndim)) if role == "frames"]


def _extent(positions: NDArray[Any], size: int, name: str) -> str:
    """Return the pixels between the outermost of these positions. A pixel extends by half to either side."""
    if np.isnan(positions).any():
        return ":"
    # A rounding error must not touch another pixel.
    start, stop = np.floor(positions.min() + 0.5 + 1e-6), np.ceil(positions.max() + 0.5 - 1e-6)
    start, stop = max(int(start), 0), min(int(stop), size)
    if stop <= start:
        raise InputError(f"The region lies outside of {name!r}; move the view or the rectangle onto it.")
    return f"{start}:{stop}"


def _lazy(array: Any) -> Any:
    """Return an array that can be sliced without reading it."""
    if isinstance(array, np.ndarray):
        return array
    import dask.array  # the import takes 0.2 s; no widget should wait for it

    return array if isinstance(array, dask.array.Array) else dask.array.from_array(array, name=False)


def _is_time(layer: "ImageLayer", axis: int) -> bool:
    label = str(layer.axis_labels[axis]).lower()
    return label in ("t", "time") or layer.units[axis].is_compatible_with("second")


def looks_made_for(config: ModelConfig, layer: "ImageLayer", *, as_a_whole: bool) -> bool:
    """Whether a model fits the colours of a layer, and its axes (or else works plane by plane)."""
    spatial = layer.ndim - (channel_axis(layer) is not None) - sum(_is_time(layer, axis) for axis in range(layer.ndim))
    colours = ("rgb", "any") if layer.rgb else ("grayscale", "any")
    ndim, most = config.network.ndim, min(max(spatial, 2), 3)
    return config.input.channels in colours and (ndim == most if as_a_whole else ndim <= most)


def channel_axis(layer: "ImageLayer") -> int | None:
    """Return the axis that is labelled as channels. The colours of an RGB layer do not count as an axis."""
    if layer.rgb:
        return None
    return next((i for i, label in enumerate(layer.axis_labels) if str(label).lower() in CHANNEL_LABELS), None)


def _frame_letters(layer: "ImageLayer", leading: list[int]) -> str:
    if len(leading) == 1 and str(layer.axis_labels[leading[0]]).lower().startswith("t"):
        return "t"
    return FRAME_LETTERS[len(leading)]


def pixel_size(layer: "ImageLayer", spatial: list[int], factors: Any) -> tuple[tuple[float, ...] | None, str]:
    """Return the pixel size in the unit of the last axis; None if the layer states none."""
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
