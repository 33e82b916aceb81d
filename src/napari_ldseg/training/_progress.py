"""What a training reports while it runs: numbers, and the preview of one validation image."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

from .._util import replacing
from ..inference import Segmentation
from ._dataset import Case

PREVIEW = "preview.npz"
PREVIEW_SIDE = 512


@dataclass(frozen=True)
class Epoch:
    """One report of a training, yielded about twice a second and at every validation.

    Attributes
    ----------
    stage : str
        ``"autoencoder"``, ``"denoiser"`` or ``"decoder"`` (of masks, alone).
    step, total : int
        Optimiser steps done in this stage, and planned (estimated under a time budget).
    loss : float
        Mean training loss since the last report; nan where no step was done.
    validation : float or None
        Mean foreground DSC per validation image, where one was just computed.
    seconds_left : float
        Estimate for the whole training.
    memory_mb : float
        Memory of this process, and of the GPU where there is one, in MB.
    preview : Path or None
        File with the preview of one validation image, where it was just written (:func:`write_preview`).
    note : str
        What was chosen or done, in words.
    """

    stage: str
    step: int
    total: int
    loss: float
    validation: float | None
    seconds_left: float
    memory_mb: float = 0.0
    preview: Path | None = None
    note: str = ""


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
