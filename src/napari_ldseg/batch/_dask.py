"""The images of a batch on Dask: a local cluster, or any scheduler with its workers.

Only names and settings travel: each worker reads the image and writes the outputs itself. As many images are
submitted as there are workers, so that neither the scheduler nor a worker ever holds a queue.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._outputs import Task
from ..config import Device, SegmentConfig
from ..errors import EngineError, InputError
from ._image import segment_file
from ._plan import Batch
from ._record import Record
from ._run import Update, Updates, reason_of

if TYPE_CHECKING:
    from ..networks import LDSeg

POLL = 0.5
REFRESH = 2.0
CONNECTING = 20
DEATHS = 2

_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Job:
    """What a worker is told: a few hundred bytes."""

    task: Task
    out: Path
    model: Path
    model_sha256: str
    config: SegmentConfig
    workers_on: dict[str, int]


def on_dask(batch: Batch, workers: int, scheduler: str | None) -> Updates:
    """Segment what is to do of a batch on Dask; yields as :func:`run_batch`."""
    yield Update(-1, "running", stage="Starting the workers" if scheduler is None else f"Connecting to {scheduler}")
    with _client(workers, scheduler) as client:
        suspects = yield from _submit(client, batch, batch.waiting)
        # A worker that dies takes innocent images with it: those that were there too often are tried alone.
        killed = yield from _submit(client, batch, suspects, alone=True)
    for index in killed:
        reason = "the process that worked on it died each time (out of memory, or a crash); see the worker's log"
        yield Update(index, "failed", stage=reason)


@contextmanager
def _client(workers: int, scheduler: str | None) -> Iterator[Any]:
    """Connect to a scheduler, or start one with workers on this computer, which ends with the batch."""
    try:
        import dask
        import distributed
        from distributed.system import MEMORY_LIMIT
    except ImportError as error:
        raise InputError("Several workers need Dask; run: pip install 'napari-ldseg[distributed]'") from error
    if scheduler is not None:
        try:
            client = distributed.Client(scheduler, timeout=CONNECTING, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            raise EngineError(
                f"No Dask scheduler answers at {scheduler} ({error}); check the address, or start one: dask scheduler"
            ) from error
        with client:
            yield client
        return
    memory = MEMORY_LIMIT // workers
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": DEATHS}),
        distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, memory_limit=memory, dashboard_address=None, silence_logs=50
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


def _submit(
    client: Any, batch: Batch, indices: Iterable[int], *, alone: bool = False
) -> Generator[Update, None, list[int]]:
    """Keep the workers busy, one image each; return the images with which workers died too often."""
    queue, going, killed = deque(indices), {}, []
    workers: Counter[str] = Counter()
    refreshed = 0.0
    while queue or going:
        if time.monotonic() - refreshed > REFRESH:
            workers, refreshed = _workers(client, batch), time.monotonic()
        while queue and len(going) < (min(1, workers.total()) if alone else workers.total()):
            index = queue.popleft()
            going[client.submit(segment_remotely, _job(batch, index, workers), pure=False)] = index
            yield Update(index, "running", stage="On a worker")
        for future in _finished(client, going, batch):
            index, outcome = going.pop(future), _outcome(future)
            if outcome is None:
                killed.append(index)
            elif isinstance(outcome, Record):
                yield Update(index, "done", 1.0, record=outcome)
            else:
                yield Update(index, "failed", stage=outcome)
        yield Update(-1, "running", stage=f"{workers.total()} workers" if workers else "Waiting for workers")
    return killed


def _job(batch: Batch, index: int, workers: Counter[str]) -> Job:
    task = batch.items[index].task
    there = Task(task.image.absolute(), {kind: path.absolute() for kind, path in task.outputs.items()})
    return Job(there, batch.out.absolute(), batch.model, batch.model_sha256, batch.config, dict(workers))


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


def _outcome(future: Any) -> Record | str | None:
    """Return the record, the reason of a failure, or None where too many workers died."""
    from distributed import KilledWorker

    error = future.exception()
    if isinstance(error, KilledWorker):
        return None
    if error is not None:
        return reason_of(error)
    outcome: Record | str = future.result()
    return outcome


def _lost(batch: Batch) -> EngineError:
    return EngineError(
        f"The connection to the Dask scheduler is lost. What was finished is kept in {batch.out}: start the scheduler "
        "again, and run the same once more to do the rest."
    )


def segment_remotely(job: Job) -> Record | str:
    """Segment one file, on a worker; return its record, or why it failed."""
    try:
        with _ONE_AT_A_TIME:
            _share_cores(job.workers_on)
            model = _model(job.model, job.config.device)
            if model.sha256 != job.model_sha256:
                return f"the worker has another file as {job.model}; all need the same storage"
            steps = segment_file(model, job.task, job.out, job.config)
            while True:
                next(steps)
    except StopIteration as end:
        record: Record = end.value
        return record
    except Exception as error:  # noqa: BLE001  the border: whatever it is, the other images go on
        return reason_of(error)


@lru_cache(maxsize=1)
def _model(path: Path, device: Device) -> "LDSeg":
    """Keep the model for the next image: it is loaded once in each process."""
    from ..checkpoints import load_model

    return load_model(path, device)


def _share_cores(workers_on: dict[str, int]) -> None:
    """Take this worker's share of the computer's cores (Dask itself allows one)."""
    import torch
    from dask.system import CPU_COUNT
    from distributed import get_worker
    from distributed.comm import get_address_host

    share = max(1, CPU_COUNT // workers_on.get(get_address_host(get_worker().address), 1))
    if torch.get_num_threads() != share:
        torch.set_num_threads(share)
