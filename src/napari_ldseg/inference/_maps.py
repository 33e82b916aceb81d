"""The maps of all frames, filled one frame after another, and the result that is frozen from them."""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..config import ModelConfig
from ..data import Image
from ._preprocess import Grid, convert_spacing, crop_to_inner, frame_shape, plan_grid, restore
from ._result import Segmentation
from ._statistics import RunningStatistics


class Maps:
    """Arrays on the input's grid for every frame, with room for the sizes of all samples."""

    def __init__(self, image: Image, config: ModelConfig, wanted: int):
        self.leading, self.shape, self.axes, self.spacing = frame_shape(image, config)
        self.unit, self.config = image.unit, config
        seen = convert_spacing(self.spacing, image.unit, config.input.unit)
        self.grid: Grid = plan_grid(self.shape, seen, config)
        classes = config.network.classes
        self.mean = np.zeros((*self.leading, classes, *self.shape), dtype=np.float32)
        np.moveaxis(self.mean, len(self.leading), 0)[0] = 1  # nothing but background yet
        self.sd = np.zeros((*self.leading, *self.shape), dtype=np.float32)
        self.labels = np.zeros((*self.leading, *self.shape), dtype=np.uint8)
        self.sizes = np.full((*self.leading, wanted, classes), np.nan)
        self.samples = 0

    def write(self, index: tuple[int, ...], statistics: RunningStatistics) -> None:
        """Bring the maps of one frame up to date."""
        both = torch.cat([statistics.mean, statistics.sd[None]])[None]
        restored = restore(both, self.grid)[0].numpy()
        self.mean[index] = restored[:-1]
        self.labels[index] = restored[:-1].argmax(axis=0)
        self.sd[index] = restored[-1]
        self.samples = max(self.samples, statistics.count)

    def write_sizes(self, index: tuple[int, ...], samples: range, probabilities: Tensor) -> None:
        """Note area or volume of each class in each of these samples, (N, C, *outer)."""
        labels = crop_to_inner(probabilities, self.grid).argmax(dim=1).flatten(1)
        counts = torch.stack([(labels == c).sum(dim=1) for c in range(probabilities.shape[1])], dim=1)
        pixel = math.prod(self.spacing) if self.spacing is not None else 1.0
        share = math.prod(self.grid.source) / math.prod(self.grid.inner)
        target: NDArray[np.float64] = self.sizes[index]
        target[samples.start : samples.stop] = counts.numpy() * (share * pixel)

    def freeze(self, provenance: dict[str, Any]) -> Segmentation:
        """Return the result so far; it shares its arrays with the maps, which later samples refine in place."""
        return Segmentation(
            labels=self.labels,
            mean=self.mean,
            sd=self.sd,
            sizes=self.sizes[..., : self.samples, :],
            axes=self.axes,
            spacing=self.spacing,
            unit=self.unit,
            class_names=self.config.class_names,
            class_colors=self.config.class_colors,
            samples=self.samples,
            provenance={**provenance, "samples": self.samples},
        )
