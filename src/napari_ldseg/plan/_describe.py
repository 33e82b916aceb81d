"""Describe a plan to the user: one sentence, and warnings with their remedies."""

import math

from ..config import ModelConfig
from ..data import convert_spacing
from ._grid import Grid, least_side, times
from ._part import Part, first

FAR = 3.0
SHORT = {"micrometer": "um", "nanometer": "nm", "millimeter": "mm", "centimeter": "cm", "meter": "m"}
COLOURS = {3: "RGB", 4: "RGBA"}


def describe(
    part: Part, config: ModelConfig, grid: Grid, pixel_size: tuple[float, ...] | None, level: str
) -> list[str]:
    """Return the pieces of a sentence that say what is read and how the networks see it.

    Parameters
    ----------
    part : Part
        In pixels of the chosen level.
    config : ModelConfig
    grid : Grid
    pixel_size : tuple of float or None
        In the model's unit.
    level : str
        The level's name; empty if the image has only one.
    """
    kind = part.image.channels
    words = "" if kind == 1 else f"{COLOURS.get(kind, f'{kind}-channel')} "
    if part.frames > 1:
        noun = "volumes" if part.ndim == 3 else f"{words}frames"
        what = f"{part.frames} {noun} of {times(part.shape)}"
    else:
        noun = "volume" if part.ndim == 3 else "image"
        article = "an" if words.startswith(("RGB", "8")) else "a" if words else "one"
        what = f"{article} {words}{noun} {times(part.shape)}{_which_frame(part)}"
    if part.image.spacing is not None:
        what += f" at {_steps(part.image.spacing[-part.ndim :], part.image.unit)}"
    said = [what]
    if not part.is_whole:
        start = ", ".join(f"{axis} {at}" for axis, at in zip(part.spatial, part.start, strict=True))
        said.append(f"a part of {times(part.full_shape)} from {start} on")
    return [*said, *filter(None, [level]), _seen(part, config, grid, pixel_size)]


def find_faults(part: Part, config: ModelConfig, grid: Grid) -> list[str]:
    """Return everything that may spoil the result, each with its remedy."""
    found = (_far(part, config), _small(config, grid), _enlarged(part, config, grid), _unitless(part, config))
    return [warning for warning in found if warning]


def gigabytes(number: float) -> str:
    """Write bytes as "3.2 GB"."""
    return f"{number / 1e9:.2g} GB"


def _which_frame(part: Part) -> str:
    """Say which frame it is if there are others."""
    axes = [axis for axis in part.frame_axes if part.size(axis) > 1]
    frames = [f"{axis} = {first(part.extent(axis))} of 0 to {part.size(axis) - 1}" for axis in axes]
    return f" ({', '.join(frames)})" if frames else ""


def _seen(part: Part, config: ModelConfig, grid: Grid, pixel_size: tuple[float, ...] | None) -> str:
    given = config.input
    if given.mode == "fit" or given.spacing is None or pixel_size is None:
        return f"seen as {times(grid.inner)}"
    unknown = "" if _stated(part, config) else f"taken as {_steps(pixel_size, given.unit)}, "
    return f"{unknown}seen at {_steps(given.spacing, given.unit)}"


def _stated(part: Part, config: ModelConfig) -> tuple[float, ...] | None:
    """Return the pixel size that the image states, in the model's unit."""
    spacing = None if part.image.spacing is None else part.image.spacing[-part.ndim :]
    return convert_spacing(spacing, part.image.unit, config.input.unit)


def _far(part: Part, config: ModelConfig) -> str:
    """Warn of pixels more than three times as fine or coarse as any that the model learned from."""
    given, found = config.input, _stated(part, config)
    if found is None or given.spacing is None:
        return ""
    if given.mode == "fit":
        found = tuple(s * n / g for s, n, g in zip(found, part.shape, given.shape, strict=True))
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
        f"{part.image.name!r} (the layer's scale and units), or choose a model for this magnification."
    )


def _small(config: ModelConfig, grid: Grid) -> str:
    """Warn of images so small that the networks would see mostly mirrored pixels."""
    if config.input.mode == "fit" or min(grid.inner) >= least_side(config):
        return ""
    return (
        f"At the model's pixel size this is only {times(grid.inner)} pixels, and it needs {least_side(config)} along "
        "each side to see any context; take a larger region, or check the pixel size."
    )


def _enlarged(part: Part, config: ModelConfig, grid: Grid) -> str:
    if config.input.mode != "fit" or part.is_whole or grid.tiled:
        return ""
    return (
        f"The model learned from whole images and will see this part enlarged to {times(config.input.shape)}; "
        "take the whole image unless the part looks like one."
    )


def _unitless(part: Part, config: ModelConfig) -> str:
    given = config.input
    if given.mode == "fit" or part.image.spacing is None or _stated(part, config) is not None:
        return ""
    return (
        f"The scale of {part.image.name!r} has no unit of length, so that the model cannot use it; "
        f"set the unit, for example {given.unit}."
    )


def _steps(spacing: tuple[float, ...], unit: str) -> str:
    """Write a pixel size: one number if a flat image has square pixels."""
    square = len(spacing) == 2 and math.isclose(*spacing, rel_tol=1e-3)
    return f"{times(tuple(float(step) for step in (spacing[:1] if square else spacing)))} {SHORT.get(unit, unit)}"
