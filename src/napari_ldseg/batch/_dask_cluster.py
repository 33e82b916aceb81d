"""Connect to a Dask cluster, or start local workers and stop them again."""

import os
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Any

from ..errors import EngineError, InputError

if TYPE_CHECKING:
    pass

CONNECTING = 20
KEEP_MEMORY = {"MALLOC_MMAP_MAX_": 0, "MALLOC_TRIM_THRESHOLD_": 4_000_000_000}
DEATHS = 2


@contextmanager
def connected_client(workers: int, scheduler: str | None) -> Iterator[Any]:
    """Connect to a scheduler, or start local workers that end with the batch."""
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
    """Start so many workers on this computer, with one thread each, and stop them at the end.

    Dask has glibc return freed memory at once (``MALLOC_TRIM_THRESHOLD_``), which also ends glibc's habit of keeping
    large blocks for reuse: each tensor of a network then is new memory from the system, page by page. Here it is kept.
    Dask's profiler, which samples a worker a hundred times a second, is off: nobody sees its pages.
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
    resource_tracker.ensure_running()  # it would end the blocking where it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def ctrl_c_noted() -> Iterator[threading.Event]:
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
