"""Masks that several raters drew of one image."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..datasets import UNLABELLED
from ..errors import InputError
from ._dataset import Case, soft_masks


def with_raters(case: Case, labels: Sequence[NDArray[Any]]) -> Case:
    """Return the case with the masks of several raters in place of its own.

    Each draw for training takes one of them at random; the first guess learns their mean. Scores compare with the
    class that most raters chose (of equals, the lower one).

    Parameters
    ----------
    case : Case
    labels : sequence of integer arrays, shape ((Z), Y, X)
        Class indices by each rater; 255 is unlabelled.

    Raises
    ------
    InputError
        If there are none, or a shape differs from that of the case's labels.
    """
    if not labels or any(each.shape != case.labels.shape for each in labels):
        raise InputError(f"{case.name} needs one label mask of shape {case.labels.shape} from each rater.")
    classes, shape = case.masks.shape[0], tuple(case.masks.shape[1:])
    raters = torch.stack([soft_masks(each, classes, shape) for each in labels])
    return replace(case, masks=raters.mean(dim=0), raters=raters, labels=majority(labels, classes))


def majority(labels: Sequence[NDArray[Any]], classes: int) -> NDArray[np.uint8]:
    """Return the class that most raters chose in each pixel; 255 where nobody labelled it."""
    votes = np.stack([sum((each == index).astype(np.int16) for each in labels) for index in range(classes)])
    chosen: NDArray[np.uint8] = np.where(votes.max(axis=0) > 0, votes.argmax(axis=0), UNLABELLED).astype(np.uint8)
    return chosen


def rater_count(case: Case) -> int:
    """Return how many raters a case has; 1 for ordinary ones."""
    return 1 if case.raters is None else len(case.raters)


def targets(case: Case, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
    """Return the masks (classes, *S) that a draw is trained on, and the mean of the raters where there are several."""
    if case.raters is None:
        return case.masks, None
    return case.raters[int(torch.randint(len(case.raters), (), generator=generator))], case.masks
