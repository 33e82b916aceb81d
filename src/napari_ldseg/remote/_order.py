"""What is ordered from a server: a plan, without its pixels and without names.

Client and server plan the same: the client to say what will be done and to know which pixels to send, the server to do
it. Both see the shape of the whole image, so that they agree on level, grid and tiles; only pixels of the part cross.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from ..config import Config, ModelConfig, PartConfig, SegmentConfig
from ..data import Geometry, Image
from ..errors import InputError
from ..plan import Extent, Frames, Intensities, Plan, plan_image
from ..prompts import Kind, Prompt, box, labels, line, point, polygon
from ._wire import DTYPES, digest

# What a plan may count: frames of an image, and coarser levels.
MAX_FRAMES, MAX_LEVELS, MAX_SIDE = 100_000, 64, 2**24
NAME = "the image"


class Level(Config):
    """Shape and pixel size of one level of an image."""

    shape: tuple[int, ...] = Field(max_length=7)
    spacing: tuple[float, ...] | None = Field(None, max_length=3)


class Described(Config):
    """All of an image but its pixels, its name and its header."""

    axes: str = Field(max_length=7)
    unit: str = Field("pixel", max_length=40)
    levels: tuple[Level, ...] = Field(min_length=1, max_length=MAX_LEVELS)
    affine: tuple[tuple[float, ...], ...] = Field((), max_length=4)
    grid: tuple[int, int, int] | None = None
    kind: Literal["nifti", "metaimage", "dicom"] = "nifti"

    @model_validator(mode="after")
    def _countable(self) -> Self:
        for level in self.levels:
            if len(level.shape) != len(self.axes) or not all(0 < side < MAX_SIDE for side in level.shape):
                raise ValueError("each level needs one positive side for each axis")
        if self.affine and (len(self.affine) != 4 or any(len(row) != 4 for row in self.affine) or self.grid is None):
            raise ValueError("an affine has four rows of four numbers, and a grid")
        if not np.isfinite(np.array(self.affine, dtype=float)).all():
            raise ValueError("an affine has finite numbers")
        return self


class SaidPrompt(Config):
    """One prompt; a map of labels lies beside it as the array of this name."""

    kind: Kind
    label: int | str = 0
    rings: tuple[tuple[tuple[float, ...], ...], ...] = Field((), max_length=1000)
    radius: float | None = None
    values: str = Field("", max_length=40)


class Order(Config):
    """One press of Segment, for a server.

    Attributes
    ----------
    model : str
        Name of one of the server's models.
    fits : str
        Hash of its settings, as the client planned with them.
    image : str
        The pixels to segment, by their content.
    full : Described
        The image that they are a part of.
    frames, region : str or None
        The part, as in :class:`PartConfig`.
    scale : tuple or None
        The mapping of intensities, where it was chosen from pixels that are not sent.
    """

    model: str = Field(max_length=200)
    fits: str = Field(max_length=64)
    settings: SegmentConfig = Field(default_factory=SegmentConfig)
    image: str = Field(max_length=64)
    full: Described
    frames: str | None = Field(None, max_length=200)
    region: str | None = Field(None, max_length=200)
    scale: tuple[float, float, bool, float] | None = None
    prompts: tuple[SaidPrompt, ...] = Field((), max_length=10_000)


def fitting(config: ModelConfig) -> str:
    """Return a hash of a model's settings."""
    return digest(config.model_dump_json().encode())


def order_of(plan: Plan, model: str, image: str) -> tuple[Order, dict[str, NDArray[Any]]]:
    """Return a plan as it is ordered, with the label maps of its prompts.

    Reads the coarsest level of a pyramid where the intensities are chosen from it.
    """
    asked = plan.asked
    levels = (asked.image, *asked.image.levels)
    geometry = asked.image.geometry
    scale = plan.intensities if plan.tiles and asked.image.levels else None
    said, maps = tell(plan.said.prompts)
    full = Described(
        axes=asked.image.axes,
        unit=asked.image.unit[:40],
        levels=tuple(Level(shape=np.shape(one.array), spacing=one.spacing) for one in levels),
        affine=() if geometry is None else geometry.affine,
        grid=None if geometry is None else geometry.shape,
        kind="nifti" if geometry is None else geometry.kind,
    )
    order = Order(
        model=model,
        fits=fitting(plan.model),
        settings=plan.settings,
        image=image,
        full=full,
        frames=_text([asked.extent(axis) for axis in asked.frame_axes]),
        region=_text([asked.extent(axis) for axis in asked.spatial]),
        scale=None if scale is None else (scale.low, scale.high, scale.clip, scale.fill),
        prompts=said,
    )
    return order, maps


def plan_of(order: Order, model: ModelConfig, pixels: NDArray[Any], maps: Mapping[str, NDArray[Any]]) -> Plan:
    """Plan what was ordered, with the pixels that were sent.

    Raises
    ------
    InputError
        Order, pixels and model do not fit each other.
    """
    full = order.full
    if order.fits != fitting(model):
        raise InputError(f"The model {order.model!r} is another one on the server by now; list its models again.")
    counted = math.prod(n for n, axis in zip(full.levels[0].shape, full.axes, strict=True) if axis not in "yxc")
    if counted > MAX_FRAMES:
        raise InputError(f"The image has {counted} frames or slices; a server takes {MAX_FRAMES}.")
    hollow = _hollow(full, pixels.dtype)
    part = PartConfig(frames=order.frames, region=order.region)
    plan = plan_image(hollow, model, order.settings, part, heard(order.prompts, maps))
    if np.shape(plan.image.array) != pixels.shape:
        raise InputError(f"The part has {np.shape(plan.image.array)} pixels, but {pixels.shape} were sent.")
    image = plan.image.replace(array=pixels)
    scale = None if order.scale is None else Intensities(*order.scale)
    return replace(plan, image=image, frames=Frames.of(image, model), scale=scale)


def tell(prompts: Sequence[Prompt]) -> tuple[tuple[SaidPrompt, ...], dict[str, NDArray[Any]]]:
    """Return prompts as they are sent, and their label maps."""
    said, maps = [], {}
    for number, prompt in enumerate(prompts):
        rings = tuple(tuple(map(tuple, ring.tolist())) for ring in prompt.rings)
        values = ""
        if prompt.values is not None:
            values = f"said {number}"
            maps[values] = prompt.values
        said.append(SaidPrompt(kind=prompt.kind, label=prompt.label, rings=rings, radius=prompt.radius, values=values))
    return tuple(said), maps


def heard(said: Sequence[SaidPrompt], maps: Mapping[str, NDArray[Any]]) -> list[Prompt]:
    """Return prompts that were sent, checked anew.

    Raises
    ------
    InputError
        One of them is none.
    """
    return [_heard(one, maps) for one in said]


def _heard(one: SaidPrompt, maps: Mapping[str, NDArray[Any]]) -> Prompt:
    if one.kind == "labels":
        if one.values not in maps:
            raise InputError("A map of prompts is missing.")
        return labels(maps[one.values])
    try:
        if one.kind == "point":
            return point(one.rings[0][0], one.label, one.radius)
        if one.kind == "line":
            return line(one.rings[0], one.label, one.radius)
        if one.kind == "box":
            start, stop = one.rings[0]
            return box(start, stop, one.label)
        return polygon(one.rings, one.label)
    except (IndexError, ValueError) as error:
        raise InputError(f"A {one.kind} has not the places that it needs.") from error


def _hollow(full: Described, dtype: np.dtype[Any]) -> Image:
    """Return an image of these shapes without pixels; it takes no memory."""
    geometry = None
    if full.affine and full.grid is not None:
        geometry = Geometry(full.affine, full.grid, full.kind)
    empty = np.zeros((), dtype)
    finest, *coarser = (
        Image(np.broadcast_to(empty, one.shape), full.axes, one.spacing, full.unit, NAME, geometry=geometry)
        for one in full.levels
    )
    return finest.replace(levels=tuple(coarser))


def _text(extents: Sequence[Extent]) -> str | None:
    """Write a part as :class:`PartConfig` reads it."""
    written = [f"{each.start}:{each.stop}" if isinstance(each, slice) else str(each) for each in extents]
    return ",".join(written) or None


def known_dtype(name: str) -> np.dtype[Any]:
    """Return the kind of number of this name.

    Raises
    ------
    InputError
        It is none that crosses.
    """
    if name not in DTYPES:
        raise InputError(f"Images of {name[:40]!r} values cannot be sent.")
    return np.dtype(name).newbyteorder("<")
