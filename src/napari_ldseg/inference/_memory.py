"""Collect a result in memory: the maps of all frames are filled one after another."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..measure import NOT_DRAWN, SampleMasks
from ..plan import MEGABYTE, Block, Plan, whole_box
from ._preprocess import crop_to_inner, restore
from ._result import Segmentation
from ._said import force_maps
from ._statistics import RunningStatistics


def most_likely(probabilities: Tensor) -> NDArray[np.uint8]:
    """Return class indices (N, *S) of probabilities (N, C, *S). Ties go to the lowest class.

    On the CPU, torch's argmax along this axis takes a hundred times as long.
    """
    labels = torch.zeros((len(probabilities), *probabilities.shape[2:]), dtype=torch.uint8)
    for mask, maps in zip(labels, probabilities, strict=True):
        best, better = maps[0], torch.empty(mask.shape, dtype=torch.bool)
        for c in range(1, len(maps)):
            torch.gt(maps[c], best, out=better)
            mask.masked_fill_(better, c)
            best = torch.maximum(best, maps[c]) if c + 1 < len(maps) else best
    return labels.numpy()


def count_classes(masks: NDArray[np.uint8], classes: int) -> NDArray[np.int64]:
    """Count the pixels of each class in each mask (N, *S); return (N, C)."""
    return np.array([[np.count_nonzero(mask == c) for c in range(classes)] for mask in masks])


class MemoryCanvas:
    """Arrays on the input's grid for every frame, with room for the sizes of all samples, and for some masks.

    Blocks are as many whole frames as are computed together (``group``).

    Parameters
    ----------
    plan : Plan
    group : int, optional
    mixed : bool
        Whether the map that is shown is another than the mean of the samples.
    """

    shows_first = True

    def __init__(self, plan: Plan, group: int | None = None, *, mixed: bool = False) -> None:
        self.plan, frames, self._grid = plan, plan.frames, plan.grid
        classes, indices, group = plan.model.network.classes, frames.indices, group or plan.frames_at_once
        start, box = (0,) * len(frames.shape), whole_box(plan.grid)
        groups = [tuple(indices[first : first + group]) for first in range(0, len(indices), group)]
        self.blocks = [Block(each, start, box) for each in groups]
        self._group, self._done = group, 0
        self.mean = np.zeros((*frames.leading, classes, *frames.shape), dtype=np.float32)
        np.moveaxis(self.mean, len(frames.leading), 0)[0] = 1  # nothing but background yet
        self.probability = self.mean.copy() if mixed else self.mean
        self.highest = np.zeros((*frames.leading, *frames.shape), dtype=np.float32)
        self.sd = np.zeros((*frames.leading, *frames.shape), dtype=np.float32)
        self.labels = np.zeros((*frames.leading, *frames.shape), dtype=np.uint8)
        self.sizes = np.full((*frames.leading, plan.wanted, classes), np.nan)
        self.ood = np.full(frames.leading, math.nan)
        self.samples = 0
        # Masks stay on the networks' grid, where they were drawn: nothing is lost, and it is the smaller grid.
        kept = min(plan.wanted, plan.settings.keep_mb * MEGABYTE // math.prod((*frames.leading, *plan.grid.inner)))
        self.masks = np.full((*frames.leading, kept, *plan.grid.inner), NOT_DRAWN, dtype=np.uint8)

    def todo(self) -> list[int]:
        """Return the numbers of the blocks that are not closed."""
        return list(range(self._done, len(self.blocks)))

    def part(self, number: int) -> str:
        """Name the first frame of a block, where there are several."""
        frames = self.plan.number
        return f"Frame {number * self._group + 1} of {frames}" if frames > 1 else ""

    def add(self, number: int, samples: range, statistics: Sequence[RunningStatistics], drawn: Tensor) -> None:
        """Update the maps of some frames."""
        for index, each, probabilities in zip(self.blocks[number].frames, statistics, drawn, strict=True):
            self.show(number, index, torch.cat([each.mean, each.sd[None]]))
            self.show_guess(index, each)
            self.samples = max(self.samples, each.count)
            self.write_samples(number, index, samples, probabilities)

    def show(self, number: int, index: tuple[int, ...], maps: Tensor) -> None:
        """Write mean and SD (C + 1, *outer) of a frame, and the labels that follow."""
        del number
        restored = restore(maps[None], self._grid)
        force_maps(restored[0].numpy(), self.plan.said_of_result(index))
        self.mean[index] = restored[0, :-1]
        self.labels[index] = most_likely(restored[:, :-1])[0]
        self.sd[index] = restored[0, -1]

    def show_guess(self, index: tuple[int, ...], statistics: RunningStatistics) -> None:
        """Write what the first guess adds to the maps of a frame."""
        self.ood[index] = statistics.disagreement
        # Not together with mean and SD, whose last bits would depend on the number of maps.
        self.highest[index] = restore(statistics.highest[None, None], self._grid)[0, 0]
        if self.probability is not self.mean:
            shown = restore(statistics.shown[None], self._grid)
            force_maps(shown[0].numpy(), self.plan.said_of_result(index))
            self.probability[index], self.labels[index] = shown[0], most_likely(shown)[0]

    def close(self, number: int, statistics: Sequence[RunningStatistics]) -> None:
        """Count the block as done. Its maps are up to date."""
        del statistics
        self._done = number + 1

    def preview(self, provenance: dict[str, Any]) -> Segmentation:
        """Return the result so far. It shares its arrays with the canvas; later samples refine them in place."""
        plan, shown = self.plan, (slice(None),) * len(self.plan.frames.leading) + (slice(self.samples),)
        masks = self.masks[shown]  # a view: each mask is written once
        return Segmentation(
            labels=self.labels,
            mean=self.mean,
            sd=self.sd,
            sizes=self.sizes[..., : self.samples, :],
            masks=SampleMasks(masks, plan.frames.shape) if masks.size else None,
            axes=plan.frames.axes,
            spacing=plan.frames.spacing,
            unit=plan.image.unit,
            geometry=plan.image.geometry,
            class_names=plan.model.class_names,
            class_colors=plan.model.class_colors,
            probability=self.probability,
            highest=self.highest,
            ood=self.ood,
            samples=self.samples,
            provenance={**provenance, "samples": self.samples, **self._strangeness()},
        )

    result = preview

    def _strangeness(self) -> dict[str, Any]:
        """Note the out-of-distribution scores, frame by frame, and the model's limits, where there are any."""
        limits = self.plan.model.trust.ood_limits
        if limits is None or not np.isfinite(self.ood).all():
            return {}
        return {"ood_scores": [round(float(score), 4) for score in self.ood.ravel()], "ood_limits": list(limits)}

    def write_samples(self, number: int, index: tuple[int, ...], samples: range, probabilities: Tensor) -> None:
        """Store the area or volume of each class in these samples, (N, C, *outer), and their masks if wanted."""
        del number
        labels = most_likely(crop_to_inner(probabilities, self._grid))
        pixel = math.prod(self.plan.frames.spacing or (1.0,))
        share = math.prod(self._grid.source) / math.prod(self._grid.inner)
        target: NDArray[np.float64] = self.sizes[index]
        target[samples.start : samples.stop] = count_classes(labels, probabilities.shape[1]) * (share * pixel)
        masks: NDArray[np.uint8] = self.masks[index]
        fitting = range(len(masks))[samples.start : samples.stop]
        masks[fitting.start : fitting.stop] = labels[: len(fitting)]
