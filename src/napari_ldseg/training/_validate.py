"""Scores of a model on annotated frames; pixels that nobody annotated do not count."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .._util import follow
from ..config import SegmentConfig, TrainConfig
from ..datasets import UNLABELLED
from ..inference import Segmentation, segment
from ..metrics import dice
from ..networks import LDSeg
from ._dataset import Case
from ._partial import fill_nearest


@torch.no_grad()
def reconstruction_dice(model: LDSeg, case: Case) -> float:
    """Mean foreground DSC of a mask that went through the latent and back, on the networks' grid."""
    factor = model.config.network.factor
    margins = [(0, 0), *((0, -side % factor) for side in case.masks.shape[1:])]
    masks = torch.from_numpy(np.pad(case.masks.numpy(), margins, mode="symmetric"))[None]
    complete = fill_nearest(masks) if case.partial else masks
    device = next(model.parameters()).device
    rebuilt = model.decode(model.encode(complete.to(device))).argmax(dim=1).cpu().numpy()
    known = masks.sum(dim=1).numpy() > 0.5
    return mean_dice(rebuilt[known], masks.argmax(dim=1).numpy()[known], masks.shape[1])


def segmentation_dice(model: LDSeg, case: Case, config: TrainConfig) -> tuple[float, Segmentation]:
    """Mean foreground DSC of a segmentation against the labels, at the image's own resolution, and the segmentation."""
    settings = SegmentConfig(samples=config.validation_samples, seed=config.seed, device=config.device)
    result = follow(segment(model, case.source, settings))
    known = case.labels != UNLABELLED
    return mean_dice(result.labels[known], case.labels[known], model.config.network.classes), result


def mean_dice(prediction: NDArray[Any], reference: NDArray[Any], classes: int) -> float:
    """Mean DSC over the foreground classes that are in either mask; nan if none is."""
    present = [c for c in range(1, classes) if (prediction == c).any() or (reference == c).any()]
    scores = (
        dice(prediction, reference, classes)[present]
        if len(present) == classes - 1
        else [float(dice(prediction == c, reference == c, 2)[1]) for c in present]
    )
    return float(np.mean(scores)) if present else math.nan


def mean_score(scores: Sequence[float]) -> float:
    """Mean of the scores that are numbers; nan if none is."""
    known = [score for score in scores if not math.isnan(score)]
    return math.fsum(known) / len(known) if known else math.nan
