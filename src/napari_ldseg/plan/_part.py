"""How an array is read for a model: what its axes are, which part of it, and what speaks against it, in words."""

import math
from dataclasses import dataclass

import numpy as np

from ..config import ModelConfig
from ..data import SPATIAL, Geometry, Image, convert_spacing
from ..errors import InputError

MIN_SIDE = 8
FAR = 3.0
SHORT = {"micrometer": "um", "nanometer": "nm", "millimeter": "mm", "centimeter": "cm", "meter": "m"}
COLOURS = {3: "RGB", 4: "RGBA"}
Part = slice | int


@dataclass(frozen=True)
class Reading:
    """A part of an image as a model will see it; nothing is read yet.

    Attributes
    ----------
    image : Image
        All of it; its spatial axes are those that the model sees. The array may be lazy.
    box : tuple of slice or int
        For each axis of the array the pixels to take, ``slice(start, stop)``; a number takes one frame alone.
    level : str
        What the array is of something larger, for example ``"level 2 of a pyramid"``.
    """

    image: Image
    box: tuple[Part, ...]
    level: str = ""

    @property
    def frames(self) -> int:
        """Number of frames, each of which is segmented on its own."""
        return math.prod(_length(self._part(axis)) for axis in self.image.frame_axes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape ((Z), Y, X) of the part of each frame that is taken."""
        return tuple(_length(self._part(axis)) for axis in self.image.spatial)

    @property
    def is_whole(self) -> bool:
        """Whether each frame is taken from border to border."""
        return self.shape == self.image.shape

    def cut(self) -> Image:
        """Return the part, as an image of its own; an axis of which one frame was chosen is gone.

        It keeps its place in the patient. Slices of a medical volume are ``z`` again, also where they are frames.
        """
        axes = "".join(axis for axis, part in zip(self.image.axes, self.box, strict=True) if isinstance(part, slice))
        spacing, depth, geometry = self.image.spacing, self._depth(), self._geometry()
        if geometry is not None and spacing is not None and depth != "z" and depth in axes:
            axes, spacing = axes.replace(depth, "z"), (geometry.spacing[0], *spacing)
        array = self.image.array[self.box]
        return self.image.replace(array=array, axes=axes, spacing=spacing, levels=(), geometry=geometry)

    def _depth(self) -> str:
        """Return the axis that is the third of the patient; empty where there is none."""
        geometry = self.image.geometry
        axes = self.image.axes.replace("c", "")
        sizes = tuple(self.image.array.shape[self.image.axes.index(axis)] for axis in axes)
        return axes[-3] if geometry is not None and sizes[-3:] == geometry.shape else ""

    def _geometry(self) -> Geometry | None:
        """Return the place of the part in the patient."""
        geometry, depth = self.image.geometry, self._depth()
        if geometry is None or (not depth and (geometry.shape[0] > 1 or self.image.shape != geometry.shape[1:])):
            return None
        parts = [self._part(axis) for axis in depth + self.image.axes.replace("c", "")[-2:]]
        matrix = np.eye(4)
        matrix[:3, 3] = [*(_start(part) for part in reversed(parts)), 0][:3]
        return geometry.moved(matrix, (1,) * (3 - len(parts)) + tuple(_length(part) for part in parts))

    def sentence(self, config: ModelConfig | None = None) -> str:
        """Say what will be segmented, for example ``"40 frames of 256 x 384, each segmented on its own"``.

        With the model's ``config`` also at what pixel size, or fitted to what shape, the networks see it.
        """
        size = _times(self.shape)
        if self.frames > 1:
            noun = "volumes" if len(self.shape) == 3 else f"{self._kind()}frames"
            what = f"{self.frames} {noun} of {size}"
        else:
            kind = self._kind()
            noun = "volume" if len(self.shape) == 3 else "image"
            article = "an" if kind.startswith(("RGB", "8")) else "a" if kind else "one"
            what = f"{article} {kind}{noun} {size}{self._where()}"
        words = [what + self._pixel_size()]
        if not self.is_whole:
            start = ", ".join(f"{axis} {_start(self._part(axis))}" for axis in self.image.spatial)
            words.append(f"a part of {_times(self.image.shape)} from {start} on")
        if self.level:
            words.append(self.level)
        if config is not None:
            words.append(self._seen(config))
        if self.frames > 1:
            words.append("each segmented on its own")
        return ", ".join(words)

    def warnings(self, config: ModelConfig) -> list[str]:
        """Return what may spoil the result, each with its remedy.

        Raises
        ------
        InputError
            The model cannot segment this at all: number of axes, channels or size do not fit.
        """
        if len(self.shape) != config.network.ndim:
            raise InputError(
                f"The model {config.name!r} segments {config.network.ndim}D images, but {self.image.name!r} is read "
                f"with {len(self.shape)} spatial axes; choose another model, or other axes."
            )
        check_channels(self.image.channels, config, self.image.name)
        check_sides(self.shape)
        found = (self._far(config), self._small(config), self._enlarged(config), self._unitless(config))
        return [warning for warning in found if warning]

    def _part(self, axis: str) -> Part:
        return self.box[self.image.axes.index(axis)]

    def _kind(self) -> str:
        channels = self.image.channels
        return "" if channels == 1 else f"{COLOURS.get(channels, f'{channels}-channel')} "

    def _where(self) -> str:
        """Say which frame it is, where there are others."""
        sizes = dict(zip(self.image.axes, np.shape(self.image.array), strict=True))
        axes = [axis for axis in self.image.frame_axes if sizes[axis] > 1]
        frames = [f"{axis} = {_start(self._part(axis))} of 0 to {sizes[axis] - 1}" for axis in axes]
        return f" ({', '.join(frames)})" if frames else ""

    def _pixel_size(self) -> str:
        if self.image.spacing is None:
            return ""
        return f" at {_steps(self.image.spacing, self.image.unit)}"

    def _seen(self, config: ModelConfig) -> str:
        given = config.input
        if given.mode == "fit" or given.spacing is None:
            return f"seen as {_times(given.shape)}"
        assumed = given.source_spacing or given.spacing
        unknown = "" if self._spacing(config) else f"taken as {_steps(assumed, given.unit)}, "
        return f"{unknown}seen at {_steps(given.spacing, given.unit)}"

    def _spacing(self, config: ModelConfig) -> tuple[float, ...] | None:
        """Return the pixel size in the model's unit."""
        return convert_spacing(self.image.spacing, self.image.unit, config.input.unit)

    def _far(self, config: ModelConfig) -> str:
        """Pixels more than three times as fine or as coarse as all that the model learned from."""
        given, found = config.input, self._spacing(config)
        if found is None or given.spacing is None or len(found) != len(given.spacing):
            return ""
        if given.mode == "fit":
            found = tuple(s * n / g for s, n, g in zip(found, self.shape, given.shape, strict=True))
        source = given.source_spacing or given.spacing
        known = [(min(pair), max(pair)) for pair in zip(source, given.spacing, strict=True)]
        finer = any(step * FAR < low for step, (low, _) in zip(found, known, strict=True))
        coarser = any(step > high * FAR for step, (_, high) in zip(found, known, strict=True))
        if not finer and not coarser:
            return ""
        word = "finer" if finer else "coarser"
        return (
            f"The pixels are more than {FAR:g} times {word} than what the model learned from: "
            f"{_steps(found, given.unit)} here, {_steps(source, given.unit)} there. Check the pixel size of "
            f"{self.image.name!r} (the layer's scale and units), or choose a model for this magnification."
        )

    def _small(self, config: ModelConfig) -> str:
        """Less than two cells of the latent grid: most of what the networks see would be mirrored."""
        given = config.input
        if given.mode == "fit" or given.spacing is None:
            return ""
        found = self._spacing(config) or given.source_spacing or given.spacing
        seen = tuple(max(round(n * s / g), 1) for n, s, g in zip(self.shape, found, given.spacing, strict=True))
        least = 2 * config.network.factor
        if min(seen) >= least:
            return ""
        return (
            f"At the model's pixel size this is only {_times(seen)} pixels, and it needs {least} along each side to "
            "see any context; take a larger region, or check the pixel size."
        )

    def _enlarged(self, config: ModelConfig) -> str:
        if config.input.mode != "fit" or self.is_whole:
            return ""
        return (
            f"The model learned from whole images and will see this part enlarged to {_times(config.input.shape)}; "
            "take the whole image unless the part looks like one."
        )

    def _unitless(self, config: ModelConfig) -> str:
        given = config.input
        if given.mode == "fit" or self.image.spacing is None or self._spacing(config) is not None:
            return ""
        return (
            f"The scale of {self.image.name!r} has no unit of length, so that the model cannot use it; "
            f"set the unit, for example {given.unit}."
        )


def read_part(
    image: Image, ndim: int, *, axes: str | None = None, frames: str | None = None, region: str | None = None
) -> Reading:
    """Say how an image is read for a model of ``ndim`` dimensions.

    Parameters
    ----------
    image : Image
    ndim : {2, 3}
        Spatial axes that the model does not see (the slices of a stack, for a 2D model) are frames.
    axes : str, optional
        Other letters for the axes of the array, in its order: z y x spatial, t p s frames, c channels.
    frames : str, optional
        Which frames, as in Python: ``"3:10"`` is 3 to 9, ``"5"`` one alone; for several frame axes ``"0:2,5"``.
    region : str, optional
        The same for the spatial axes, ``"y0:y1,x0:x1"``; ``":"`` is all.

    Raises
    ------
    InputError
        Where the axes do not describe the array, the model wants more of them, or the part is empty.

    Examples
    --------
    >>> from napari_ldseg.data import Image, read_part
    >>> cine = Image(np.zeros((40, 256, 384)), "pyx", name="cine")
    >>> read_part(cine, 2, axes="tyx", frames="3:10").sentence()
    '7 frames of 256 x 384, each segmented on its own'
    """
    if axes is not None:
        image = _relabelled(image, axes)
    if len(image.spatial) < ndim:
        raise InputError(
            f"The model segments volumes, but {image.name!r} has only the spatial axes {image.spatial!r}; "
            "choose a 2D model, or say with other axes which one is z."
        )
    if len(image.spatial) > ndim:
        free = next((letter for letter in "spt" if letter not in image.axes), None)
        if free is None:
            raise InputError(f"{image.name!r} has more than 3 axes besides the image itself; split it first.")
        spacing = None if image.spacing is None else image.spacing[1:]
        image = image.replace(axes=image.axes.replace("z", free), spacing=spacing)
    sizes = dict(zip(image.axes, np.shape(image.array), strict=True))
    parts: dict[str, Part] = {axis: slice(0, size) for axis, size in sizes.items()}
    parts |= parse_ranges(frames, {axis: sizes[axis] for axis in image.frame_axes}, "frames")
    parts |= parse_ranges(region, {axis: sizes[axis] for axis in image.spatial}, "region")
    for axis in image.spatial:
        start = _start(parts[axis])
        parts[axis] = slice(start, start + _length(parts[axis]))
    return Reading(image, tuple(parts[axis] for axis in image.axes))


def parse_ranges(text: str | None, sizes: dict[str, int], what: str) -> dict[str, Part]:
    """Return for each axis what ``"3:10,5"`` takes of it; axes that are not named are taken whole.

    Raises
    ------
    InputError
        Where the text is no range, there are too many of them, or one of them is empty.
    """
    if text is None:
        return {}
    pieces = text.split(",")
    if len(pieces) > len(sizes):
        raise InputError(
            f"{what} {text!r} names {len(pieces)} axes, but there are {len(sizes)} ({', '.join(sizes) or 'none'}); "
            "give at most one range for each."
        )
    found: dict[str, Part] = {}
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


def check_channels(found: int, config: ModelConfig, name: str) -> None:
    """Refuse a number of channels that the model cannot be given.

    RGB models take gray and RGBA, too, and gray models RGB and RGBA.
    """
    wanted, kind = config.network.image_channels, config.input.channels
    if found == wanted or (kind == "rgb" and found in (1, 3, 4)) or (kind == "grayscale" and found in (3, 4)):
        return
    raise InputError(
        f"{name} has {found} channels, but the model {config.name!r} was trained on {wanted}"
        f"{' (red, green, blue)' if kind == 'rgb' else ''}; choose another model, or pick the channels to use."
    )


def check_sides(shape: tuple[int, ...]) -> None:
    """Refuse what is too small to be segmented."""
    if min(shape) < MIN_SIDE:
        raise InputError(f"The image is only {_times(shape)} pixels; at least {MIN_SIDE} along each side are needed.")


def _relabelled(image: Image, axes: str) -> Image:
    """Give the axes other letters; the pixel size is kept where each spatial axis has been one before."""
    plain = Image(image.array, axes, name=image.name)
    if image.spacing is None:
        return plain
    steps = dict(zip((image.axes.index(axis) for axis in image.spatial), image.spacing, strict=True))
    spatial = [position for position, axis in enumerate(axes) if axis in SPATIAL]
    if any(position not in steps for position in spatial):
        return plain
    return plain.replace(spacing=tuple(steps[position] for position in spatial), unit=image.unit)


def _length(part: Part) -> int:
    return part.stop - part.start if isinstance(part, slice) else 1


def _start(part: Part) -> int:
    return int(part.start) if isinstance(part, slice) else part


def _times(numbers: tuple[float, ...]) -> str:
    return " x ".join(f"{number:.4g}" if isinstance(number, float) else str(number) for number in numbers)


def _steps(spacing: tuple[float, ...], unit: str) -> str:
    """Write a pixel size: one number where a flat image has square pixels."""
    square = len(spacing) == 2 and math.isclose(*spacing, rel_tol=1e-3)
    return f"{_times(tuple(float(step) for step in (spacing[:1] if square else spacing)))} {SHORT.get(unit, unit)}"
