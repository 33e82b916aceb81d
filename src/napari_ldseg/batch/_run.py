"""Segment the images of a batch one after another, in this process."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..data import stem
from ..errors import InputError
from ..remote import RemoteModel, Server, UnreachableError
from ._image import check_writable, segment_file
from ._plan import Batch
from ._record import Record, remove, scratch_path
from ._report import BatchReport, Row
from ._update import Update, Updates, reason_of

if TYPE_CHECKING:
    from ..networks import LDSeg


def run_batch(batch: Batch, *, workers: int = 1, scheduler: str | None = None) -> Generator[Update, None, BatchReport]:
    """Segment the remaining images of a batch.

    A file that fails is noted, and the others go on. However it ends, also when it is closed or interrupted,
    ``report.json`` and ``report.csv`` are written, and what was finished is kept: plan the same again to go on.

    Parameters
    ----------
    batch : Batch
        From :func:`plan_batch`.
    workers : int
        More than one: that many processes of a local Dask cluster, each with its own copy of the model.
    scheduler : str, optional
        Address of a running Dask scheduler, whose workers do it. They read and write the files themselves.

    Yields
    ------
    Update
        In one process at every sampling step, on Dask for each finished image, and now and then in between.

    Returns
    -------
    BatchReport

    Raises
    ------
    InputError
        If an output would be lost (see :meth:`Batch.refuse_blocked`), the folder of the outputs cannot be written,
        or Dask is not installed.
    EngineError
        If the scheduler is lost, or no worker comes.
    """
    batch.refuse_blocked()
    if batch.server is not None and (workers > 1 or scheduler is not None):
        raise InputError("A server is asked for one image at a time; leave out workers and scheduler, or the server.")
    if batch.waiting:
        check_writable(batch.out)
    for item in batch.items:
        if item.state == "done":  # killed between the last rename and this
            remove(scratch_path(batch.out, item.task.image))
    rows = {index: _row(batch, index) for index in range(len(batch.items))}
    finished, running = 0, dict[int, float]()
    try:
        with closing(_updates(batch, workers, scheduler)) as updates:
            for update in updates:
                if update.is_milestone:
                    rows[update.index] = _row(batch, update.index, update)
                    finished += 1
                    running.pop(update.index, None)
                elif update.index >= 0:
                    running[update.index] = update.share
                yield replace(update, done=finished + sum(running.values()), total=len(batch.waiting))
    finally:
        report = BatchReport.of(rows.values())
        report.write(
            batch.out,
            model=batch.model_name,
            model_sha256=batch.model_sha256,
            settings=batch.settings,
        )
    return report


def _updates(batch: Batch, workers: int, scheduler: str | None) -> Updates:
    if not batch.waiting:
        return (_ for _ in ())
    if scheduler is None and workers == 1:
        return _one_by_one(batch)
    from ._dask_schedule import on_dask

    return on_dask(batch, workers, scheduler)


def _one_by_one(batch: Batch) -> Updates:
    if batch.server is not None:
        with Server(batch.server) as server:
            known = server.model(batch.model.name)
            for index in batch.waiting:
                yield from _one(known, batch, index, server)
        return
    from ..checkpoints import load_model

    yield Update(text="Loading the model")
    model = load_model(batch.model, batch.config.device)
    for index in batch.waiting:
        yield from _one(model, batch, index)


def _one(model: "LDSeg | RemoteModel", batch: Batch, index: int, server: Server | None = None) -> Updates:
    task = batch.items[index].task
    yield Update(text="Reading the image", index=index)
    try:
        steps = segment_file(model, task, batch.out, batch.config, batch.part, overwrite=batch.overwrite, server=server)
        with closing(steps):
            while True:
                step = next(steps)
                yield Update(text=step.text, index=index, share=min(step.done / max(step.total, 1), 1.0))
    except StopIteration as end:
        yield Update(index=index, state="done", share=1.0, record=end.value)
    except UnreachableError:  # no other image would fare better
        raise
    except Exception as error:  # noqa: BLE001  the border: whatever it is, the other images go on
        yield Update(text=reason_of(error), index=index, state="failed")


def _row(batch: Batch, index: int, update: Update | None = None) -> Row:
    item = batch.items[index]
    if update is None and item.state == "done" and item.record is not None:
        return Row(item.task.image, "earlier", summary=item.record.summary, outputs=_outputs(batch, item.record))
    if update is None:
        return Row(item.task.image, "waiting")
    if update.record is None:
        return Row(item.task.image, "failed", update.text)
    return Row(item.task.image, "done", summary=update.record.summary, outputs=_outputs(batch, update.record))


def _outputs(batch: Batch, record: Record) -> dict[str, Path]:
    """Return the kind and path of each output. Their names end in the kind."""
    return {stem(Path(name)).rpartition("_")[2]: batch.out / name for name in record.outputs}
