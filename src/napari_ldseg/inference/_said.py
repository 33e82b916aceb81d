"""What was said, as the networks and the maps take it."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..prompts import NOTHING

Classes = NDArray[np.uint8]


def prompt_map(said: Classes, classes: int) -> Tensor:
    """Return a plane for each class, (1, C, *S): 1 where a pixel was said to be of it. 255 in ``said`` is no class."""
    planes = np.stack([said == label for label in range(classes)])
    return torch.from_numpy(planes)[None].float()


@torch.inference_mode()
def force(probabilities: Tensor, said: Classes | None) -> None:
    """Make what was said true, in place, in probabilities (N, C, *S) and thus in all that comes of them."""
    if said is None:
        return
    probabilities[:, :, torch.from_numpy(said != NOTHING)] = 0
    for label in np.unique(said[said != NOTHING]).tolist():
        probabilities[:, label, torch.from_numpy(said == label)] = 1


def force_maps(maps: NDArray[np.float32], said: Classes | None) -> None:
    """Make it true in place in maps (C + 1, *S): the mean of each class, and the SD, which is 0 there."""
    if said is None:
        return
    maps[:, said != NOTHING] = 0
    for label in np.unique(said[said != NOTHING]).tolist():
        maps[label, said == label] = 1
