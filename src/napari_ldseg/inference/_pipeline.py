"""segment(): the one way from an image to masks; the viewer, the command line and the tests all consume it."""

import math
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor

from ..checkpoints import autocast, resolve_device
from ..config import SamplerName, SegmentConfig
from ..data import Image
from ..errors import EngineError
from ..networks import LDSeg
from ._maps import Maps
from ._preprocess import frames, prepare
from ._result import Progress, Segmentation
from ._sampling import decode_probabilities, mirror, sample_latents
from ._statistics import RunningStatistics

MIN_AUTO = 8
PIXELS_AT_ONCE = 2_500_000


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
        If the image, its axes, channels or size do not fit the model.
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
    wanted = config.max_samples if config.samples == "auto" else config.samples
    maps = Maps(image, model.config, wanted, config.keep_mb)
    device = resolve_device(config.device)
    run = _Run(_ready(model, device), image, config, device, maps, wanted)
    yield Progress(0, run.total, "Reading the image")
    for number, (index, pixels) in enumerate(frames(image, model.config)):
        run.frame = number
        tensor = prepare(pixels, maps.grid, model.config, image.name)
        yield from _segment_frame(run, tensor, index)
    return maps.freeze(run.provenance)


def _ready(model: LDSeg, device: torch.device) -> LDSeg:
    """Bring the model to the device, with the weights in the order of memory that its convolutions are fastest in."""
    weights = list(model.parameters())  # asked first, since moving what is in place already takes a third of a run
    flat = model.config.network.ndim == 2
    if flat and not all(w.is_contiguous(memory_format=torch.channels_last) for w in weights if w.ndim == 4):
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if any(w.device != device for w in weights):
        model = model.to(device)
    return model.eval()


@dataclass
class _Run:
    """What a run knows of itself while it goes on."""

    model: LDSeg
    image: Image
    config: SegmentConfig
    device: torch.device
    maps: Maps
    wanted: int
    frame: int = 0
    done: int = 0
    batch: int = 0
    started: float = field(default_factory=time.perf_counter)

    def __post_init__(self) -> None:
        fitting = int(PIXELS_AT_ONCE // self.maps.grid.cells)
        self.batch = max(1, min(self.config.batch, fitting))

    @property
    def sampler(self) -> SamplerName:
        return self.config.sampler or self.model.config.sampler

    @property
    def views(self) -> int:
        return min(self.config.views or self.model.config.views, 1 << self.ndim)

    @property
    def ndim(self) -> int:
        return self.model.config.network.ndim

    @property
    def steps(self) -> int:
        return self.config.steps or self.model.config.steps

    @property
    def frames(self) -> int:
        return math.prod(self.maps.leading)

    @property
    def steps_per_frame(self) -> int:
        """Steps if the frame does not settle early: the embeddings, one sample alone, then batches."""
        return min(self.views, self.wanted) + self.steps * (1 + math.ceil((self.wanted - 1) / self.batch))

    @property
    def total(self) -> int:
        return max(self.frames * self.steps_per_frame, self.done)

    def progress(self, text: str, preview: Segmentation | None = None) -> Progress:
        text = f"Frame {self.frame + 1} of {self.frames}: {text}" if self.frames > 1 else text[0].upper() + text[1:]
        return Progress(self.done, self.total, text, preview)

    @property
    def provenance(self) -> dict[str, Any]:
        """All that is needed to compute the same again."""
        return {
            "software": "napari-ldseg",
            "version": version("napari-ldseg"),
            "model": self.model.config.name,
            "model_sha256": self.model.sha256,
            "image": self.image.name,
            "sampler": self.sampler,
            "steps": self.steps,
            "views": self.views,
            "batch": self.batch,
            "seed": self.config.seed,
            "settings": self.config.model_dump(mode="json"),
            "device": str(self.device),
            "seconds": round(time.perf_counter() - self.started, 3),
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
        }


def _segment_frame(run: _Run, tensor: Tensor, index: tuple[int, ...]) -> Generator[Progress, None, None]:
    """Embed one frame, draw its samples batch by batch, and bring its maps up to date after each."""
    run.done = run.frame * run.steps_per_frame
    conditions: dict[int, Tensor] = {}
    statistics = RunningStatistics()
    while statistics.count < run.wanted and not _settled(run, statistics):
        start = statistics.count
        # The first sample comes alone, so that something is on screen at once.
        samples = range(start, min(start + run.batch, run.wanted) if start else 1)
        views = [sample % run.views for sample in samples]
        for view in sorted(set(views) - set(conditions)):
            conditions[view] = _embed(run, mirror(tensor, view, run.ndim))
            run.done += 1
            yield run.progress("image embedded")
        try:
            latents = yield from _draw(run, torch.cat([conditions[view] for view in views]), samples)
            probabilities = decode_probabilities(run.model, latents).cpu()
        except RuntimeError as error:
            run.batch = _smaller_batch(run, samples, error)
            continue
        if not torch.isfinite(probabilities).all():
            raise EngineError("The networks returned values that are not numbers; the model file may be damaged.")
        probabilities = torch.stack(
            [mirror(sample, view, run.ndim) for sample, view in zip(probabilities, views, strict=True)]
        )
        statistics.add(probabilities)
        run.maps.write(index, statistics)
        run.maps.write_samples(index, samples, probabilities)
        text = f"{statistics.count} sample{'s' if statistics.count > 1 else ''}"
        yield run.progress(text, run.maps.freeze(run.provenance))
    run.done = (run.frame + 1) * run.steps_per_frame


def _embed(run: _Run, tensor: Tensor) -> Tensor:
    try:
        # Always one image at a time, so that bfloat16 cannot make a result depend on what else is computed with it.
        with torch.inference_mode(), autocast(run.device, run.config.precision):
            embedding, _ = run.model.embed(tensor.to(run.device))
        with torch.inference_mode():
            return run.model.condition(embedding.float())
    except RuntimeError as error:
        reason = "there is not enough memory; crop the image or choose the CPU" if _out_of_memory(error) else str(error)
        raise EngineError(f"The image could not be embedded on {run.device}: {reason}.") from error


def _draw(run: _Run, condition: Tensor, samples: range) -> Generator[Progress, None, Tensor]:
    """Draw one batch of samples, yielding at each step; return the clean latents."""
    latent = condition
    drawn = sample_latents(run.model, condition, samples, seed=run.config.seed, sampler=run.sampler, steps=run.steps)
    for step, current in enumerate(drawn, start=1):
        latent = current
        run.done += 1
        yield run.progress(f"sampling, step {step} of {run.steps}")
    return latent


def _settled(run: _Run, statistics: RunningStatistics) -> bool:
    """Whether ``samples="auto"`` has seen enough."""
    if run.config.samples != "auto" or statistics.count < MIN_AUTO:
        return False
    return statistics.standard_error() < run.config.tolerance


def _smaller_batch(run: _Run, samples: range, error: RuntimeError) -> int:
    """Half the batch after an out-of-memory error; anything else, or a batch of one, ends the run in words."""
    if not _out_of_memory(error):
        raise EngineError(f"The computation failed on {run.device}: {error}") from error
    if len(samples) == 1:
        raise EngineError(
            f"There is not enough memory on {run.device} for a single sample of this image; "
            "close other programs, choose the CPU, or crop the image."
        ) from error
    return max(1, len(samples) // 2)


def _out_of_memory(error: RuntimeError) -> bool:
    words = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in words or "can't allocate memory" in words
