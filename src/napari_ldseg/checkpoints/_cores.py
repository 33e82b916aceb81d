"""Share the cores of this computer among the processes of ours that compute on them.

PyTorch gives every process all cores, and its threads wait for each other by spinning. Two such processes on the same
cores wait for threads that do not run, and each takes several times as long as it would with half of the cores. So each
process that computes leaves a mark in a folder, and takes its share of the cores: all of them while it is alone.
"""

import os
import platform
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import torch

from .._util import user_folder

LOOK_SECONDS = 0.5
FRESH_SECONDS = 20.0  # a mark that nobody has touched for so long is that of a paused run

_lock = threading.Lock()
_active = 0
_limit: int | None = None
_looked = -LOOK_SECONDS


@contextmanager
def computing(device: torch.device) -> Iterator[None]:
    """Mark this process as one that computes, and take only its share of the cores meanwhile.

    Between steps of the computation call :func:`share_cores`. Nothing happens where a GPU computes.

    Parameters
    ----------
    device : torch.device
        Where the computation runs.
    """
    global _active, _looked
    if device.type != "cpu":
        yield
        return
    with _lock:
        if _limit is None:
            limit_cores(torch.get_num_threads())
        _active += 1
        _looked = -LOOK_SECONDS
    try:
        share_cores()
        yield
    finally:
        with _lock:
            _active -= 1
            if not _active:
                with suppress(OSError):
                    _mark().unlink(missing_ok=True)
        torch.set_num_threads(_limit or 1)


def share_cores() -> None:
    """Take this process' share of the cores, if it is marked as computing. It looks twice a second at most."""
    global _looked
    now = time.monotonic()
    if not _active or now - _looked < LOOK_SECONDS:
        return
    _looked = now
    threads = min(_limit or 1, max(1, available_cores() // (1 + _others())))
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)


def limit_cores(threads: int) -> None:
    """Never let this process take more threads than that, for example because a cluster gives it no more."""
    global _limit
    _limit = threads
    torch.set_num_threads(threads)


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _mark() -> Path:
    """Return the file that says that this process computes. Computers may share the folder, so it names this one."""
    return user_folder("computing") / f"{platform.node()}-{os.getpid()}"


def _others() -> int:
    """Touch the mark of this process, and count those of others that live and have touched theirs lately.

    Where the folder cannot be written, nobody is counted.
    """
    own, count = _mark(), 0
    try:
        own.parent.mkdir(parents=True, exist_ok=True)
        own.touch()
        marks = [path for path in own.parent.iterdir() if path != own]
    except OSError:
        return 0
    for path in marks:
        found = re.fullmatch(re.escape(platform.node()) + r"-(\d+)", path.name)
        if found is None:
            continue
        with suppress(OSError):
            if not psutil.pid_exists(int(found[1])):
                path.unlink(missing_ok=True)
            elif time.time() - path.stat().st_mtime < FRESH_SECONDS:
                count += 1
    return count
