"""Follow a training process from a thread: its reports become signals, and its model joins the user's own."""

import shutil
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import find_boundaries

from ..._util import Progress
from ...checkpoints import ModelEntry, install_model
from ...errors import CheckpointError
from ...reports import to_display
from ...training import MODEL, PREVIEW, TrainProcess
from ..threads._background import Steps

POLL = 0.2
PREDICTED, REFERENCE = (230, 159, 0), (86, 180, 233)
SMALLEST = 240


@dataclass(frozen=True)
class Report(Progress):
    """New lines of the log (see :class:`training.TrainProgress`), and the newest preview as RGB, if there is one."""

    rows: tuple[dict[str, Any], ...] = ()
    picture: NDArray[np.uint8] | None = None

    @property
    def is_milestone(self) -> bool:
        """Whether it holds anything new."""
        return bool(self.rows)


@dataclass(frozen=True)
class Ended:
    """How a run ended.

    Attributes
    ----------
    state : {"done", "saved", "failed", "killed", "cancelled"}
    text, details : str
        A message for the user; the details hold the traceback.
    model : ModelEntry or None
        The new model in the user's folder.
    """

    state: str
    text: str = ""
    details: str = ""
    model: ModelEntry | None = None


class TrainRun(Steps):
    """Start a training process and follow it. ``progressed`` carries a :class:`Report`.

    ``finished`` carries a :class:`Done` with an :class:`Ended`. If the thread is stopped, for example because napari
    closes, the process saves its state and ends.
    """

    def __init__(self, process: TrainProcess) -> None:
        super().__init__(self._follow)
        self.process = process
        self._cancelled = False

    def cancel(self) -> None:
        """End the process and delete everything it made."""
        self._cancelled = True

    def _follow(self) -> Generator[Report, None, Ended]:
        yield self._news()  # the earlier state of a resumed run
        try:
            self.process.start()
            running = True
            while running and not self._cancelled:
                self._stop.wait(POLL)
                running = self.process.is_running()
                yield self._news()
        finally:
            self.process.let_go()
        if self._cancelled:
            self.process.discard()
            return Ended("cancelled", "Cancelled; nothing was kept.")
        outcome = self.process.outcome()
        if outcome.state != "done":
            return Ended(outcome.state, outcome.text, outcome.details)
        return Ended("done", model=publish(self.process))

    def _news(self) -> Report:
        rows = tuple(self.process.news())
        fresh = any(row.get("preview") for row in rows)
        return Report(rows=rows, picture=read_preview(self.process.folder / PREVIEW) if fresh else None)


def publish(process: TrainProcess) -> ModelEntry:
    """Move the model of a finished run to the user's models, and delete the run."""
    model, name = process.folder / MODEL, process.job().name
    try:
        entry = install_model(model, name)
    except CheckpointError:
        entry = install_model(model)  # the name is taken by now: add a number
    shutil.rmtree(process.folder, ignore_errors=True)
    return entry


def read_preview(path: Path) -> NDArray[np.uint8] | None:
    """Return the picture of a preview: the image with the outlines of segmentation and reference."""
    try:
        with np.load(path, allow_pickle=False) as file:
            image, labels, reference = file["image"], file["labels"], file["reference"]
    except (OSError, ValueError, KeyError):
        return None
    times = max(1, -(-SMALLEST // max(labels.shape)))
    image, labels, reference = (
        np.repeat(np.repeat(array, times, axis=0), times, axis=1) for array in (image, labels, reference)
    )
    picture = to_display(image)
    for mask, color in ((reference, REFERENCE), (labels, PREDICTED)):
        picture[find_boundaries(np.where(mask == 255, 0, mask), mode="inner")] = color
    return np.ascontiguousarray(picture)
