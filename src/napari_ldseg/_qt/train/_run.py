"""A training process, followed from a thread: its reports become signals, and its model one of the user's."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Signal
from skimage.segmentation import find_boundaries

from ...checkpoints import ModelEntry, install_model
from ...errors import CheckpointError, LDSegError
from ...training import TrainProcess
from ..threads._background import Background

POLL = 0.2
MODEL, PREVIEW = "model.safetensors", "preview.npz"
PREDICTED, REFERENCE = (230, 159, 0), (86, 180, 233)
SMALLEST = 240


@dataclass(frozen=True)
class Report:
    """New lines of the log (see :class:`training.TrainProgress`), and the newest preview as RGB, if there is one."""

    rows: list[dict[str, Any]]
    picture: NDArray[np.uint8] | None


@dataclass(frozen=True)
class Ended:
    """How a run ended.

    Attributes
    ----------
    state : {"done", "saved", "failed", "killed", "cancelled"}
    text, details : str
        In words; details for those who can read a traceback.
    model : ModelEntry or None
        The new model in the user's folder.
    """

    state: str
    text: str = ""
    details: str = ""
    model: ModelEntry | None = None


class TrainRun(Background):
    """Start a training process and follow it; ``reported`` carries a Report, ``finished`` an :class:`Ended`.

    When the thread is stopped, for example because napari closes, the process is let go: it saves its state and ends.
    """

    reported = Signal(object)

    def __init__(self, process: TrainProcess) -> None:
        super().__init__()
        self.process = process
        self._cancelled = False

    def cancel(self) -> None:
        """End the process and leave nothing of it."""
        self._cancelled = True

    def work(self) -> Ended:
        """Follow the process to its end."""
        try:
            return self._follow()
        except LDSegError as error:
            return Ended("failed", str(error))
        except Exception as error:  # noqa: BLE001  the border: whatever it is, the user is told
            return Ended("failed", f"{type(error).__name__}: {error}")

    def _follow(self) -> Ended:
        self._tell()  # what there is of a run that is resumed
        self.process.start()
        running = True
        while running and not self._cancelled:
            if self._stop.wait(POLL):
                self.process.let_go()
                return Ended("saved")
            running = self.process.is_running()
            self._tell()
        if self._cancelled:
            self.process.discard()
            return Ended("cancelled", "Cancelled; nothing was kept.")
        outcome = self.process.outcome()
        if outcome.state != "done":
            return Ended(outcome.state, outcome.text, outcome.details)
        return Ended("done", model=publish(self.process))

    def _tell(self) -> None:
        rows = self.process.news()
        if rows:
            fresh = any(row.get("preview") for row in rows)
            self.reported.emit(Report(rows, read_preview(self.process.folder / PREVIEW) if fresh else None))


def publish(process: TrainProcess) -> ModelEntry:
    """Put the model of a finished run among the user's, and delete the run."""
    model, name = process.folder / MODEL, process.job().name
    try:
        entry = install_model(model, name)
    except CheckpointError:
        entry = install_model(model)  # the name was given away meanwhile: with a number
    shutil.rmtree(process.folder, ignore_errors=True)
    return entry


def read_preview(path: Path) -> NDArray[np.uint8] | None:
    """Return the picture of a preview: the image, the outlines of the segmentation and of the reference on it."""
    try:
        with np.load(path, allow_pickle=False) as file:
            image, labels, reference = file["image"], file["labels"], file["reference"]
    except (OSError, ValueError, KeyError):
        return None
    times = max(1, -(-SMALLEST // max(labels.shape)))
    image, labels, reference = (
        np.repeat(np.repeat(array, times, axis=0), times, axis=1) for array in (image, labels, reference)
    )
    if image.ndim == 2 or image.shape[-1] < 3:
        image = np.stack([image if image.ndim == 2 else image[..., 0]] * 3, axis=-1)
    picture = _bytes(image[..., :3])
    for mask, color in ((reference, REFERENCE), (labels, PREDICTED)):
        picture[find_boundaries(np.where(mask == 255, 0, mask), mode="inner")] = color
    return np.ascontiguousarray(picture)


def _bytes(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Stretch intensities to 0..255; bytes stay as they are."""
    if image.dtype == np.uint8:
        return image.copy()
    values = np.nan_to_num(image.astype(np.float32))
    low, high = np.percentile(values, (0.5, 99.5))
    scaled = np.clip((values - low) / max(high - low, 1e-9), 0, 1) * 255
    return np.asarray(scaled, np.uint8)
