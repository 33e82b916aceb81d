"""The images of a batch on Dask: a local cluster, or any scheduler with its workers.

Only names and settings travel: each worker reads the image and writes the outputs itself. Few more images are
submitted than there are workers, so that neither the scheduler nor a worker ever holds a long queue.
"""

import os
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import resource_tracker
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from .._outputs import Task
from ..config import Device, SegmentConfig
from ..data import read_image
from ..errors import EngineError, InputError
from ._image import check_writable, fingerprint, segment_file
from ._large import is_large_file, large_path
from ._plan import Batch
from ._record import Record
from ._run import Update, Updates, reason_of

if TYPE_CHECKING:
    from ..inference import LargeRun
    from ..networks import LDSeg

POLL = 0.5
REFRESH = 2.0
CONNECTING = 20
KEEP_MEMORY = {"MALLOC_MMAP_MAX_": 0, "MALLOC_TRIM_THRESHOLD_": 4_000_000_000}
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
    overwrite: bool
    workers_on: dict[str, int]
    part: "Part"
    # Of another batch, a worker may hold the plan of a folder that is gone; the hash is known for blocks.
    batch: str
    image_sha256: str = ""


# What a job does of an image: the whole, unless it turns out to be large; one block of a large one; or the rest.
Part = Literal["first"] | int | Literal["rest"]


@dataclass(frozen=True)
class Blocks:
    """The answer for an image that is too large for memory: these blocks of it are to do."""

    numbers: tuple[int, ...]
    image_sha256: str


def on_dask(batch: Batch, workers: int, scheduler: str | None) -> Updates:
    """Segment what is to do of a batch on Dask; yields as :func:`run_batch`."""
    yield Update(-1, "running", stage="Starting the workers" if scheduler is None else f"Connecting to {scheduler}")
    with _client(workers, scheduler) as client, _ctrl_c_noted() as interrupted:
        suspects = yield from _submit(client, batch, batch.waiting, interrupted)
        # A worker that dies takes innocent images with it: those that were there too often are tried alone.
        killed = yield from _submit(client, batch, suspects, interrupted, alone=True)
    for index in killed:
        reason = "the process that worked on it died each time (out of memory, or a crash); see the worker's log"
        yield Update(index, "failed", stage=reason)


@contextmanager
def _client(workers: int, scheduler: str | None) -> Iterator[Any]:
    """Connect to a scheduler, or start one with workers on this computer, which ends with the batch."""
    try:
        import distributed
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
    with local_cluster(workers) as cluster, distributed.Client(cluster, set_as_default=False) as client:
        yield client


@contextmanager
def local_cluster(workers: int) -> Iterator[Any]:
    """Start so many workers on this computer, one thread each, and end them.

    Dask has glibc return freed memory at once (``MALLOC_TRIM_THRESHOLD_``), which also ends glibc's habit of keeping
    large blocks for reuse: each tensor of a network then is new memory from the system, page by page. Here it is kept.
    Dask's profiler, which looks at what a worker does a hundred times a second, is off: nobody sees its pages.
    """
    import dask
    import distributed
    from distributed.system import MEMORY_LIMIT

    key = "distributed.nanny.pre-spawn-environ"
    settings = {
        key: {**dask.config.get(key), **KEEP_MEMORY},
        "distributed.worker.profile.enabled": False,
        "distributed.scheduler.allowed-failures": DEATHS,
    }
    with _without_variables(KEEP_MEMORY), dask.config.set(settings), ExitStack() as stack:
        with _children_ignore_ctrl_c():
            cluster = stack.enter_context(
                distributed.LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    memory_limit=MEMORY_LIMIT // workers,
                    dashboard_address=":0",  # any free port: None takes 8787, and warns if another cluster has it
                    silence_logs=50,
                )
            )
        yield cluster


@contextmanager
def _children_ignore_ctrl_c() -> Iterator[None]:
    """Block SIGINT for all that is started here: a terminal sends it to the workers too, which are ended by us.

    Threads and processes inherit what is blocked. A Ctrl-C meanwhile is obeyed at the end. (Not on Windows.)
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # it would end the block where it is started
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _ctrl_c_noted() -> Iterator[threading.Event]:
    """Have the first Ctrl-C set an event, for :func:`_submit` to obey; a second one interrupts as ever.

    Dask's futures talk to its event loop while they are freed, and Python drops an exception that is raised there: the
    batch would go on to its end. (In threads other than the main one, which no Ctrl-C reaches, and where it is ignored
    or means something else, nothing is changed.)
    """
    interrupted = threading.Event()
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield interrupted
        return

    def note(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        interrupted.set()

    signal.signal(signal.SIGINT, note)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def _without_variables(names: Iterable[str]) -> Iterator[None]:
    """Hide environment variables, then put them back.

    Dask has them override its settings, and leaves its settings among them: those of an earlier cluster would be used.
    """
    before = {name: os.environ.pop(name, None) for name in names}
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


class _Queue:
    """What is still to be submitted; a large image is split into its blocks as soon as they are known."""

    def __init__(self, indices: Iterable[int]) -> None:
        self.parts: deque[tuple[int, Part]] = deque((index, "first") for index in indices)
        self.name, self.hashes = uuid4().hex, dict[int, str]()
        self._left: dict[int, int] = {}
        self._blocks: dict[int, int] = {}

    def split(self, index: int, blocks: Blocks) -> None:
        """Put the blocks of an image first."""
        self.hashes[index] = blocks.image_sha256
        self._left[index] = self._blocks[index] = len(blocks.numbers)
        self.parts.extendleft((index, number) for number in reversed(blocks.numbers))
        if not blocks.numbers:
            self.parts.appendleft((index, "rest"))

    def written(self, index: int) -> float:
        """Note that a block is written; return the share that is."""
        self._left[index] -= 1
        if not self._left[index]:
            self.parts.appendleft((index, "rest"))
        return 1 - self._left[index] / self._blocks[index]

    def drop(self, index: int) -> None:
        """Forget what is left of an image."""
        self.parts = deque(part for part in self.parts if part[0] != index)


def _submit(
    client: Any, batch: Batch, indices: Iterable[int], interrupted: threading.Event, *, alone: bool = False
) -> Generator[Update, None, list[int]]:
    """Keep every worker busy, a few images or blocks waiting; return the images with which workers died too often."""
    queue, killed = _Queue(indices), list[int]()
    going: dict[Any, Any] = {}
    ended: set[int] = set()
    workers: Counter[str] = Counter()
    refreshed = -REFRESH
    while queue.parts or going:
        if interrupted.is_set():
            raise KeyboardInterrupt
        if time.monotonic() - refreshed > REFRESH:
            workers, refreshed = _workers(client, batch), time.monotonic()
        # A few more than there are workers, so that none waits for this process to hear of it and to answer.
        busy = workers.total() + (workers.total() + 3) // 4
        while queue.parts and len(going) < (min(1, workers.total()) if alone else busy):
            index, part = queue.parts.popleft()
            job = _job(batch, index, part, workers, queue)
            going[client.submit(segment_remotely, job, pure=False)] = index
            if part == "first":
                yield Update(index, "running", stage="On a worker")
        for future in _finished(client, going, batch):
            index, outcome = going.pop(future), _outcome(future)
            if index in ended:  # another block of it failed
                continue
            if isinstance(outcome, Blocks):
                queue.split(index, outcome)
            elif isinstance(outcome, int):
                yield Update(index, "running", queue.written(index), f"Block {outcome + 1} written")
            else:
                ended.add(index)
                queue.drop(index)
                if outcome is None:
                    killed.append(index)
                elif isinstance(outcome, Record):
                    yield Update(index, "done", 1.0, record=outcome)
                else:
                    yield Update(index, "failed", stage=outcome)
        yield Update(-1, "running", stage=f"{workers.total()} workers" if workers else "Waiting for workers")
    return killed


def _job(batch: Batch, index: int, part: Part, workers: Counter[str], queue: _Queue) -> Job:
    task = batch.items[index].task
    there = Task(task.image.absolute(), {kind: path.absolute() for kind, path in task.outputs.items()})
    out, settings = batch.out.absolute(), (batch.config, batch.overwrite)
    plan = (queue.name, queue.hashes.get(index, ""))
    return Job(there, out, batch.model, batch.model_sha256, *settings, dict(workers), part, *plan)


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
    """Return what the worker answered, or None where too many workers died."""
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


# The record, why it failed, what there is to do of a large image, or the number of the block that is written.
Outcome = Record | str | Blocks | int


def segment_remotely(job: Job) -> Outcome:
    """Do a part of one file, on a worker."""
    import dask

    try:
        # Lazy images are read here and now: on the cluster they would wait for this very task.
        with _ONE_AT_A_TIME, dask.config.set(scheduler="synchronous"):
            _share_cores(job.workers_on)
            model = _model(job.model, job.config.device)
            if model.sha256 != job.model_sha256:
                return f"the worker has another file as {job.model}; all need the same storage"
            if isinstance(job.part, int):
                deque(_plan_of(job, model, job.image_sha256).segment_block(job.part), maxlen=0)
                return job.part
            if job.part == "first" and is_large_file(model, read_image(job.task.image), job.config):
                check_writable(job.out)
                digest = fingerprint(job.task.image).sha256
                return Blocks(tuple(_plan_of(job, model, digest).todo()), digest)
            steps = segment_file(model, job.task, job.out, job.config, overwrite=job.overwrite)
            while True:
                next(steps)
    except StopIteration as end:
        record: Record = end.value
        return record
    except Exception as error:  # noqa: BLE001  the border: whatever it is, the other images go on
        return reason_of(error)


def _plan_of(job: Job, model: "LDSeg", content: str) -> "LargeRun":
    return _large_run(model, job.task.image, large_path(job.task), job.config, job.overwrite, content, job.batch)


@lru_cache(maxsize=1)
def _large_run(
    model: "LDSeg", image: Path, path: Path, config: SegmentConfig, overwrite: bool, content: str, batch: str
) -> "LargeRun":
    """Keep the plan of a large image for its next block in the same batch."""
    from ..inference import LargeRun

    del batch
    return LargeRun(model, read_image(image), path, config, overwrite=overwrite, content=content)


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
    from distributed.comm.addressing import get_address_host

    share = max(1, CPU_COUNT // workers_on.get(get_address_host(get_worker().address), 1))
    if torch.get_num_threads() != share:
        torch.set_num_threads(share)
