"""A batch in a thread, which can be paused; and opening what it made."""

import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from qtpy.QtCore import Signal

from ...batch import Batch, BatchReport, Task, large_path, plan_batch, run_batch
from ...config import SegmentConfig
from ...data import LABELS
from ..threads._background import Background, Done
from ..threads._import_torch import import_torch

BREATH = 0.1


@dataclass(frozen=True)
class Order:
    """What one press of Start asks for."""

    inputs: tuple[Path, ...]
    model: Path
    out: Path
    config: SegmentConfig
    kinds: tuple[str, ...]
    overwrite: bool
    written: str | None = None


class FolderRun(Background):
    """A batch in its thread; ``finished`` carries a :class:`Done` with the report, empty if it was stopped."""

    planned = Signal(object)
    updated = Signal(object)

    def __init__(self, order: Order, plan: Callable[..., Batch] = plan_batch) -> None:
        super().__init__()
        self._order, self._plan = order, plan
        self._going = threading.Event()
        self._going.set()

    @property
    def paused(self) -> bool:
        """Whether it waits."""
        return not self._going.is_set()

    def pause(self, paused: bool) -> None:
        """Wait at the next step, or go on."""
        if paused:
            self._going.clear()
        else:
            self._going.set()

    def work(self) -> Done:
        """Compare, then segment what is to do."""
        order = self._order
        try:
            batch = self._plan(
                order.inputs,
                order.model,
                order.out,
                order.config,
                order.kinds,
                written=order.written,
                overwrite=order.overwrite,
            )
            self.planned.emit(batch)
            batch.refuse_blocked()
            if batch.waiting:
                import_torch()
            return self._segment(batch)
        except Exception as error:  # noqa: BLE001  the border: whatever it is, the user is told
            return Done(error=error)

    def _segment(self, batch: Batch) -> Done:
        with closing(run_batch(batch)) as updates:
            while not self._stop.is_set():
                if not self._going.wait(BREATH):
                    continue
                try:
                    update = next(updates)
                except StopIteration as end:
                    report: BatchReport = end.value
                    return Done(report)
                self.updated.emit(update)
        return Done()


def finished_outputs(task: Task) -> dict[str, Path]:
    """Return where the labels and the SD map of an image lie; nothing where it is not segmented yet."""
    if task.outputs["labels"].exists():
        return dict(task.outputs)
    large = large_path(task)
    return {"labels": large / LABELS, "sd": large, "notes": large} if large.exists() else {}
