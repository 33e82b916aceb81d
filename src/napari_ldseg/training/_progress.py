"""Report the progress of a training: numbers, and the preview of one validation image."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

from .._util import Progress, replacing
from ..inference import Segmentation
from ._dataset import Case
from ._run_folder import PREVIEW

PREVIEW_SIDE = 512


@dataclass(frozen=True)
class TrainProgress(Progress):
    """How far a training is, yielded about twice a second and at every validation.

    Attributes
    ----------
    done, total : int
        Optimiser steps done in this stage, and planned (estimated under a time budget).
    text : str
        What was chosen or done; mostly empty.
    stage : str
        ``"autoencoder"``, ``"denoiser"``, ``"decoder"`` (of masks, alone) or ``"prompts"``.
    loss : float
        Mean training loss since the last report; nan where no step was done.
    validation : float or None
        Mean foreground DSC per validation image, where one was just computed; in the stage ``"prompts"`` half of it is
        the DSC without a prompt, half the mean of those after one, two and three clicks.
    seconds_left : float
        Estimate for the whole training.
    memory_mb : float
        Memory of this process, and of the GPU where there is one, in MB.
    preview : Path or None
        File with the preview of one validation image, where it was just written (:func:`write_preview`).
    """

    stage: str = ""
    loss: float = math.nan
    validation: float | None = None
    seconds_left: float = 0.0
    memory_mb: float = 0.0
    preview: Path | None = None

    @property
    def is_milestone(self) -> bool:
        """Whether it carries words or a validation score."""
        return bool(self.text) or self.validation is not None

    def row(self) -> dict[str, Any]:
        """Return the line of ``log.jsonl``, in which ``done`` is ``step``, ``text`` is ``note``, and nan is null."""
        values = asdict(self)
        row = {"stage": values.pop("stage"), "step": values.pop("done"), "note": values.pop("text"), **values}
        return {key: None if value != value else value for key, value in row.items()}


def memory_mb() -> float:
    """Memory of this process, and what PyTorch has taken of the GPU."""
    gpu = torch.cuda.memory_reserved() if torch.cuda.is_initialized() else 0
    return float(psutil.Process().memory_info().rss + gpu) / 2**20


def write_preview(folder: Path, case: Case, result: Segmentation) -> Path:
    """Write one image with its segmentation as ``preview.npz``, beside its place and then renamed.

    The arrays are ``image`` (Y, X) or (Y, X, C) in the file's own numbers, ``labels``, ``sd`` and ``reference`` (Y, X),
    at most 512 pixels a side; of a volume, the slice with most foreground.
    """
    source = case.source
    image = np.moveaxis(source.array, 0, -1) if "c" in source.axes else source.array
    maps = {"image": image, "labels": result.labels, "sd": result.sd, "reference": case.labels}
    if case.labels.ndim == 3:
        z = int(((case.labels > 0) & (case.labels < 255)).sum(axis=(1, 2)).argmax())
        maps = {name: array[z] for name, array in maps.items()}
    stride = -(-max(case.labels.shape[-2:]) // PREVIEW_SIDE)
    small: dict[str, Any] = {name: array[::stride, ::stride] for name, array in maps.items()}
    with replacing(folder / PREVIEW) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **small)
    return folder / PREVIEW
