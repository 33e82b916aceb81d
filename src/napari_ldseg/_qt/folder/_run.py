"""Run a batch step by step in a thread, and find its outputs."""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from ..._util import Progress
from ...batch import Batch, BatchReport, Task, large_path, plan_batch, run_batch
from ...config import BatchConfig, PartConfig, SegmentConfig
from ...data import LABELS
from ..threads._import_torch import import_torch


@dataclass(frozen=True)
class Order:
    """The request of one press of Start."""

    inputs: tuple[Path, ...]
    model: Path
    out: Path
    config: SegmentConfig
    run: BatchConfig
    part: PartConfig


@dataclass(frozen=True)
class Planned(Progress):
    """What a batch will do, once it is known."""

    batch: Batch | None = None

    @property
    def is_milestone(self) -> bool:
        """It is always one."""
        return True


def segment_order(order: Order) -> Generator[Progress, None, BatchReport]:
    """Compare with earlier results, then segment the rest. Call it in a thread.

    Yields
    ------
    Progress
        While images are compared; then one :class:`Planned`, then each :class:`Update` of the batch.
    """
    batch = yield from plan_batch(
        order.inputs,
        order.model,
        order.out,
        order.config,
        order.run.kinds,
        part=order.part,
        written=order.run.written,
        overwrite=order.run.overwrite,
    )
    yield Planned(batch=batch)
    batch.refuse_blocked()
    if batch.waiting:
        import_torch()
    return (yield from run_batch(batch))


def finished_outputs(task: Task) -> dict[str, Path]:
    """Return the paths of the labels and the SD map of an image; nothing if it is not segmented yet."""
    if task.outputs["labels"].exists():
        return dict(task.outputs)
    large = large_path(task)
    return {"labels": large / LABELS, "sd": large, "notes": large} if large.exists() else {}
