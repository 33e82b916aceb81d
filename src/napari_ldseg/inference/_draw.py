"""The loop that draws samples, and the canvas that collects them."""

from collections.abc import Generator, Sequence
from typing import Any, Protocol

from torch import Tensor

from ..plan import MIN_AUTO, Block, Plan
from ._result import Segmentation, SegmentProgress
from ._runner import Runner
from ._statistics import RunningStatistics
from ._windows import Windows


class Canvas(Protocol):
    """Collects the maps of a result, in memory or on disk."""

    plan: Plan
    blocks: list[Block]
    """What is computed in a row."""
    shows_first: bool
    """Whether somebody waits for the first sample, so that it comes alone."""

    def todo(self) -> list[int]:
        """Return the numbers of the blocks that are not done."""

    def part(self, number: int) -> str:
        """Name a block to the user."""

    def add(self, number: int, samples: range, statistics: Sequence[RunningStatistics], drawn: Tensor) -> None:
        """Add some samples of a block, (frames, len(samples), C, *box). The statistics include them already."""

    def close(self, number: int, statistics: Sequence[RunningStatistics]) -> None:
        """Finish a block after its last sample."""

    def preview(self, provenance: dict[str, Any]) -> Segmentation:
        """Return the result so far. It shares its arrays with the canvas."""

    def result(self, provenance: dict[str, Any]) -> Segmentation:
        """Return the whole result."""


def draw_samples(
    runner: Runner, canvas: Canvas, number: int, windows: Windows, *, stops: Sequence[int], at_once: int, image: str
) -> Generator[SegmentProgress, None, None]:
    """Draw the samples of a block batch by batch. The batch is halved when memory runs out.

    Parameters
    ----------
    runner : Runner
    canvas : Canvas
    number : int
        Of the block.
    windows : Windows
        What the networks see of the block.
    stops : sequence of int
        Numbers of samples, rising, after which somebody waits for a picture. ``(1,)``: the first comes alone.
    at_once : int
        How many samples are computed together, as long as memory lasts.
    image : str
        Its name, for the provenance.
    """
    statistics = [RunningStatistics(runner.guess_weight) for _ in canvas.blocks[number].frames]
    ended = False
    while not ended:
        start = statistics[0].count
        together = start + min(at_once, runner.batch)
        samples = range(start, min(next((stop for stop in stops if stop > start), together), together, runner.wanted))
        try:
            drawn = yield from windows.draw(samples)
        except RuntimeError as error:
            runner.halve_batch(len(samples), windows.at_once(len(samples)), error)
            continue
        for frame, (each, probabilities) in enumerate(zip(statistics, drawn, strict=True)):
            each.add(probabilities)
            each.guesses = windows.guesses(frame)
        canvas.add(number, samples, statistics, drawn)
        count = samples.stop
        ended = count >= runner.wanted or all(_settled(runner, each) for each in statistics)
        if ended:
            canvas.close(number, statistics)
        preview = canvas.preview(runner.provenance(image))
        yield runner.progress(f"{count} sample{'s' if count > 1 else ''}", preview)


def _settled(runner: Runner, statistics: RunningStatistics) -> bool:
    """Whether ``samples="auto"`` has seen enough."""
    if runner.config.samples != "auto" or statistics.count < MIN_AUTO:
        return False
    return statistics.standard_error() < runner.config.tolerance
