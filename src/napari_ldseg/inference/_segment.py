"""segment() turns an image into masks. The viewer, the command line and Python all call it."""

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from ..checkpoints import computing
from ..config import PartConfig, SegmentConfig
from ..data import Image
from ..errors import InputError
from ..networks import LDSeg
from ..plan import MIN_AUTO, Block, Plan, plan_image, whole_box
from ..prompts import Prompt
from ._disk import DiskCanvas
from ._draw import Canvas, draw_samples
from ._gate import Gate, choose_smoothing, estimate_noise
from ._kept import Kept
from ._memory import MemoryCanvas
from ._preprocess import prepare
from ._resample import Regions
from ._result import Segmentation, SegmentProgress
from ._runner import Runner
from ._session_canvas import SessionCanvas
from ._smoothing import smooth_conditions
from ._windows import Window, Windows


def segment(
    model: LDSeg,
    image: Image | Plan,
    config: SegmentConfig | None = None,
    *,
    part: PartConfig | None = None,
    prompts: Sequence[Prompt] = (),
    into: Path | str | None = None,
    overwrite: bool = False,
    content: str = "",
) -> Generator[SegmentProgress, None, Segmentation]:
    """Segment an image, with uncertainty (LDSeg, algorithm 2, repeated N times).

    Parameters
    ----------
    model : LDSeg
        From :func:`load_model`; it is moved to the device and set to evaluation.
    image : Image or Plan
        It may be lazy and multiscale. Axes that the model does not see (time, position, slices for a 2D model) are
        frames. Each frame is segmented on its own, with the same noise for each sample, so that a still sequence
        does not flicker. An image that is too large for one pass is cut into overlapping tiles, see
        ``SegmentConfig.tiles``. A plan, from :func:`plan_image`, includes image, settings and part.
    config : SegmentConfig, optional
    part : PartConfig, optional
        Other axes, some frames, a region.
    prompts : sequence of Prompt
        What is true of some pixels, from :mod:`napari_ldseg.prompts`. The samples are drawn given all of it, by a model
        that takes prompts; said pixels have their class and SD 0 in any case. A plan holds its own.
    into : Path, optional
        Write the result to an OME-Zarr (a folder ending in ``.zarr``), block by block, instead of into memory.
        If it is closed or killed, the same call resumes it. If the folder holds just this result, it is returned
        at once. ``samples="auto"`` draws 8 samples here, because a number that differed from block to block would
        show. Only labels and SD are kept.
    overwrite : bool
        Whether to replace another result in ``into``, finished or partial.
    content : str
        Identifies the image, for example a hash of its file. Without it two images count as the same if their
        coarsest levels are (or pixels at 8 places along each axis of the first, the middle and the last frame).

    Yields
    ------
    SegmentProgress
        After each embedding and after every sampling step; with a preview after every batch of samples.
        A preview shares its arrays with the run: copy what you keep. Closing the generator cancels.

    Returns
    -------
    Segmentation
        On the grid of the input, or of its level nearest to what the model sees. Sample ``i`` depends only on the
        seed and on ``i``. The authors' samplers (``"ldseg-release"``) re-normalise all samples that are computed
        together, so there it also depends on ``config.batch`` and the number of samples. The same settings still
        give the same result.

    Raises
    ------
    InputError
        If the image, its axes, channels or size do not fit the model, or another result is in the way.
    EngineError
        If the computation fails, for example because a single sample does not fit into memory.

    Examples
    --------
    >>> from napari_ldseg import SegmentConfig, load_model, segment
    >>> from napari_ldseg.phantoms import colon_gland
    >>> *_, last = segment(load_model("glas"), colon_gland(), SegmentConfig(samples=4))  # doctest: +SKIP
    >>> last.preview.sd.max()  # doctest: +SKIP
    """
    plan = image if isinstance(image, Plan) else plan_image(image, model.config, config, part, prompts)
    run = SegmentRun(model, plan, into=into, overwrite=overwrite, content=content)
    yield run.progress("reading the image")
    yield from run.prepare()
    for number in run.todo():
        yield from run.segment_block(number)
    return run.finish()


@dataclass(frozen=True, eq=False)
class Memory:
    """What a session remembers from one draw to the next.

    Attributes
    ----------
    canvas : SessionCanvas
    stops : tuple of int
        Numbers of samples that somebody waits for.
    conditions, latents : Kept
        Embedded images without prompts; samples with them.
    """

    canvas: SessionCanvas
    stops: tuple[int, ...]
    conditions: Kept
    latents: Kept


class SegmentRun:
    """One segmentation, block by block. Several processes can share the folder of a result on disk.

    Each block is to be computed by one of them, and :meth:`finish` called once, when :meth:`todo` is empty.

    Parameters
    ----------
    model : LDSeg
    plan : Plan
    into, overwrite, content
        As for :func:`segment`.
    memory : Memory, optional
        What a session remembers from one draw to the next.

    Raises
    ------
    InputError
        The plan is for another model, it cannot be computed, or another result is in the way.
    """

    def __init__(
        self,
        model: LDSeg,
        plan: Plan,
        *,
        into: Path | str | None = None,
        overwrite: bool = False,
        content: str = "",
        memory: Memory | None = None,
    ) -> None:
        if plan.model != model.config:
            raise InputError(f"The image was planned for {plan.model.name!r}, which is another model; plan it again.")
        if into is not None and plan.settings.samples == "auto":
            plan = replace(plan, settings=plan.settings.replace(samples=MIN_AUTO))
        self._plan, self._runner = plan, Runner(model, plan)
        self._runner.gate, self._runner.mixes = self._look_at_noise(), memory is None
        _refuse(plan, self._runner, on_disk=into is not None)
        self._canvas: Canvas
        if memory is not None:
            self._canvas = memory.canvas
        elif into is None:
            self._canvas = MemoryCanvas(plan, mixed=self._runner.guess_weight > 0)
        else:
            self._canvas = DiskCanvas(plan, self._runner, Path(into), overwrite=overwrite, content=content)
        self._in_memory, self._memory = into is None, memory
        self._alone = self._canvas.shows_first or plan.is_single
        self._smooth: Kept | None = None
        self._guesses: dict[int, list[Tensor]] = {}
        steps = [self._count_steps(block) for block in self._canvas.blocks]
        self._runner.total = sum(steps)
        self._runner.done = self._runner.total - sum(steps[number] for number in self.todo())

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return len(self._canvas.blocks)

    def todo(self) -> list[int]:
        """Return the numbers of the blocks that are not done yet."""
        return self._canvas.todo()

    def progress(self, text: str) -> SegmentProgress:
        """Say how far the run is."""
        return self._runner.progress(text)

    def prepare(self) -> Generator[SegmentProgress, None, None]:
        """Read what must be in memory, and average the conditions of neighbouring frames."""
        if self._in_memory:
            self._plan = self._plan.loaded()
        plan, frames = self._plan, self._plan.frames
        # A session draws single frames again, at once; there, only a smoothing that was asked for counts.
        smoothing = plan.smoothing if self._in_memory and self._memory is None else plan.settings.smoothing
        if smoothing and "t" in frames.letters:
            readers = [self._reader(index) for index in frames.indices]
            views = range(min(self._runner.views, plan.wanted))
            time = frames.letters.index("t")
            self._runner.time_smoothing = smoothing
            with computing(self._runner.device):
                found = yield from smooth_conditions(self._runner, readers, frames.leading, time, views, smoothing)
            self._smooth, self._guesses = Kept(), found.guesses
            for (number, view), each in found.conditions.items():
                self._smooth.put(((frames.indices[number], ()), view), each)

    def segment_block(self, number: int) -> Generator[SegmentProgress, None, None]:
        """Compute one block and put it on the canvas."""
        runner, block = self._runner, self._canvas.blocks[number]
        runner.part = self._canvas.part(number)
        after = runner.done + self._count_steps(block)
        memory, said = self._memory, [self._plan.said_of_grid(index, block.box) for index in block.frames]
        conditions = self._smooth or (memory.conditions if memory else Kept())
        latents = memory.latents if memory else None
        numbers = {index: number for number, index in enumerate(self._plan.frames.indices)} if self._guesses else {}
        guesses = {place: self._guesses[numbers[index]] for place, index in enumerate(block.frames) if numbers}
        windows = Windows(runner, self._windows(block), block.box, conditions, said, latents, guesses)
        with computing(runner.device):
            yield from draw_samples(
                runner,
                self._canvas,
                number,
                windows,
                stops=memory.stops if memory else (1,) if self._alone else (),
                at_once=self._at_once(block, runner.batch),
                image=self._plan.image.name,
            )
        runner.done = after

    def _look_at_noise(self) -> Gate | None:
        """Estimate the noise of the image, from three frames or four tiles at most, where the model has a limit."""
        plan, limit = self._plan, self._plan.model.trust.denoise_above
        if limit is None or not plan.settings.denoise:
            return None
        frames = plan.frames.indices
        chosen = [frames[number] for number in sorted({0, len(frames) // 2, len(frames) - 1})]
        whole = whole_box(plan.grid)
        windows = [
            each
            for index in (chosen if not plan.tiles else chosen[:1])
            for each in self._windows(Block((index,), (0,) * len(whole), whole))
        ]
        windows = [windows[number] for number in sorted({*np.linspace(0, len(windows) - 1, 4).astype(int)})]
        sigma = float(np.median([estimate_noise(each.read()[0].numpy()) for each in windows]))
        return Gate(sigma, choose_smoothing(sigma, limit))

    def steer(self, plan: Plan, numbers: Sequence[int]) -> None:
        """Take other prompts, of which these blocks are to be computed."""
        self._plan = replace(self._plan, said=plan.said)
        self._canvas.plan, self._runner.prompts = self._plan, plan.said.notes()
        self._runner.done = 0
        self._runner.total = sum(self._count_steps(self._canvas.blocks[number]) for number in numbers)

    def mark(self, number: int) -> int:
        """Return a number that differs where something else was said of a block; 0 where nothing was."""
        plan, block = self._plan, self._canvas.blocks[number]
        assert self._memory is not None
        said = [window.said for window in self._windows(block)]
        said += [plan.said_of_result(index, self._memory.canvas.result_box(number)) for index in block.frames]
        told = [b"" if each is None else each.tobytes() for each in said]
        return hash(tuple(told)) if any(told) else 0

    def finish(self) -> Segmentation:
        """Return the result. A folder on disk is first renamed to its final name.

        Raises
        ------
        InputError
            Blocks are missing.
        """
        self._runner.done = self._runner.total
        return self._canvas.result(self._runner.provenance(self._plan.image.name))

    def _windows(self, block: Block) -> list[Window]:
        """Return what the networks see of a block; pixels are read when a window is."""
        plan, whole = self._plan, whole_box(self._plan.grid)
        if not plan.tiles:
            return [
                Window(place, self._reader(index), key=(index, ()), said=plan.said_of_grid(index, whole))
                for place, index in enumerate(block.frames)
            ]
        (index,), scale = block.frames, plan.intensities
        assert scale is not None
        regions = Regions(
            plan.frames.array[index], plan.grid, scale, plan.model, plan.image.name, self._runner.smoothing
        )
        return [
            Window(0, partial(regions.read, tile.box), tile, (index, tile.start), plan.said_of_grid(index, tile.box))
            for tile in plan.tiles.within(block.box)
        ]

    def _reader(self, index: tuple[int, ...]) -> "partial[Tensor]":
        """Return a function that reads a whole frame."""
        plan = self._plan
        return partial(_read_whole, plan.frames.array[index], plan, self._runner.smoothing)

    def _at_once(self, block: Block, batch: int) -> int:
        cells = math.prod(b - a for a, b in block.box)
        return self._plan.samples_at_once(batch, cells, after_first=self._alone)

    def _count_steps(self, block: Block) -> int:
        """Count the embeddings and sampling steps of a block."""
        plan, runner = self._plan, self._runner
        windows = plan.tiles.count(block.box) if plan.tiles else len(block.frames)
        left = plan.wanted - self._alone
        batches = self._alone + math.ceil(left / self._at_once(block, plan.batch))
        return windows * (min(runner.views, plan.wanted) + runner.steps * batches)


def _read_whole(pixels: Any, plan: Plan, smoothing: float) -> Tensor:
    return prepare(np.asarray(pixels), plan.grid, plan.model, plan.image.name, plan.intensities, smoothing)


def _refuse(plan: Plan, runner: Runner, *, on_disk: bool) -> None:
    """Refuse what cannot be computed, before any work starts."""
    if plan.tiles and runner.renormalizes:
        raise InputError(
            f"The sampler {runner.sampler!r} re-normalises the whole latent, so that an image cannot be cut into "
            "tiles; choose another sampler, or crop the image."
        )
    if runner.guess_weight and not plan.model.guesses:
        raise InputError(
            f"The model {plan.model.name!r} makes no first guess that could be mixed with its samples; set "
            "guess_weight to 0, or choose another model."
        )
    if on_disk and plan.settings.smoothing:
        raise InputError(
            "A sequence that is written to disk cannot be smoothed in time; set the smoothing to 0, or take fewer "
            "frames at a time."
        )
    if plan.needs_disk and not on_disk:
        raise InputError(
            f"At the model's pixel size this image is {' x '.join(map(str, plan.grid.inner))} pixels, which do not "
            "fit into memory with their samples; write the result to disk (into='result.zarr'), or take a part of it."
        )
