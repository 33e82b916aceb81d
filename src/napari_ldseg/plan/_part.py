"""Select the pixels of an image to segment: its axes, frames and region."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..annotations import bounds, is_drawn, read_drawn
from ..config import PartConfig
from ..data import SPATIAL, Geometry, Image
from ..errors import InputError

# If a region enters a coarse pixel by no more than this, it is only a rounding error.
TOUCHED = 1e-6
Extent = slice | int


@dataclass(frozen=True, eq=False)
class Part:
    """A box of pixels of an image, not yet read.

    Attributes
    ----------
    image : Image
        All of it; the array may be lazy.
    box : tuple of slice or int
        The pixels to take along each axis of the array, ``slice(start, stop)``; a number takes a single frame.
    ndim : {2, 3}
        The number of spatial axes, counted from the last, that the model sees. The others are frames.
    """

    image: Image
    box: tuple[Extent, ...]
    ndim: int

    @property
    def spatial(self) -> str:
        """The axes that the model sees."""
        return self.image.spatial[-self.ndim :]

    @property
    def frame_axes(self) -> str:
        """The axes along which frames lie."""
        return "".join(axis for axis in self.image.axes if axis not in self.spatial and axis != "c")

    @property
    def frames(self) -> int:
        """Number of frames. Each is segmented on its own."""
        return math.prod(_length(self.extent(axis)) for axis in self.frame_axes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape ((Z), Y, X) of the selected part of a frame."""
        return tuple(_length(self.extent(axis)) for axis in self.spatial)

    @property
    def full_shape(self) -> tuple[int, ...]:
        """Shape ((Z), Y, X) of a whole frame."""
        return self.image.shape[-self.ndim :]

    @property
    def start(self) -> tuple[int, ...]:
        """First selected pixel ((Z), Y, X) of a frame."""
        return tuple(first(self.extent(axis)) for axis in self.spatial)

    @property
    def is_whole(self) -> bool:
        """Whether frames are taken as a whole."""
        return self.shape == self.full_shape

    def extent(self, axis: str) -> Extent:
        """Return the selection along an axis."""
        return self.box[self.image.axes.index(axis)]

    def size(self, axis: str) -> int:
        """Return the number of pixels or frames along an axis."""
        return int(np.shape(self.image.array)[self.image.axes.index(axis)])

    def at(self, level: Image) -> "Part":
        """Return the same part in pixels of another level. Coarse pixels that it touches belong to it."""
        if level is self.image:
            return self
        sizes = zip(self.box, np.shape(self.image.array), np.shape(level.array), strict=True)
        return Part(level, tuple(_scaled(part, n / m, m) for part, n, m in sizes), self.ndim)

    def cut(self) -> Image:
        """Return the part as an image of its own, without axes of which one frame was chosen.

        It keeps its place in the patient. Slices of a medical volume are ``z``, even if they are frames.
        """
        image, sizes = self.image, np.shape(self.image.array)
        if all(part == slice(0, n) for part, n in zip(self.box, sizes, strict=True)) and self._depth() in "z":
            return image.replace(levels=())
        axes = "".join(axis for axis, part in zip(image.axes, self.box, strict=True) if isinstance(part, slice))
        spacing, depth, geometry = image.spacing, self._depth(), self._geometry()
        if spacing is not None and "z" in image.axes and "z" not in axes:
            spacing = spacing[1:]
        if geometry is not None and spacing is not None and depth != "z" and depth in axes:
            axes, spacing = axes.replace(depth, "z"), (geometry.spacing[0], *spacing)
        return image.replace(array=image.array[self.box], axes=axes, spacing=spacing, levels=(), geometry=geometry)

    def _depth(self) -> str:
        """Return the third axis of the patient; empty if there is none."""
        geometry, axes = self.image.geometry, self.image.axes.replace("c", "")
        sizes = tuple(self.size(axis) for axis in axes)
        return axes[-3] if geometry is not None and sizes[-3:] == geometry.shape else ""

    def _geometry(self) -> Geometry | None:
        """Return the place of the part in the patient."""
        geometry, depth = self.image.geometry, self._depth()
        if geometry is None or (not depth and (geometry.shape[0] > 1 or self.image.shape != geometry.shape[1:])):
            return None
        parts = [self.extent(axis) for axis in depth + self.image.axes.replace("c", "")[-2:]]
        matrix = np.eye(4)
        matrix[:3, 3] = [*(first(part) for part in reversed(parts)), 0][:3]
        return geometry.moved(matrix, (1,) * (3 - len(parts)) + tuple(_length(part) for part in parts))


def take_part(image: Image, ndim: int, config: PartConfig) -> Part:
    """Select the pixels of an image for a model of ``ndim`` dimensions.

    Raises
    ------
    InputError
        If the axes do not describe the array, the model needs more of them, or the part is empty.
    """
    if config.axes is not None:
        levels = tuple(_relabelled(level, config.axes) for level in image.levels)
        image = _relabelled(image, config.axes).replace(levels=levels)
    if len(image.spatial) < ndim:
        raise InputError(
            f"The model segments volumes, but {image.name!r} has only the spatial axes {image.spatial!r}; "
            "choose a 2D model, or say with other axes which one is z."
        )
    part = Part(image, tuple(slice(0, size) for size in np.shape(image.array)), ndim)
    if len(part.frame_axes) > 3:
        raise InputError(f"{image.name!r} has more than 3 axes besides the image itself; split it first.")
    found = parse_ranges(config.frames, {axis: part.size(axis) for axis in part.frame_axes}, "frames")
    region = _region(config.region, {axis: part.size(axis) for axis in part.spatial}, image.name)
    found |= {axis: slice(first(each), first(each) + _length(each)) for axis, each in region.items()}
    return Part(image, tuple(found.get(axis, part.extent(axis)) for axis in image.axes), ndim)


def parse_ranges(text: str | None, sizes: dict[str, int], what: str) -> dict[str, Extent]:
    """Parse ``"3:10,5"`` into a selection for each axis. Axes without an entry are left out.

    Raises
    ------
    InputError
        If the text is no range, there are too many of them, or one of them is empty.
    """
    if text is None:
        return {}
    pieces = text.split(",")
    if len(pieces) > len(sizes):
        raise InputError(
            f"{what} {text!r} names {len(pieces)} axes, but there are {len(sizes)} ({', '.join(sizes) or 'none'}); "
            "give at most one range for each."
        )
    found: dict[str, Extent] = {}
    for piece, (axis, size) in zip(pieces, sizes.items(), strict=False):
        try:
            numbers = [int(number) if number.strip() else None for number in piece.split(":")]
        except ValueError:
            numbers = []
        if not 1 <= len(numbers) <= 2 or numbers == [None]:
            raise InputError(f"{what} {text!r} cannot be understood; write START:STOP or one number.")
        if len(numbers) == 1 and numbers[0] is not None:
            number = numbers[0] + size if numbers[0] < 0 else numbers[0]
            taken = range(number, number + 1) if 0 <= number < size else range(0)
            found[axis] = number
        else:
            taken = range(*slice(*numbers).indices(size))
            found[axis] = slice(taken.start, taken.stop)
        if not taken:
            raise InputError(f"{what} {text!r} holds nothing: along {axis} there are 0 to {size - 1}.")
    return found


def _region(text: str | None, sizes: dict[str, int], name: str) -> dict[str, Extent]:
    """Return the box that numbers, or the areas in a file, name."""
    if text is None or not is_drawn(Path(text)):
        return parse_ranges(text, sizes, "region")
    y, x = bounds(read_drawn(Path(text), name), (sizes["y"], sizes["x"]), text)
    return {"y": y, "x": x}


def first(part: Extent) -> int:
    """Return the first pixel or frame of an extent."""
    return int(part.start) if isinstance(part, slice) else part


def _length(part: Extent) -> int:
    return part.stop - part.start if isinstance(part, slice) else 1


def _scaled(part: Extent, factor: float, size: int) -> Extent:
    """Return an extent in pixels that are ``factor`` times as large; the axis has ``size`` of them."""
    if isinstance(part, int):
        return min(int((part + 0.5) / factor), size - 1)
    start = min(math.floor(part.start / factor + TOUCHED), size - 1)
    return slice(start, min(max(math.ceil(part.stop / factor - TOUCHED), start + 1), size))


def _relabelled(image: Image, axes: str) -> Image:
    """Rename the axes. The pixel size is kept if each spatial axis was one before."""
    plain = Image(image.array, axes, name=image.name, notes=image.notes)
    if image.spacing is None:
        return plain
    steps = dict(zip((image.axes.index(axis) for axis in image.spatial), image.spacing, strict=True))
    spatial = [position for position, axis in enumerate(axes) if axis in SPATIAL]
    if any(position not in steps for position in spatial):
        return plain
    return plain.replace(spacing=tuple(steps[position] for position in spatial), unit=image.unit)
