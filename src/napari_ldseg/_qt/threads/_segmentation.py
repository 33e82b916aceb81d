"""Run the engine in a thread: its generator becomes signals, and no error is lost."""

import math
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal

from ..._util import Progress
from ...config import Device, SegmentConfig
from ...data import Image
from ...plan import Plan
from ._background import SIGN_OF_LIFE, Background
from ._import_torch import import_torch

if TYPE_CHECKING:
    from ...inference import Segmentation, SegmentProgress
    from ...networks import LDSeg

PREVIEW = 0.3
LARGE = 2**20


@dataclass(frozen=True)
class Job:
    """The request of one press of Segment. Lazy pixels are read in the thread.

    The result of an image that is too large for memory goes ``into`` an OME-Zarr.
    """

    plan: Plan
    model: Path
    into: Path | None = None

    @property
    def image(self) -> Image:
        """The part of the image that is segmented."""
        return self.plan.image

    @property
    def config(self) -> SegmentConfig:
        """The settings."""
        return self.plan.settings


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes
    ----------
    result : Segmentation or None
        The whole result, or what was done before it stopped or failed.
    error : Exception or None
    stopped : bool
        Whether the user stopped it.
    """

    result: Any = None
    error: Exception | None = None
    stopped: bool = False


class Loading(Progress):
    """Progress from before the engine runs."""


Engine = Callable[[Job], "Generator[SegmentProgress | Loading, None, Segmentation]"]


def engine(job: Job) -> "Generator[SegmentProgress | Loading, None, Segmentation]":
    """Load torch, the model and the image, which takes a while, then segment."""
    yield Loading(text="Loading the model")
    import_torch()
    from ...inference import segment

    yield Loading(text="Loading the model")
    model = load_once(job)
    yield Loading(text="Reading the image")
    return (yield from segment(model, job.plan, into=job.into, overwrite=True))


def load_once(job: Job) -> "LDSeg":
    """Return the model of a job, loaded unless the last job had it, too."""
    return _load(job.model, job.model.stat().st_mtime_ns if job.model.exists() else 0, job.config.device)


@lru_cache(maxsize=1)
def _load(path: Path, modified: int, device: Device) -> "LDSeg":
    """Load a model and cache the last one. A file that has changed is loaded again."""
    from ...checkpoints import load_model

    del modified
    return load_model(path, device)


class Run(Background):
    """One run in its thread. ``progressed`` carries a SegmentProgress or Loading, ``finished`` an Outcome.

    Both arrive in the thread that made the run. At most some 20 updates and 3 previews a second are emitted, however
    fast the engine is. Images of more than a million pixels take longer to draw, so they give fewer previews.
    """

    progressed = Signal(object)
    _stepped = Signal(object)

    def __init__(self, engine: Engine, job: Job) -> None:
        super().__init__()
        self._engine, self._job = engine, job
        self._stepped.connect(self._on_stepped)

    def work(self) -> Outcome:
        """Run the engine."""
        return _run(self._engine, self._job, self._stop, self._stepped.emit)

    def _on_stepped(self, progress: "SegmentProgress | Loading") -> None:
        if not self._stop.is_set():
            self.progressed.emit(progress)


def _run(
    engine: Engine, job: Job, stop: threading.Event, tell: "Callable[[SegmentProgress | Loading], object]"
) -> Outcome:
    """Run the engine to its end; emit what is due, and turn any error into an outcome."""
    steps = _steps(engine, job)
    latest: Segmentation | None = None
    life = shown = -math.inf
    try:
        while not stop.is_set():
            progress = next(steps)
            now = time.monotonic()
            if not isinstance(progress, Loading) and progress.preview is not None:
                latest = progress.preview
                size = latest.labels.size if latest.path is None else 0  # on disk, only what is on screen is read
                if now - shown >= PREVIEW * max(1, size / LARGE):
                    life = shown = now
                    tell(replace(progress, preview=_own(latest)))
            elif now - life >= SIGN_OF_LIFE:
                life = now
                tell(progress)
    except StopIteration as end:
        return Outcome(_own(end.value))
    except Exception as error:  # noqa: BLE001  the border: whatever it is, the user is told
        return Outcome(_own(latest), error)
    finally:
        steps.close()
    return Outcome(_own(latest), stopped=True)


def _steps(engine: Engine, job: Job) -> "Generator[SegmentProgress | Loading, None, Segmentation]":
    """Call the engine at the first step, so that errors of the call are caught, too."""
    return (yield from engine(job))


def _own(result: "Segmentation | None") -> "Segmentation | None":
    """Copy the maps for the viewer, because the engine keeps refining them. Those on disk stay there."""
    if result is None or result.path is not None or result.mean is None:
        return result
    mean, shown, highest = result.mean.copy(), result.probability, result.highest
    return replace(
        result,
        labels=result.labels.copy(),
        mean=mean,
        sd=result.sd.copy(),
        probability=mean if shown is None or shown is result.mean else shown.copy(),
        highest=None if highest is None else highest.copy(),
    )
