"""The plan of a segmentation is computed once from image, model and settings; viewer and command line share it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import psutil
from numpy.typing import NDArray

from ..config import ModelConfig, NetworkConfig, PartConfig, SegmentConfig
from ..data import Image
from ..errors import InputError
from ..prompts import NOTHING, SAID_NOTHING, Prompt, Said, say
from ._blocks import block_side
from ._describe import describe, find_faults, gigabytes
from ._frames import Frames
from ._grid import Grid, plan_grid
from ._intensity import Intensities, check_channels, common_range, probe, probe_intensities
from ._level import nearest_level
from ._part import Part, take_part
from ._tiles import Box, Tiles, plan_tiles, tile_sides

# Above so many pixels, the maps of a result or the blended samples go to disk.
MAX_PLANE = 2**26
# The most pixels that are decoded, and probabilities that are held or blended, at once.
PIXELS_AT_ONCE, VALUES_AT_ONCE, BLENDED_AT_ONCE = 2**19, 2**27, 2**25
# The number of samples before samples="auto" may stop, and between its checks.
MIN_AUTO, AUTO_AT_ONCE = 8, 16
MEGABYTE = 2**20
# About so many float32 channels are held by the networks for each pixel that they see at a time.
NETWORK_CHANNELS = 96
# The model's own smoothing in time is for sequences of so many frames; two frames may be the two ends of a beat.
LEAST_SMOOTHED = 8


@dataclass(frozen=True, eq=False)
class Plan:
    """What will be computed. Nothing is read before it is needed, and torch is not imported.

    Attributes
    ----------
    model : ModelConfig
    settings : SegmentConfig
    asked : Part
        The part to segment, in pixels of the finest level.
    level : int
        The level that is read; 0 is the finest.
    part : Part
        The part to segment, in pixels of that level.
    pixel_size : tuple of float or None
        That of the level ((Z), Y, X), in the model's unit; if the image states none, the one the model assumes.
    image : Image
        That part of that level.
    frames : Frames
        The same as frames for the model.
    grid : Grid
        How a frame is resized and padded.
    sides : tuple of (tile, overlap)
        Shape and overlap of tiles; empty if a frame is seen in one pass.
    tiles : Tiles
    said : Said
        Prompts, on the pixels of the finest level.
    scale : Intensities or None
        The mapping of intensities, where it was chosen already, from more pixels than are at hand.
    """

    model: ModelConfig
    settings: SegmentConfig
    asked: Part
    level: int
    part: Part
    pixel_size: tuple[float, ...] | None
    image: Image
    frames: Frames
    grid: Grid
    sides: tuple[tuple[int, ...], ...]
    tiles: Tiles
    said: Said = SAID_NOTHING
    scale: Intensities | None = None

    @property
    def number(self) -> int:
        """The number of frames."""
        return math.prod(self.frames.leading)

    @property
    def wanted(self) -> int:
        """The largest number of samples to draw."""
        return self.settings.max_samples if self.settings.samples == "auto" else int(self.settings.samples)

    @property
    def window(self) -> tuple[int, ...]:
        """Shape of what the networks see at a time: of a tile, or of the whole grid."""
        return self.tiles.shape if self.tiles else self.grid.outer

    @property
    def is_single(self) -> bool:
        """Whether there is only one frame, seen in one pass."""
        return self.number == 1 and not self.tiles

    @property
    def smoothing(self) -> float:
        """SD of the average over neighbouring frames, in frames: as set, or the model's own for long sequences."""
        if self.settings.smoothing is not None:
            return self.settings.smoothing
        long = "t" in self.frames.letters and self.frames.leading[self.frames.letters.index("t")] >= LEAST_SMOOTHED
        return self.model.smoothing if long and not self.tiles and not self.on_disk else 0.0

    @property
    def needs_disk(self) -> bool:
        """Whether not even the samples of one frame fit into memory."""
        return self.grid.cells > MAX_PLANE

    @property
    def on_disk(self) -> bool:
        """Whether the result is too large for memory, so that it is written to disk block by block."""
        return self.needs_disk or self.number * math.prod(self.frames.shape) > MAX_PLANE

    @property
    def batch(self) -> int:
        """How many samples (of so many windows) are computed together, as long as memory lasts."""
        values = math.prod(self.window) * self.model.network.classes
        return max(1, min(self.settings.batch, int(VALUES_AT_ONCE // values)))

    def samples_at_once(self, batch: int, cells: float, *, after_first: bool) -> int:
        """Return how many samples of ``cells`` pixels are computed, and if there are tiles, blended, together.

        ``after_first`` says that the first sample comes alone, before these.
        """
        fitting = int(BLENDED_AT_ONCE // (self.model.network.classes * cells)) if self.tiles else batch
        looks = AUTO_AT_ONCE if self.settings.samples == "auto" else batch
        return max(1, min(batch, fitting, looks, self.wanted - after_first))

    @cached_property
    def probed(self) -> NDArray[Any]:
        """Pixels (C, pixels) from all over the image: those of its coarsest level, or some of all."""
        levels = self.asked.image.levels
        coarsest = self.asked.at(levels[-1]).cut() if levels else self.image
        return probe(Frames.of(coarsest, self.model), every_pixel=bool(levels))

    @cached_property
    def intensities(self) -> Intensities | None:
        """How intensities map to 0..1, alike for all tiles and frames; None if each frame is scaled on its own.

        The first access reads pixels.
        """
        if self.scale is not None:
            return self.scale
        if self.tiles:
            return probe_intensities(self.probed, self.model, self.image.name)
        return common_range(self.frames, self.model, self.image.name) if self.frames.leading else None

    @property
    def peak_bytes(self) -> int:
        """The estimated peak memory of the run, besides program and weights.

        It counts maps, samples that are held, and pixels that are read; the networks' own needs are a rule of thumb.
        The true number may be half of it or twice as much.
        """
        classes, pixels = self.model.network.classes, math.prod(self.frames.shape)
        reads = self.image.channels * 4
        seen = min(self.batch * math.prod(self.window), max(PIXELS_AT_ONCE, math.prod(self.window)))
        networks = 4 * NETWORK_CHANNELS * seen
        side = block_side(self.grid)
        block = math.prod(min(side, n) for n in self.frames.shape) if self.tiles else pixels
        cells = self.grid.cells * block / pixels if self.on_disk else self.grid.cells
        together = self.samples_at_once(self.batch, cells, after_first=True) * min(self.frames_at_once, self.number)
        samples: float = 2 * 4 * classes * cells * together
        if self.on_disk:
            maps: float = 3 * 4 * (classes + 1) * block
        else:
            maps = (4 * classes + 5) * pixels * (self.number + 2)
            maps += min(self.settings.keep_mb * MEGABYTE, self.wanted * self.number * self.grid.cells)
            maps += 0 if isinstance(self.image.array, np.ndarray) else self.image.array.nbytes
        window = math.prod(self.window) * reads * 4 if self.tiles else pixels * (reads + 24)
        return int(maps + samples + networks + window)

    @property
    def frames_at_once(self) -> int:
        """How many frames are computed together, so that their samples fill the batch."""
        if self.tiles:
            return 1
        return max(1, self.batch // self.samples_at_once(self.batch, self.grid.cells, after_first=True))

    def told(self, prompts: Sequence[Prompt]) -> Self:
        """Return the plan with these prompts in place of those that it has.

        Raises
        ------
        InputError
            A prompt is of an unknown class, of another image, or lies outside of this one.
        """
        if not prompts:
            return replace(self, said=SAID_NOTHING)
        image, ndim = self.asked.image, self.asked.ndim
        shape = tuple(n for n, axis in zip(np.shape(image.array), image.axes, strict=True) if axis != "c")
        sides = (1.0,) * ndim if image.spacing is None else image.spacing[-ndim:]
        ratio = [side / sides[-1] for side in sides]
        names = self.model.class_names
        return replace(
            self, said=say(prompts, shape, ndim, names, ratio=ratio, radius=self.prompt_radius, name=image.name)
        )

    def said_of_grid(self, index: tuple[int, ...], box: Box) -> NDArray[np.uint8] | None:
        """Return the classes that were said of a box of the networks' grid, 255 where none was; None for none."""
        inner = [(a, min(b, n)) for (a, b), n in zip(box, self.grid.inner, strict=True)]
        if not self.said or any(b <= a for a, b in inner):
            return None
        offset = [start * level for start, level in zip(self.part.start, self._levels, strict=True)]
        found = self.said.on(self._frame(index), inner, offset, self._steps)
        margins = [(0, b - n) for (_, b), (_, n) in zip(box, inner, strict=True)]
        return None if found is None else np.pad(found, margins, constant_values=NOTHING)

    def said_of_result(self, index: tuple[int, ...], box: Box | None = None) -> NDArray[np.uint8] | None:
        """Return the classes that were said of a box of the result, of all of a frame by default, as above."""
        if not self.said:
            return None
        box = tuple((0, n) for n in self.frames.shape) if box is None else box
        offset = [start * level for start, level in zip(self.part.start, self._levels, strict=True)]
        return self.said.on(self._frame(index), box, offset, self._levels)

    def place_in_image(self, index: tuple[int, ...], place: Sequence[float]) -> tuple[float, ...]:
        """Return where a pixel of a frame's grid lies in the whole image, for all its axes but the channels."""
        sides = zip(place, self.part.start, self._levels, self._steps, strict=True)
        spatial = [start * level + (p + 0.5) * step - 0.5 for p, start, level, step in sides]
        return (*map(float, self._frame(index)), *spatial)

    @property
    def place(self) -> dict[str, list[float]]:
        """Where the result lies: its first pixel, and the size of each, in pixels of the finest level ((Z), Y, X)."""
        start = [first * level for first, level in zip(self.part.start, self._levels, strict=True)]
        return {"start": start, "step": self._levels}

    @property
    def prompt_radius(self) -> float:
        """That of points and lines that have none, in pixels of the image: a quarter of a cell of the latent's grid."""
        return float(getattr(self.model.network, "factor", 1)) / 4 * min(self._steps)

    @property
    def _levels(self) -> list[float]:
        """Pixels of the finest level for each pixel of the level that is read."""
        return [n / m for n, m in zip(self.asked.full_shape, self.part.full_shape, strict=True)]

    @property
    def _steps(self) -> list[float]:
        """Pixels of the finest level for each pixel of the networks' grid."""
        sides = zip(self._levels, self.grid.source, self.grid.inner, strict=True)
        return [level * n / m for level, n, m in sides]

    def _frame(self, index: tuple[int, ...]) -> tuple[int, ...]:
        """Return the place of a frame in the whole image."""
        left, asked = iter(index), (self.asked.extent(axis) for axis in self.asked.frame_axes)
        return tuple(extent.start + next(left) if isinstance(extent, slice) else extent for extent in asked)

    def sentence(self) -> str:
        """Say what will be segmented, for example ``"40 frames of 256 x 384, each segmented on its own"``."""
        level = f"level {self.level} of a pyramid" if self.asked.image.levels else ""
        said = describe(self.part, self.model, self.grid, self.pixel_size, level)
        if len(self.tiles) > 1:
            said.append(f"in {len(self.tiles)} tiles")
        if self.on_disk:
            said.append("written to disk block by block")
        if self.part.frames > 1:
            alone = not (self.smoothing and "t" in self.frames.letters)
            said.append(
                "each segmented on its own" if alone else f"smoothed over {self.smoothing:g} frames of its neighbours"
            )
        if self.said:
            said.append(f"steered by {len(self.said)} prompt{'s' if len(self.said) > 1 else ''}")
        return ", ".join(said)

    def warnings(self) -> list[str]:
        """Return everything that may spoil the result or the run, each with its remedy."""
        free = psutil.virtual_memory().available
        found = [*self.asked.image.notes, *find_faults(self.part, self.model, self.grid)]
        if self.said and not takes_prompts(self.model):
            found.append(
                f"The model {self.model.name!r} takes no prompts: what was said is painted, and nothing around it "
                f"changes. Teach it to: `napari-ldseg fine-tune {self.model.name} --learn prompts`."
            )
        if self.peak_bytes > free:
            found.append(
                f"This will take about {gigabytes(self.peak_bytes)} of memory, and {gigabytes(free)} are free; close "
                "other programs, or take a smaller part or batch."
            )
        return found

    def loaded(self) -> Self:
        """Return the plan with its pixels read into memory, once for all frames and tiles."""
        image = self.image.replace(array=np.asarray(self.image.array))
        return replace(self, image=image, frames=Frames.of(image, self.model))


def takes_prompts(model: ModelConfig) -> bool:
    """Whether a model has learned to be told what is true of some pixels."""
    return isinstance(model.network, NetworkConfig) and bool(model.network.prompt_widths)


def plan_image(
    image: Image,
    model: ModelConfig,
    settings: SegmentConfig | None = None,
    part: PartConfig | None = None,
    prompts: Sequence[Prompt] = (),
) -> Plan:
    """Decide how an image will be segmented, without computing anything or reading a pixel.

    Parameters
    ----------
    image : Image
        May be lazy, and multiscale (``levels``).
    model : ModelConfig
    settings : SegmentConfig, optional
    part : PartConfig, optional
        Other axes, some frames, a region (in pixels of the finest level).
    prompts : sequence of Prompt
        What is true of some pixels of the image, see :mod:`napari_ldseg.prompts`; of all its axes but the channels.

    Raises
    ------
    InputError
        If image, part, prompts and model do not fit: number of axes, channels, size, classes.

    Examples
    --------
    >>> from napari_ldseg import Image, ModelConfig, PartConfig, plan_image
    >>> cine = Image(np.zeros((40, 256, 384)), "pyx", name="cine")
    >>> plan_image(cine, ModelConfig(), part=PartConfig(axes="tyx", frames="3:10")).sentence()
    '7 frames of 256 x 384, seen as 256 x 256, each segmented on its own'
    """
    settings = settings or SegmentConfig()
    asked = take_part(image, model.network.ndim, part or PartConfig())
    check_channels(asked.image.channels, model, image.name)
    level, pixel_size = nearest_level(asked, model, settings.tiles)
    here = asked.at((asked.image, *asked.image.levels)[level])
    cut = here.cut()
    frames = Frames.of(cut, model)
    # A frame that would fill the memory is read tile by tile, however few of its pixels the networks see.
    huge = model.input.mode == "spacing" and math.prod(frames.shape) > MAX_PLANE and settings.tiles == "auto"
    grid = plan_grid(frames.shape, pixel_size, model, "always" if huge else settings.tiles)
    sides: tuple[tuple[int, ...], ...] = tile_sides(model, settings) if grid.tiled else ()
    tiles = plan_tiles(grid.outer, sides[0], sides[1], model.network.stride) if grid.tiled else Tiles()
    if grid.tiled and settings.smoothing:
        raise InputError("Frames that are cut into tiles cannot be smoothed in time; set the smoothing to 0.")
    return Plan(model, settings, asked, level, here, pixel_size, cut, frames, grid, sides, tiles).told(prompts)
