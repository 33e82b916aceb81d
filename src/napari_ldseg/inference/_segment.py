"""segment(): the one way from an image to masks; the viewer, the command line and the tests all consume it."""

import math
from collections.abc import Generator
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
from torch import Tensor

from ..config import ModelConfig, SegmentConfig
from ..data import Image
from ..errors import InputError
from ..networks import LDSeg
from ..plan import MAX_PLANE, Box, Grid, Intensities, Tile, common_range, lazy_frames, plan_tiles, read_part, tile_sides
from ._memory import Maps
from ._preprocess import prepare
from ._resample import Regions, probe, probe_intensities
from ._result import Segmentation, SegmentProgress
from ._runner import Run
from ._smoothing import smooth_conditions
from ._statistics import RunningStatistics
from ._windows import Window, Windows

# Samples before samples="auto" may stop, and between its looks at whether it should.
MIN_AUTO = 8
AUTO_AT_ONCE = 16
BLENDED_AT_ONCE = 2**26


def segment(
    model: LDSeg, image: Image, config: SegmentConfig | None = None, *, seen: tuple[float, ...] | None = None
) -> Generator[SegmentProgress, None, Segmentation]:
    """Segment an image, with uncertainty (LDSeg, algorithm 2, repeated N times).

    Parameters
    ----------
    model : LDSeg
        From :func:`load_model`; it is moved to the device and set to evaluation.
    image : Image
        Leading axes that the model does not see (time, position, slices for a 2D model) are frames, each segmented
        on its own with the same noise per sample index, so that a still sequence does not flicker. An image that is
        too large for one pass is cut into overlapping tiles, see ``SegmentConfig.tiles``.
    config : SegmentConfig, optional
    seen : tuple of float, optional
        Pixel size ((Z), Y, X) in the model's unit, instead of the image's own: of a level, from :func:`nearest_level`.

    Yields
    ------
    SegmentProgress
        After each embedding and after every sampling step; with a preview after every batch of samples.
        A preview shares its arrays with the run: copy what you keep. Closing the generator cancels.

    Returns
    -------
    Segmentation
        On the grid of the input. Sample ``i`` depends only on the seed and on ``i``; with the samplers of the LDSeg
        release (``"ldseg-release"``), which re-normalise all samples that are computed together, also on those:
        on ``config.batch`` and the number of samples. The same settings still give the same result.

    Raises
    ------
    InputError
        If the image, its axes, channels or size do not fit the model; where it does not fit into memory either,
        use :func:`segment_large`.
    EngineError
        If the computation fails, for example for want of memory with a single sample at a time.

    Examples
    --------
    >>> from napari_ldseg import SegmentConfig, load_model, segment
    >>> from napari_ldseg.data import colon_gland
    >>> *_, last = segment(load_model("glas"), colon_gland(), SegmentConfig(samples=4))  # doctest: +SKIP
    >>> last.preview.sd.max()  # doctest: +SKIP
    """
    config = config or SegmentConfig()
    if config.is_part:
        ndim = model.config.network.ndim
        image = read_part(image, ndim, axes=config.axes, frames=config.frames, region=config.region).cut()
    wanted = config.max_samples if config.samples == "auto" else config.samples
    maps = Maps(image, model.config, wanted, config.keep_mb, config.tiles, seen)
    cutter = _Cutter(model.config, image, config, maps.grid)
    number, tiled = math.prod(maps.leading), maps.grid.tiled
    run = Run(model, config, wanted, cutter.pixels, tiled=tiled, single=number == 1 and not tiled)
    refuse_unfit(run, maps.grid, MAX_PLANE)
    samples = _samples_at_once(run, maps.grid)
    group = cutter.frames_at_once(run.batch, samples)
    views = range(min(run.views, wanted))
    run.total = number * cutter.windows * (len(views) + run.steps * (1 + math.ceil((wanted - 1) / samples)))
    yield run.progress("reading the image")
    conditions: dict[tuple[int, int], Tensor] = {}
    if config.smoothing and "t" in maps.axes:
        readers = [window.read for window in cutter.cut(list(lazy_frames(image, model.config)))]
        conditions = yield from smooth_conditions(run, readers, maps.leading, maps.axes.index("t"), views)
    frames = lazy_frames(image, model.config)
    for first in range(0, number, group):
        some = list(islice(frames, group))
        run.part = f"Frame {first + 1} of {number}" if number > 1 else ""
        run.done = first * run.total // number
        known = {(i - first, view): condition for (i, view), condition in conditions.items() if i >= first}
        windows = Windows(run, cutter.cut(some), cutter.box, known)
        yield from _segment_frames(run, maps, [index for index, _ in some], windows, image.name)
    run.done = run.total
    return maps.freeze(run.provenance(image.name))


class _Cutter:
    """Cuts frames into what the networks see at a time: whole frames, or tiles."""

    def __init__(self, model: ModelConfig, image: Image, settings: SegmentConfig, grid: Grid) -> None:
        self._model, self._name, self._grid = model, image.name, grid
        self._tiles: list[Tile] = []
        self._common: Intensities | None = None
        if grid.tiled:
            self._tiles = plan_tiles(grid.outer, *tile_sides(model, settings), model.network.stride)
            self._scale = probe_intensities(probe(image, model), model, image.name)
        elif image.frame_axes or len(image.spatial) > model.network.ndim:
            self._common = common_range((pixels for _, pixels in lazy_frames(image, model)), model, image.name)

    @property
    def windows(self) -> int:
        """How many windows a frame has."""
        return len(self._tiles) or 1

    @property
    def pixels(self) -> float:
        """Pixels of a window."""
        return float(math.prod(self._tiles[0].shape)) if self._tiles else self._grid.cells

    @property
    def box(self) -> Box:
        """All of the networks' grid."""
        return tuple((0, side) for side in self._grid.outer)

    def frames_at_once(self, batch: int, samples: int) -> int:
        """How many frames are computed together: as many as fill the batch with their samples."""
        return 1 if self._tiles else max(1, batch // samples)

    def cut(self, frames: list[tuple[tuple[int, ...], Any]]) -> list[Window]:
        """Return the windows of some frames; pixels are read when a window is."""
        model, name, grid = self._model, self._name, self._grid
        if not self._tiles:
            read = partial(_read_whole, grid=grid, model=model, name=name, scale=self._common)
            return [Window(i, partial(read, pixels)) for i, (_, pixels) in enumerate(frames)]
        ((_, pixels),) = frames
        regions = Regions(pixels, grid, self._scale, model, name)
        return [Window(0, partial(regions.read, tile.box), tile) for tile in self._tiles]


def _read_whole(pixels: Any, *, grid: Grid, model: ModelConfig, name: str, scale: Intensities | None) -> Tensor:
    return prepare(np.asarray(pixels), grid, model, name, scale)


def refuse_unfit(run: Run, grid: Grid, most: float) -> None:
    """Refuse what cannot be computed in tiles, before anything is.

    Raises
    ------
    InputError
    """
    if grid.tiled and run.renormalizes:
        raise InputError(
            f"The sampler {run.sampler!r} re-normalises the whole latent, so that an image cannot be cut into tiles; "
            "choose another sampler, or crop the image."
        )
    if grid.tiled and run.config.smoothing:
        raise InputError("Frames that are cut into tiles cannot be smoothed in time; set the smoothing to 0.")
    if grid.cells > most:
        raise InputError(
            f"At the model's pixel size this image is {' x '.join(map(str, grid.inner))} pixels, which do not fit into "
            "memory with their samples; write it to an OME-Zarr tile by tile (segment_large), or crop it."
        )


def _samples_at_once(run: Run, grid: Grid) -> int:
    """How many samples are computed, and if there are tiles, blended, together."""
    classes = run.model.config.network.classes
    fitting = int(BLENDED_AT_ONCE // (classes * grid.cells)) if grid.tiled else run.batch
    looks = AUTO_AT_ONCE if run.config.samples == "auto" else run.batch
    return max(1, min(run.batch, fitting, looks, run.wanted - 1))


def _segment_frames(
    run: Run, maps: Maps, indices: list[tuple[int, ...]], windows: Windows, name: str
) -> Generator[SegmentProgress, None, None]:
    """Draw the samples of some frames batch by batch, and bring their maps up to date after each."""
    statistics = [RunningStatistics() for _ in indices]
    while (start := statistics[0].count) < run.wanted and not all(_settled(run, each) for each in statistics):
        # The first sample comes alone, so that something is on screen at once.
        samples = range(start, min(start + _samples_at_once(run, maps.grid), run.wanted) if start else 1)
        try:
            drawn = yield from windows.draw(samples)
        except RuntimeError as error:
            run.relieve(len(samples), windows.at_once(len(samples)), error)
            continue
        for index, each, probabilities in zip(indices, statistics, drawn, strict=True):
            each.add(probabilities)
            maps.write(index, each)
            maps.write_samples(index, samples, probabilities)
        count = statistics[0].count
        yield run.progress(f"{count} sample{'s' if count > 1 else ''}", maps.freeze(run.provenance(name)))


def _settled(run: Run, statistics: RunningStatistics) -> bool:
    """Whether ``samples="auto"`` has seen enough."""
    if run.config.samples != "auto" or statistics.count < MIN_AUTO:
        return False
    return statistics.standard_error() < run.config.tolerance
