"""The canvas of a session: maps in memory of which single frames, or parts of a frame in tiles, are drawn again."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..measure import NOT_DRAWN
from ..plan import Block, Box, Plan, block_places, block_starts
from ._memory import MemoryCanvas, count_classes, most_likely
from ._resample import interpolate
from ._said import force_maps
from ._statistics import RunningStatistics

# Numbers of samples after which a picture is shown: the first answer, and a better one.
STOPS = (1, 8)


@dataclass
class Drawn:
    """Maps (C + 1, *box) of a block after some numbers of samples, and the last of these numbers."""

    maps: dict[int, Tensor] = field(default_factory=dict)
    count: int = 0


class SessionCanvas(MemoryCanvas):
    """Maps in memory, whose blocks are single frames or, of a frame in tiles, pieces as large as a tile.

    While a block is drawn again, few samples would make it flicker. So its earlier maps are shown, moved by what
    changed in the samples that are drawn already: sample ``i`` has the same noise before and after, so that nothing
    changes where nobody spoke. After the last sample the maps are exactly those of all samples.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan, group=1)
        self._places: list[list[NDArray[np.float64]]] = []
        self._before: dict[int, Drawn] = {}
        self._now: dict[int, Drawn] = {}
        if plan.tiles:
            factor = max(n / m for n, m in zip(plan.grid.source, plan.grid.inner, strict=True))
            self._side = max(1, round(min(plan.window) * factor))
            self.blocks = []
            for index in plan.frames.indices:
                for start in block_starts(plan.grid, self._side):
                    places, box = block_places(plan.grid, start, self._side)
                    self.blocks.append(Block((index,), start, box))
                    self._places.append(places)
        self._counts = np.full((len(self.blocks), plan.wanted, plan.model.network.classes), np.nan)

    def part(self, number: int) -> str:
        """Name a block, where there are several."""
        total = len(self.blocks)
        what = "Part" if self._places else "Frame"
        return f"{what} {number + 1} of {total}" if total > 1 else ""

    def result_box(self, number: int) -> Box | None:
        """Return which pixels of its frame a block is; None for all of them."""
        if not self._places:
            return None
        start = self.blocks[number].start
        return tuple((a, a + len(places)) for a, places in zip(start, self._places[number], strict=True))

    def add(self, number: int, samples: range, statistics: Sequence[RunningStatistics], drawn: Tensor) -> None:
        """Show what is known after some samples."""
        if samples.start == 0:
            self._now[number] = Drawn()
        self._now[number].count = samples.stop
        super().add(number, samples, statistics, drawn)

    def show(self, number: int, index: tuple[int, ...], maps: Tensor) -> None:
        """Write mean and SD (C + 1, *box) of a block, and the labels that follow."""
        now, before = self._now[number], self._before.get(number)
        now.maps[now.count] = maps
        if before is not None and now.count in before.maps and now.count < before.count:
            maps = _moved(before.maps[before.count], before.maps[now.count], maps)
        if not self._places:
            super().show(number, index, maps)
            return
        values = maps.numpy()
        for axis, at in enumerate(self._places[number], start=1):
            values = interpolate(values, axis, at)
        values = values.copy()
        box = self.result_box(number)
        force_maps(values, self.plan.said_of_result(index, box))
        assert box is not None
        inside = tuple(slice(*side) for side in box)
        self.mean[index][:, *inside] = values[:-1]
        self.labels[index][inside] = most_likely(torch.from_numpy(values[None, :-1]))[0]
        self.sd[index][inside] = values[-1]

    def show_guess(self, index: tuple[int, ...], statistics: RunningStatistics) -> None:
        """Leave the maps as they are: in a session the first guess does not count."""

    def close(self, number: int, statistics: Sequence[RunningStatistics]) -> None:
        """Keep the maps for the next time, and forget samples of the last time that were not drawn again."""
        del statistics
        now = self._now.pop(number)
        now.maps = {count: maps for count, maps in now.maps.items() if count in (*STOPS, now.count)}
        self._before[number] = now
        (index,) = self.blocks[number].frames
        self._counts[number, now.count :] = np.nan
        if not self._places:
            self.sizes[index][now.count :] = np.nan
            self.masks[index][now.count :] = NOT_DRAWN

    def write_samples(self, number: int, index: tuple[int, ...], samples: range, probabilities: Tensor) -> None:
        """Note sizes and masks of these samples of a block, (N, C, *box)."""
        if not self._places:
            super().write_samples(number, index, samples, probabilities)
            return
        box = self.result_box(number)
        assert box is not None
        labels = most_likely(probabilities)
        share = math.prod(b - a for a, b in box) / math.prod(labels.shape[1:])
        pixel = math.prod(self.plan.frames.spacing or (1.0,))
        self._counts[number, samples.start : samples.stop] = count_classes(labels, probabilities.shape[1]) * (
            share * pixel
        )
        pieces = [i for i, block in enumerate(self.blocks) if block.frames == (index,)]
        self.sizes[index] = np.nansum(self._counts[pieces], axis=0)
        inside = tuple(slice(*side) for side in self.blocks[number].box)
        masks = self.masks[index]
        kept = range(len(masks))[samples.start : samples.stop]
        masks[kept.start : kept.stop, *inside] = labels[: len(kept)]


def _moved(before: Tensor, then: Tensor, now: Tensor) -> Tensor:
    """Move maps of all samples by what changed in some of them: ``then`` to ``now``."""
    mean = (before[:-1] + now[:-1] - then[:-1]).clamp_(0, 1)
    mean /= mean.sum(dim=0).clamp_min(1e-6)
    variance = (before[-1:] ** 2 + now[-1:] ** 2 - then[-1:] ** 2).clamp_(0, 0.5)
    return torch.cat([mean, variance.sqrt()])
