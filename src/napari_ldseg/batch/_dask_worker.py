"""Run one job on a Dask worker: an image, or a block of a large image."""

import threading
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .._util import follow
from ..config import Device, PartConfig, SegmentConfig
from ._image import check_writable, fingerprint, large_path, plan_file, segment_file
from ._outputs import Task
from ._record import Record
from ._update import reason_of

if TYPE_CHECKING:
    from ..inference import SegmentRun
    from ..networks import LDSeg

_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Job:
    """The order for a worker, a few hundred bytes."""

    task: Task
    out: Path
    model: Path
    model_sha256: str
    config: SegmentConfig
    part: PartConfig
    overwrite: bool
    workers_on: dict[str, int]
    piece: "Piece"
    # Identifies the batch, so that a worker never goes on with the run of a folder that is gone.
    batch: str
    # Known for blocks.
    image_sha256: str = ""


# The share of a job: the whole image, unless it turns out to be large; one block of a large one; or the rest.
Piece = Literal["first"] | int | Literal["rest"]


@dataclass(frozen=True)
class Blocks:
    """The answer for an image that is too large for memory: its blocks that remain to be done."""

    numbers: tuple[int, ...]
    image_sha256: str


# The record, why it failed, the remaining blocks of a large image, or the number of the written block.
Outcome = Record | str | Blocks | int


def segment_remotely(job: Job) -> Outcome:
    """Do a part of one file, on a worker."""
    import dask

    try:
        # Lazy images are read here: on the cluster they would wait for this very task.
        with _ONE_AT_A_TIME, dask.config.set(scheduler="synchronous"):
            _share_cores(job.workers_on)
            model = _model(job.model, job.config.device)
            if model.sha256 != job.model_sha256:
                return f"the worker has another file as {job.model}; all need the same storage"
            if isinstance(job.piece, int):
                follow(_run_of(job, model).segment_block(job.piece))
                return job.piece
            plan = plan_file(model.config, job.task.image, job.config, job.part, job.task.prompts)
            if job.piece == "first" and plan.on_disk:
                check_writable(job.out)
                job = replace(job, image_sha256=fingerprint(job.task.image).sha256)
                return Blocks(tuple(_run_of(job, model).todo()), job.image_sha256)
            return follow(
                segment_file(model, job.task, job.out, job.config, job.part, overwrite=job.overwrite, plan=plan)
            )
    except Exception as error:  # noqa: BLE001  the border: whatever it is, the other images go on
        return reason_of(error)


def _run_of(job: Job, model: "LDSeg") -> "SegmentRun":
    options = (job.config, job.part, job.overwrite, job.image_sha256, job.batch)
    return _large_run(model, job.task.image, large_path(job.task), job.task.prompts, *options)


@lru_cache(maxsize=1)
def _large_run(
    model: "LDSeg",
    image: Path,
    path: Path,
    prompts: Path | None,
    config: SegmentConfig,
    part: PartConfig,
    overwrite: bool,
    content: str,
    batch: str,
) -> "SegmentRun":
    """Keep the run of a large image for its next block in the same batch."""
    from ..inference import SegmentRun

    del batch
    plan = plan_file(model.config, image, config, part, prompts)
    return SegmentRun(model, plan, into=path, overwrite=overwrite, content=content)


@lru_cache(maxsize=1)
def _model(path: Path, device: Device) -> "LDSeg":
    """Keep the model for the next image: it is loaded once in each process."""
    from ..checkpoints import load_model

    return load_model(path, device)


def _share_cores(workers_on: dict[str, int]) -> None:
    """Take this worker's share of the computer's cores (Dask itself allows one)."""
    from dask.system import CPU_COUNT
    from distributed import get_worker
    from distributed.comm.addressing import get_address_host

    from ..checkpoints import limit_cores

    limit_cores(max(1, CPU_COUNT // workers_on.get(get_address_host(get_worker().address), 1)))
