"""segment(): the one way from an image to masks; the viewer, the command line and the tests all consume it."""

import math
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..checkpoints import resolve_device
from ..config import SamplerName, SegmentConfig
from ..data import Image
from ..errors import EngineError
from ..networks import LDSeg
from ._preprocess import Grid, frame_shape, frames, plan_grid, prepare, restore
from ._result import Progress, Segmentation
from ._sampling import decode_probabilities, sample_latents
from ._statistics import RunningStatistics

MIN_AUTO = 8
PIXELS_AT_ONCE = 2_500_000


@dataclass
class _Run:
    """What a run knows of itself while it goes on."""

    model: LDSeg
    image: Image
    config: SegmentConfig
    device: torch.device
    sampler: SamplerName
    steps: int
    frames: int
    started: float
    batch: int
    done: int = 0

    @property
    def wanted(self) -> int:
        """The largest number of samples that may be drawn for each frame."""
        return self.config.max_samples if self.config.samples == "auto" else self.config.samples

    @property
    def total(self) -> int:
        """Steps in all, if no frame settles early."""
        return self.frames * (1 + self.steps * len(list(_chunks(self.wanted, self.batch))))


@dataclass
class _Maps:
    """The maps of all frames, filled one frame after another."""

    mean: NDArray[np.float32]
    sd: NDArray[np.float32]
    sizes: list[NDArray[np.float64]]
    axes: str
    spacing: tuple[float, ...] | None


def segment(model: LDSeg, image: Image, config: SegmentConfig | None = None) -> Generator[Progress, None, Segmentation]:
    """Segment an image, with uncertainty (LDSeg, algorithm 2, repeated N times).

    Parameters
    ----------
    model : LDSeg
        From :func:`load_model`; it is moved to the device and set to evaluation.
    image : Image
        Leading axes that the model does not see (time, position, slices for a 2D model) are frames, each segmented
        on its own with the same noise per sample index, so that a still sequence does not flicker.
    config : SegmentConfig, optional

    Yields
    ------
    Progress
        After the embedding and after every sampling step; with a preview after every batch of samples.
        Closing the generator cancels.

    Returns
    -------
    Segmentation
        On the grid of the input. Sample ``i`` depends only on the seed and on ``i``.

    Raises
    ------
    InputError
        If the image, its axes, channels or size do not fit the model.
    EngineError
        If the computation fails, for example for want of memory with a single sample at a time.

    Examples
    --------
    >>> from napari_ldseg import load_model, segment, SegmentConfig
    >>> from napari_ldseg.data import colon_gland
    >>> *_, last = segment(load_model("glas"), colon_gland(), SegmentConfig(samples=4))  # doctest: +SKIP
    """
    config = config or SegmentConfig()
    leading, axes, spacing = frame_shape(image, model.config)
    device = resolve_device(config.device)
    run = _Run(
        model=model.to(device).eval(),
        image=image,
        config=config,
        device=device,
        sampler=config.sampler or model.config.sampler,
        steps=config.steps or model.config.steps,
        frames=math.prod(leading),
        started=time.perf_counter(),
        batch=config.batch,
    )
    sizes = dict(zip(image.axes, np.shape(image.array), strict=True))
    shape = tuple(sizes[axis] for axis in axes[len(leading) :])
    grid = plan_grid(shape, spacing, model.config)
    classes = model.config.network.classes
    maps = _Maps(
        mean=np.zeros((*leading, classes, *shape), dtype=np.float32),
        sd=np.zeros((*leading, *shape), dtype=np.float32),
        sizes=[],
        axes=axes,
        spacing=spacing,
    )
    maps.mean[(*[slice(None)] * len(leading), 0)] = 1
    yield Progress(0, run.total, "Reading the image")
    for number, (index, pixels) in enumerate(frames(image, model.config)):
        tensor = prepare(pixels, grid, model.config, image.name)
        yield from _segment_frame(run, tensor, grid, maps, index, number)
    return _result(run, maps, leading)


def _segment_frame(
    run: _Run, tensor: Tensor, grid: Grid, maps: _Maps, index: tuple[int, ...], number: int
) -> Generator[Progress, None, None]:
    """Embed one frame, draw its samples batch by batch, and write its maps after each."""
    condition = _embed(run, tensor)
    run.done += 1
    yield Progress(run.done, run.total, _stage(run, number, "image embedded"))
    statistics, sizes = RunningStatistics(), []
    limit = max(1, int(PIXELS_AT_ONCE // grid.cells))
    start = 0
    while start < run.wanted:
        samples = range(start, min(start + (min(run.batch, limit) if start else 1), run.wanted))
        try:
            latents = yield from _draw(run, condition, samples, number)
            chunk = decode_probabilities(run.model, latents).cpu()
        except RuntimeError as error:
            if not _out_of_memory(error):
                raise EngineError(f"The computation failed on {run.device}: {error}") from error
            if len(samples) == 1:
                raise EngineError(
                    f"Not enough memory on {run.device} for a single sample of this image; "
                    "close other programs, choose the CPU, or crop the image."
                ) from error
            run.batch = max(1, len(samples) // 2)
            continue
        if not torch.isfinite(chunk).all():
            raise EngineError("The networks returned values that are not numbers; the model file may be damaged.")
        statistics.add(chunk)
        sizes.append(_class_sizes(chunk, grid, maps.spacing))
        start = samples.stop
        _write(maps, index, statistics, grid)
        settled = _settled(run, statistics)
        last = settled or start >= run.wanted
        current = [*maps.sizes, np.concatenate(sizes)]
        preview = _result(run, _Maps(maps.mean, maps.sd, current, maps.axes, maps.spacing), ())
        yield Progress(run.done, run.total, _stage(run, number, f"{start} samples"), preview)
        if last:
            break
    maps.sizes.append(np.concatenate(sizes))
    run.done = (number + 1) * (run.total // run.frames)


def _embed(run: _Run, tensor: Tensor) -> Tensor:
    try:
        with torch.no_grad():
            embedding, _ = run.model.embed(tensor.to(run.device))
            return run.model.condition(embedding)
    except RuntimeError as error:
        reason = "there is not enough memory; crop the image or choose the CPU" if _out_of_memory(error) else str(error)
        raise EngineError(f"The image could not be embedded on {run.device}: {reason}.") from error


def _draw(run: _Run, condition: Tensor, samples: range, number: int) -> Generator[Progress, None, Tensor]:
    """Draw one batch of samples, yielding at each step; return the clean latents."""
    latent = condition
    drawn = sample_latents(
        run.model, condition, samples, seed=run.config.seed, sampler=run.sampler, steps=run.steps
    )
    for step, latent in enumerate(drawn, start=1):
        run.done += 1
        yield Progress(run.done, max(run.total, run.done), _stage(run, number, f"step {step} of {run.steps}"))
    return latent


def _chunks(wanted: int, batch: int) -> Iterator[int]:
    """Sizes of the batches: the first sample alone, so that something is on screen at once."""
    yield 1
    for start in range(1, wanted, batch):
        yield min(batch, wanted - start)


def _settled(run: _Run, statistics: RunningStatistics) -> bool:
    """Whether ``samples="auto"`` has seen enough."""
    if run.config.samples != "auto" or statistics.count < MIN_AUTO:
        return False
    return statistics.standard_error() < run.config.tolerance


def _class_sizes(chunk: Tensor, grid: Grid, spacing: tuple[float, ...] | None) -> NDArray[np.float64]:
    """Area or volume of each class in each sample, (N, C), in pixels of the input times the pixel size."""
    inner = chunk[(..., *(slice(side) for side in grid.inner))]
    classes = inner.argmax(dim=1).flatten(1)
    counts = torch.stack([(classes == c).sum(dim=1) for c in range(chunk.shape[1])], dim=1)
    pixel = math.prod(spacing) if spacing is not None else 1.0
    return counts.numpy() * (math.prod(grid.source) / math.prod(grid.inner) * pixel)


def _write(maps: _Maps, index: tuple[int, ...], statistics: RunningStatistics, grid: Grid) -> None:
    both = torch.cat([statistics.mean, statistics.sd[None]])[None]
    restored = restore(both, grid)[0].numpy()
    maps.mean[index] = restored[:-1]
    maps.sd[index] = restored[-1]


def _result(run: _Run, maps: _Maps, leading: tuple[int, ...]) -> Segmentation:
    """Freeze the maps; a preview shares the arrays of means and SDs, which later samples refine."""
    class_axis = maps.mean.ndim - 1 - len(maps.axes.replace("t", "").replace("p", "").replace("s", ""))
    config = run.model.config
    counts = [len(sizes) for sizes in maps.sizes]
    samples = max(counts)
    sizes = np.full((len(counts), samples, config.network.classes), np.nan)
    for row, values in zip(sizes, maps.sizes, strict=True):
        row[: len(values)] = values
    return Segmentation(
        labels=maps.mean.argmax(axis=class_axis).astype(np.uint8),
        mean=maps.mean,
        sd=maps.sd,
        sizes=sizes.reshape(*leading, samples, -1) if leading else sizes[-1] if len(sizes) == 1 else sizes,
        axes=maps.axes,
        spacing=maps.spacing,
        unit=run.image.unit,
        class_names=config.class_names,
        class_colors=config.class_colors,
        samples=samples,
        provenance={
            "software": "napari-ldseg",
            "version": version("napari-ldseg"),
            "model": config.name,
            "model_sha256": run.model.sha256,
            "image": run.image.name,
            "sampler": run.sampler,
            "steps": run.steps,
            "samples": samples,
            "seed": run.config.seed,
            "settings": run.config.model_dump(mode="json"),
            "device": str(run.device),
            "seconds": round(time.perf_counter() - run.started, 3),
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
        },
    )


def _stage(run: _Run, number: int, text: str) -> str:
    return f"Frame {number + 1} of {run.frames}, {text}" if run.frames > 1 else text[0].upper() + text[1:]


def _out_of_memory(error: RuntimeError) -> bool:
    words = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in words or "can't allocate memory" in words
