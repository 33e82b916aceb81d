"""Score how likely the true labels are under a model's map: a proper score, for the choice of weights."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from ..inference import Segmentation
from ..networks import LDSeg
from ._dataset import Case
from ._embedded import padded

# No probability counts as less.
LEAST = 1e-4


@torch.no_grad()
def mixture_nll(model: LDSeg, case: Case, result: Segmentation) -> float:
    """Return the mean negative log-likelihood of the annotated pixels, in nats.

    Under the mean of the samples and the first guess, half each (the former alone for a model without a guess), on the
    networks' grid, where several raters' shares are soft labels.
    """
    shape = tuple(case.image.shape[1:])
    mode = "bilinear" if len(shape) == 2 else "trilinear"
    mean = torch.from_numpy(np.asarray(result.mean, np.float32))[None]
    if tuple(mean.shape[2:]) != shape:
        mean = F.interpolate(mean, size=shape, mode=mode, antialias=len(shape) == 2, align_corners=False)
    stride, device = model.config.network.stride, next(model.parameters()).device
    outer = tuple(side + -side % stride for side in shape)
    _, logits = model.embed(padded(case.image, outer)[None].to(device))
    if logits is not None:
        guess = logits.float().softmax(dim=1).cpu()[:, :, *(slice(side) for side in shape)]
        mean = (mean + guess) / 2
    total = case.masks.sum()
    return float(-(case.masks * mean[0].clamp_min(LEAST).log()).sum() / total) if total else math.nan
