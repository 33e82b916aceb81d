"""The maps of all frames, filled one frame after another, and the result that is frozen from them."""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..config import ModelConfig, Tiling
from ..data import Image, convert_spacing
from ..measure import NOT_DRAWN, SampleMasks
from ..plan import Grid, frame_shape, plan_grid
from ._preprocess import crop_to_inner, restore
from ._result import Segmentation
from ._statistics import RunningStatistics

MEGABYTE = 2**20


def most_likely(probabilities: Tensor) -> NDArray[np.uint8]:
    """Return class indices (N, *S) of probabilities (N, C, *S), the lowest where several are equal.

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


class Maps:
    """Arrays on the input's grid for every frame, with room for the sizes of all samples, and for some masks."""

    def __init__(
        self,
        image: Image,
        config: ModelConfig,
        wanted: int,
        keep_mb: int = 0,
        tiles: Tiling = "never",
        seen: tuple[float, ...] | None = None,
    ):
        self.leading, self.shape, self.axes, self.spacing = frame_shape(image, config)
        self.unit, self.geometry, self.config = image.unit, image.geometry, config
        seen = seen or convert_spacing(self.spacing, image.unit, config.input.unit)
        self.grid: Grid = plan_grid(self.shape, seen, config, tiles)
        classes = config.network.classes
        self.mean = np.zeros((*self.leading, classes, *self.shape), dtype=np.float32)
        np.moveaxis(self.mean, len(self.leading), 0)[0] = 1  # nothing but background yet
        self.sd = np.zeros((*self.leading, *self.shape), dtype=np.float32)
        self.labels = np.zeros((*self.leading, *self.shape), dtype=np.uint8)
        self.sizes = np.full((*self.leading, wanted, classes), np.nan)
        self.samples = 0
        # A mask is kept on the networks' grid, where it was drawn: nothing is lost, and it is the smaller grid.
        kept = min(wanted, keep_mb * MEGABYTE // math.prod((*self.leading, *self.grid.inner)))
        self.masks = np.full((*self.leading, kept, *self.grid.inner), NOT_DRAWN, dtype=np.uint8)

    def write(self, index: tuple[int, ...], statistics: RunningStatistics) -> None:
        """Bring the maps of one frame up to date."""
        both = torch.cat([statistics.mean, statistics.sd[None]])[None]
        restored = restore(both, self.grid)
        self.mean[index] = restored[0, :-1]
        self.labels[index] = most_likely(restored[:, :-1])[0]
        self.sd[index] = restored[0, -1]
        self.samples = max(self.samples, statistics.count)

    def write_samples(self, index: tuple[int, ...], samples: range, probabilities: Tensor) -> None:
        """Note area or volume of each class in each of these samples, (N, C, *outer), and keep masks if asked to."""
        labels = most_likely(crop_to_inner(probabilities, self.grid))
        counts = np.array([[np.count_nonzero(mask == c) for c in range(probabilities.shape[1])] for mask in labels])
        pixel = math.prod(self.spacing) if self.spacing is not None else 1.0
        share = math.prod(self.grid.source) / math.prod(self.grid.inner)
        target: NDArray[np.float64] = self.sizes[index]
        target[samples.start : samples.stop] = counts * (share * pixel)
        masks: NDArray[np.uint8] = self.masks[index]
        fitting = range(len(masks))[samples.start : samples.stop]
        masks[fitting.start : fitting.stop] = labels[: len(fitting)]

    def freeze(self, provenance: dict[str, Any]) -> Segmentation:
        """Return the result so far; it shares its arrays with the maps, which later samples refine in place."""
        return Segmentation(
            labels=self.labels,
            mean=self.mean,
            sd=self.sd,
            sizes=self.sizes[..., : self.samples, :],
            masks=self._kept(),
            axes=self.axes,
            spacing=self.spacing,
            unit=self.unit,
            geometry=self.geometry,
            class_names=self.config.class_names,
            class_colors=self.config.class_colors,
            samples=self.samples,
            provenance={**provenance, "samples": self.samples},
        )

    def _kept(self) -> SampleMasks | None:
        """Return the masks that were kept so far, as a view: each is written once."""
        shown = self.masks[(slice(None),) * len(self.leading) + (slice(self.samples),)]
        return SampleMasks(shown, self.shape) if shown.size else None
