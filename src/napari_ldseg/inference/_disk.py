"""Images larger than memory: read tile by tile, written block by block into an OME-Zarr, resumed where it stopped."""

import hashlib
import json
import math
import shutil
from collections.abc import Generator
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .._util import partial_of, put_in_place, write_text
from ..config import ModelConfig, SegmentConfig
from ..data import IDENTITY, LABELS, ORDER, Image, Layout, create_pyramid, name_labels, open_levels, write_block
from ..errors import InputError
from ..networks import LDSeg
from ..plan import Box, Grid, frame_shape, lazy_frames, nearest_level, plan_grid, plan_tiles, tile_sides, tiles_in
from ._memory import most_likely
from ._resample import Regions, interpolate, probe, probe_intensities
from ._result import SegmentProgress
from ._runner import Run
from ._segment import MIN_AUTO, refuse_unfit
from ._statistics import RunningStatistics
from ._windows import Window, Windows

DONE = "done"
# Pixels of the networks' grid along a side of a block: the larger, the fewer tiles are computed for two blocks.
BLOCK_SIDE = {2: 2048, 3: 160}
MAX_BLOCK = {2: 4096, 3: 256}
BLENDED_AT_ONCE = 2**25


@dataclass(frozen=True)
class LargeSegmentation:
    """The outcome of :func:`segment_large`: an OME-Zarr whose image is the SD map, with the labels beside it.

    Attributes
    ----------
    path : Path
    labels, sd : list of zarr arrays
        uint8 and float32, finest level first, axes ``axes``.
    axes : str
    spacing : tuple of float or None
        Pixel size ((Z), Y, X) of the finest level in ``unit``.
    unit : str
    sizes : float64 array, shape (*frames, N, C)
        Area or volume of each class in each sample, over all blocks of a frame.
    samples : int
    class_names, class_colors : tuple of str
    provenance : dict
    """

    path: Path
    labels: list[Any]
    sd: list[Any]
    axes: str
    spacing: tuple[float, ...] | None
    unit: str
    sizes: NDArray[np.float64]
    samples: int
    class_names: tuple[str, ...]
    class_colors: tuple[str, ...]
    provenance: dict[str, Any]


def segment_large(
    model: LDSeg,
    image: Image,
    path: Path | str,
    config: SegmentConfig | None = None,
    *,
    overwrite: bool = False,
    content: str = "",
) -> Generator[SegmentProgress, None, LargeSegmentation]:
    """Segment an image that does not fit into memory, into an OME-Zarr on disk.

    Of a multiscale image the level nearest the model's pixel size is read, and the result lies on that level's grid.
    Blocks are written when they are done, to ``partial_of(path)``, and the folder is renamed at the end. Stopped
    at any time (closed, killed), the same call goes on where it was; blocks depend on nothing but model, settings and
    image, so that their borders do not show and their order does not matter.

    Parameters
    ----------
    model : LDSeg
    image : Image
        Its array may be lazy: dask, a memory map. Intensities are scaled alike for all tiles, by what the coarsest
        level (or 64 pixels a side at 8 places along each axis) holds.
    path : Path
        A folder ending in ``.zarr``. One that holds just this result already is returned at once.
    config : SegmentConfig, optional
        ``samples="auto"`` draws 8: a number that differed from block to block would show.
    overwrite : bool
        Whether to replace another result, or another half-written one.
    content : str
        What tells the image from others, for example a hash of its file. Without it an image counts as the same where
        its coarsest level is (or its pixels at those places of the first, the middle and the last frame).

    Yields
    ------
    SegmentProgress
        After each embedding and sampling step, without previews: what is done lies on disk.

    Returns
    -------
    LargeSegmentation

    Raises
    ------
    InputError
        If image and model do not fit, the model sees only whole images, or another result is in the way.
    EngineError
        If the computation fails.
    """
    run = LargeRun(model, image, path, config, overwrite=overwrite, content=content)
    yield run.progress("starting")
    for number in run.todo():
        yield from run.segment_block(number)
    return run.finish()


class LargeRun:
    """One large segmentation: its plan, its half-written folder, and its blocks, which any process may compute.

    Parameters are those of :func:`segment_large`. Several processes that make the same LargeRun share the folder;
    each block is to be computed by one of them, and :meth:`finish` called once, when :meth:`todo` is empty.
    """

    def __init__(
        self,
        model: LDSeg,
        image: Image,
        path: Path | str,
        config: SegmentConfig | None = None,
        *,
        overwrite: bool = False,
        content: str = "",
    ) -> None:
        self.path = Path(path)
        self._folder, self._finished = partial_of(self.path), False
        config = config or SegmentConfig()
        if config.samples == "auto":
            config = config.replace(samples=MIN_AUTO)
        self._model, self._config, self._name = model.config, config, image.name
        self._level, self._grid, self._geometry = _plan(image, model.config, config)
        probed = probe(image, model.config)
        self._scale = probe_intensities(probed, model.config, image.name)
        self._frames = list(lazy_frames(self._level, model.config))
        self._leading = frame_shape(self._level, model.config)[0]
        sides = tile_sides(model.config, config)
        self._tiles = plan_tiles(self._grid.outer, *sides, model.config.network.stride)
        self._starts = [np.unique(each) for each in zip(*(tile.start for tile in self._tiles), strict=True)]
        self._run = Run(model, config, int(config.samples), math.prod(self._tiles[0].shape), tiled=True)
        refuse_unfit(self._run, self._grid, most=math.inf)
        self._block = _block_side(self._grid)
        grids = [range(0, side, self._block) for side in self._grid.source]
        self._blocks = list(product(self._frames, product(*grids)))
        stated = {"content": content} if content else {}
        self._open(self._identity(model, probed, sides) | stated, overwrite)
        finished = len(self._blocks) - len(self.todo())
        self._steps = {start: self._count_steps(start) for start in product(*grids)}
        self._run.total = sum(self._steps[start] for _, start in self._blocks)
        self._run.done = self._run.total * finished // len(self._blocks)

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return len(self._blocks)

    def todo(self) -> list[int]:
        """Return the numbers of the blocks that are not written yet."""
        if self._finished:
            return []
        done = {file.name for file in (self._folder / DONE).glob("*.json")}
        return [number for number in range(len(self._blocks)) if f"{number}.json" not in done]

    def progress(self, text: str) -> SegmentProgress:
        """Say how far the run is."""
        return self._run.progress(text)

    def segment_block(self, number: int) -> Generator[SegmentProgress, None, None]:
        """Compute one block and write it; it counts as done when all of it is on disk."""
        (index, frame), start = self._blocks[number]
        self._run.part = f"Block {number + 1} of {len(self._blocks)}"
        before = self._run.done
        places, box = self._places(start)
        regions = Regions(frame, self._grid, self._scale, self._model, self._name)
        tiles = tiles_in(self._tiles, box)
        windows = Windows(self._run, [Window(0, partial(regions.read, t.box), t) for t in tiles], box)
        statistics, counts = RunningStatistics(), []
        while (first := statistics.count) < self._run.wanted:
            samples = range(first, min(first + self._samples_at_once(box), self._run.wanted))
            try:
                (drawn,) = yield from windows.draw(samples)
            except RuntimeError as error:
                self._run.relieve(len(samples), windows.at_once(len(samples)), error)
                continue
            statistics.add(drawn)
            counts += [np.bincount(mask.ravel(), minlength=drawn.shape[1]).tolist() for mask in most_likely(drawn)]
        maps = torch.cat([statistics.mean, statistics.sd[None]]).numpy()
        for axis, at in enumerate(places, start=1):
            maps = interpolate(maps, axis, at)
        self._write(index, start, maps)
        pixel = math.prod(self._geometry.spacing or (1.0,)) * maps[0].size / math.prod(b - a for a, b in box)
        write_text(self._folder / DONE / f"{number}.json", json.dumps((np.array(counts) * pixel).tolist()))
        self._run.done = before + self._steps[start]
        yield self.progress("written")

    def finish(self) -> LargeSegmentation:
        """Put the folder in its place and return the result; all blocks must be done."""
        if not self._finished:
            missing = len(self.todo())
            if missing:
                raise InputError(f"{missing} blocks of {self.path} are not done yet; compute them first.")
            provenance = {
                **self._run.provenance(self._name),
                "samples": self._run.wanted,
                "sizes": self._sizes().tolist(),
            }
            shutil.rmtree(self._folder / DONE)
            note = json.loads((self._folder / IDENTITY).read_text())
            write_text(self._folder / IDENTITY, json.dumps({**note, "provenance": provenance}, indent=1))
            put_in_place(self._folder, self.path)
            self._folder, self._finished = self.path, True
        provenance = json.loads((self.path / IDENTITY).read_text())["provenance"]
        return LargeSegmentation(
            path=self.path,
            labels=open_levels(self.path / LABELS),
            sd=open_levels(self.path),
            axes=self._geometry.axes,
            spacing=self._geometry.spacing,
            unit=self._geometry.unit,
            sizes=np.array(provenance["sizes"]),
            samples=self._run.wanted,
            class_names=self._model.class_names,
            class_colors=self._model.class_colors,
            provenance=provenance,
        )

    def _sizes(self) -> NDArray[np.float64]:
        """Add up what the blocks of each frame noted; the blocks of a frame are numbered in a row."""
        done = self._folder / DONE
        noted = np.array([json.loads((done / f"{number}.json").read_text()) for number in range(self.blocks)])
        each: NDArray[np.float64] = noted.reshape(len(self._frames), -1, *noted.shape[1:]).sum(axis=1)
        return each.reshape(*self._leading, *each.shape[1:])

    def _open(self, identity: dict[str, Any], overwrite: bool) -> None:
        """Find the finished or half-written folder of this very run, or make a new one."""
        self._folder, self._finished = partial_of(self.path), False
        if self.path.exists():
            if _known(self.path) == identity:
                self._folder, self._finished = self.path, True
                return
            if not overwrite:
                raise InputError(f"{self.path} holds another result; remove it, or allow that it is overwritten.")
        if self._folder.exists():
            if _known(self._folder) == identity:
                return
            if not overwrite:
                raise InputError(
                    f"{self._folder} is the half-written result of other settings, another model or another image; "
                    "remove it, or allow that it is overwritten."
                )
            shutil.rmtree(self._folder)
        shape = (*self._leading, *self._grid.source)
        note = self._run.provenance(self._name)
        make = partial(create_pyramid, shape=shape, layout=self._geometry, metadata=note, block=self._block)
        make(self._folder, dtype=np.float32, name="SD")
        colors = self._model.class_colors or _grays(len(self._model.class_names))
        make(self._folder / LABELS, dtype=np.uint8, name="labels", colors=colors)
        name_labels(self._folder)
        write_text(self._folder / IDENTITY, json.dumps({"identity": identity}, indent=1))

    def _write(self, index: tuple[int, ...], start: tuple[int, ...], maps: NDArray[np.float32]) -> None:
        lead = (None,) * len(index)
        values = {self._folder: maps[-1], self._folder / LABELS: most_likely(torch.from_numpy(maps[None, :-1]))[0]}
        for folder, block in values.items():
            write_block(open_levels(folder, "r+"), (*index, *start), block[lead], self._geometry.axes)

    def _places(self, start: tuple[int, ...]) -> tuple[list[NDArray[np.float64]], Box]:
        """Return where the pixels of a block lie in a box of the networks' grid, and that box."""
        places, box = [], []
        for first, n, inner in zip(start, self._grid.source, self._grid.inner, strict=True):
            pixels = np.arange(first, min(first + self._block, n))
            at = ((pixels + 0.5) * inner / n - 0.5).clip(0, inner - 1)
            low, high = math.floor(at[0]), min(math.floor(at[-1]) + 2, inner)
            places.append(at - low)
            box.append((low, high))
        return places, tuple(box)

    def _samples_at_once(self, box: Box) -> int:
        blended = self._model.network.classes * math.prod(b - a for a, b in box)
        return max(1, min(self._run.batch, BLENDED_AT_ONCE // blended))

    def _count_steps(self, start: tuple[int, ...]) -> int:
        _, box = self._places(start)
        batches = math.ceil(self._run.wanted / self._samples_at_once(box))
        views = min(self._run.views, self._run.wanted)
        shape = self._tiles[0].shape
        along = [
            int(np.count_nonzero((starts < high) & (starts + side > low)))
            for starts, side, (low, high) in zip(self._starts, shape, box, strict=True)
        ]
        return math.prod(along) * (views + self._run.steps * batches)

    def _identity(self, model: LDSeg, probed: NDArray[Any], sides: Any) -> dict[str, Any]:
        """All that decides what is written: a half-written folder is gone on with only where all of it is the same."""
        run, level = self._run, self._level
        identity = {
            "model": model.sha256 or _hash(*(each.cpu().numpy().tobytes() for each in model.state_dict().values())),
            "samples": run.wanted,
            "seed": run.config.seed,
            "sampler": run.sampler,
            "steps": run.steps,
            "views": run.views,
            "precision": run.config.precision,
            "tile": sides,
            "block": self._block,
            "grid": [self._grid.source, self._grid.inner],
            "image": [level.axes, level.array.shape, str(level.array.dtype), level.spacing, level.unit],
            "pixels": _hash(np.ascontiguousarray(probed).tobytes()),
        }
        plain: dict[str, Any] = json.loads(json.dumps(identity))
        return plain


def _plan(image: Image, model: ModelConfig, config: SegmentConfig) -> tuple[Image, Grid, Layout]:
    """Choose the level, the networks' grid, and the result's layout."""
    if model.input.mode == "fit" and config.tiles != "always":
        raise InputError(
            f"The model {model.name!r} sees the whole image at once, resized to {model.input.shape} pixels, so that "
            "there is nothing to gain from a large image; use a coarse level of it, or set tiles to 'always'."
        )
    level, seen = nearest_level(image, model)
    order = sorted(range(len(level.axes)), key=lambda index: ORDER.index(level.axes[index]))
    axes = "".join(level.axes[index] for index in order)
    level = level.replace(array=level.array.transpose(order), axes=axes)
    leading, shape, letters, spacing = frame_shape(level, model)
    frames = letters[: len(leading)].replace("z", next(letter for letter in "spt" if letter not in letters))
    origin: tuple[float, ...] = ()
    if spacing is not None and image.spacing is not None:
        origin = tuple((s - f) / 2 for s, f in zip(spacing, image.spacing[-len(spacing) :], strict=True))
    layout = Layout(frames + letters[len(leading) :], spacing, level.unit, origin)
    return level, plan_grid(shape, seen, model, "always"), layout


def _block_side(grid: Grid) -> int:
    """Return the side of blocks in pixels of the result, a power of two."""
    ndim = len(grid.source)
    factor = max(n / m for n, m in zip(grid.source, grid.inner, strict=True))
    side = 2 ** round(math.log2(BLOCK_SIDE[ndim] * factor))
    return int(min(side, MAX_BLOCK[ndim]))


def _known(folder: Path) -> Any:
    """Return the identity that a folder states; None where it states none."""
    try:
        return json.loads((folder / IDENTITY).read_text())["identity"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _grays(classes: int) -> list[str]:
    return ["#{0:02x}{0:02x}{0:02x}".format(255 * i // max(classes - 1, 1)) for i in range(classes)]


def _hash(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
