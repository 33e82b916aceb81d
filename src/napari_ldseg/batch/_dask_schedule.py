"""Segment the images of a batch on Dask: on a local cluster, or on any scheduler with its workers.

Only names and settings travel: each worker reads the image and writes the outputs itself. Few more images are
submitted than there are workers, so that neither the scheduler nor a worker ever holds a long queue.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ..errors import EngineError
from ._dask_cluster import connected_client, ctrl_c_noted
from ._dask_worker import Blocks, Job, Outcome, Piece, segment_remotely
from ._outputs import Task
from ._plan import Batch
from ._record import Record
from ._update import Update, Updates, reason_of

if TYPE_CHECKING:
    pass

POLL = 0.5
REFRESH = 2.0


def on_dask(batch: Batch, workers: int, scheduler: str | None) -> Updates:
    """Segment the remaining images of a batch on Dask. It yields as :func:`run_batch` does."""
    yield Update(text="Starting the workers" if scheduler is None else f"Connecting to {scheduler}")
    with connected_client(workers, scheduler) as client, ctrl_c_noted() as interrupted:
        suspects = yield from _submit(client, batch, batch.waiting, interrupted)
        # A dying worker takes innocent images with it. Images that met this too often are tried alone.
        killed = yield from _submit(client, batch, suspects, interrupted, alone=True)
    for index in killed:
        reason = "the process that worked on it died each time (out of memory, or a crash); see the worker's log"
        yield Update(text=reason, index=index, state="failed")


class _Queue:
    """The jobs still to submit. A large image is split into its blocks as soon as they are known."""

    def __init__(self, indices: Iterable[int]) -> None:
        self.pieces: deque[tuple[int, Piece]] = deque((index, "first") for index in indices)
        self.name, self.hashes = uuid4().hex, dict[int, str]()
        self._left: dict[int, int] = {}
        self._blocks: dict[int, int] = {}

    def split(self, index: int, blocks: Blocks) -> None:
        """Put the blocks of an image first."""
        self.hashes[index] = blocks.image_sha256
        self._left[index] = self._blocks[index] = len(blocks.numbers)
        self.pieces.extendleft((index, number) for number in reversed(blocks.numbers))
        if not blocks.numbers:
            self.pieces.appendleft((index, "rest"))

    def written(self, index: int) -> float:
        """Note that a block is written; return the share of finished blocks."""
        self._left[index] -= 1
        if not self._left[index]:
            self.pieces.appendleft((index, "rest"))
        return 1 - self._left[index] / self._blocks[index]

    def drop(self, index: int) -> None:
        """Drop the remaining blocks of an image."""
        self.pieces = deque(piece for piece in self.pieces if piece[0] != index)


def _submit(
    client: Any, batch: Batch, indices: Iterable[int], interrupted: threading.Event, *, alone: bool = False
) -> Generator[Update, None, list[int]]:
    """Keep every worker busy, a few images or blocks waiting; return the images with which workers died too often."""
    queue, killed = _Queue(indices), list[int]()
    going: dict[Any, Any] = {}
    ended: set[int] = set()
    workers: Counter[str] = Counter()
    refreshed = -REFRESH
    while queue.pieces or going:
        if interrupted.is_set():
            raise KeyboardInterrupt
        if time.monotonic() - refreshed > REFRESH:
            workers, refreshed = _workers(client, batch), time.monotonic()
        # Submit a few more than there are workers, so that none waits for this process to react.
        busy = workers.total() + (workers.total() + 3) // 4
        while queue.pieces and len(going) < (min(1, workers.total()) if alone else busy):
            index, piece = queue.pieces.popleft()
            job = _job(batch, index, piece, workers, queue)
            going[client.submit(segment_remotely, job, pure=False)] = index
            if piece == "first":
                yield Update(text="On a worker", index=index)
        for future in _finished(client, going, batch):
            index, outcome = going.pop(future), _outcome(future)
            if index in ended:  # another block of it failed
                continue
            if isinstance(outcome, Blocks):
                queue.split(index, outcome)
            elif isinstance(outcome, int):
                yield Update(text=f"Block {outcome + 1} written", index=index, share=queue.written(index))
            else:
                ended.add(index)
                queue.drop(index)
                if outcome is None:
                    killed.append(index)
                elif isinstance(outcome, Record):
                    yield Update(index=index, state="done", share=1.0, record=outcome)
                else:
                    yield Update(text=outcome, index=index, state="failed")
        yield Update(text=f"{workers.total()} workers" if workers else "Waiting for workers")
    return killed


def _job(batch: Batch, index: int, piece: Piece, workers: Counter[str], queue: _Queue) -> Job:
    task = batch.items[index].task
    said = None if task.prompts is None else task.prompts.absolute()
    there = Task(task.image.absolute(), {kind: path.absolute() for kind, path in task.outputs.items()}, said)
    return Job(
        task=there,
        out=batch.out.absolute(),
        model=batch.model,
        model_sha256=batch.model_sha256,
        config=batch.config,
        part=batch.part,
        overwrite=batch.overwrite,
        workers_on=dict(workers),
        piece=piece,
        batch=queue.name,
        image_sha256=queue.hashes.get(index, ""),
    )


def _workers(client: Any, batch: Batch) -> Counter[str]:
    """Count the workers on each computer."""
    try:
        found = client.scheduler_info(n_workers=-1)["workers"].values()
    except Exception as error:
        raise _lost(batch) from error
    return Counter(worker["host"] for worker in found)


def _finished(client: Any, going: dict[Any, int], batch: Batch) -> list[Any]:
    """Wait a moment for the next images to be finished."""
    from concurrent.futures import CancelledError

    import distributed

    if not going:
        time.sleep(POLL)
        return []
    try:
        with client.as_current():
            done = distributed.wait(list(going), timeout=POLL, return_when="FIRST_COMPLETED").done
    except TimeoutError:
        done = ()
    except CancelledError as error:
        raise _lost(batch) from error
    if client.status != "running" or any(future.status in ("cancelled", "lost") for future in done):
        raise _lost(batch)
    return list(done)


def _outcome(future: Any) -> "Outcome | None":
    """Return the worker's answer, or None if too many workers died."""
    from distributed import KilledWorker

    error = future.exception()
    if isinstance(error, KilledWorker):
        return None
    if error is not None:
        return reason_of(error)
    outcome: Outcome = future.result()
    return outcome


def _lost(batch: Batch) -> EngineError:
    return EngineError(
        f"The connection to the Dask scheduler is lost. What was finished is kept in {batch.out}: start the scheduler "
        "again, and run the same once more to do the rest."
    )
