"""Segment one image of a batch, from its file to its outputs and its record."""

import math
import tempfile
import time
from collections.abc import Generator, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..annotations import is_drawn
from ..config import ModelConfig, PartConfig, SegmentConfig
from ..data import read_image, stem
from ..errors import InputError
from ..metrics import soft_dice_confidence
from ..plan import Plan, plan_image
from ..prompts import read_prompts
from ..remote import RemoteModel, Server
from ._outputs import Task, write_outputs
from ._record import RECORDS, Fingerprint, Record, Summary, record_path, remove, scratch_path
from ._retry import patiently

if TYPE_CHECKING:
    from ..inference import Segmentation, SegmentProgress
    from ..networks import LDSeg


SUFFIX = "_ldseg.zarr"


def plan_file(
    model: ModelConfig, path: Path, config: SegmentConfig, part: PartConfig, prompts: Path | None = None
) -> Plan:
    """Read an image (a large one lazily) and plan its segmentation.

    Raises
    ------
    InputError
        If the image cannot be read, or does not fit the model.
    """
    plan = plan_image(patiently(lambda: read_image(path)), model, config, part)
    if prompts is None:
        return plan
    axes = plan.asked.image.axes.replace("c", "")
    return plan.told(patiently(lambda: read_prompts(prompts, axes, path.name)))


def segment_file(
    model: "LDSeg | RemoteModel",
    task: Task,
    out: Path,
    config: SegmentConfig,
    part: PartConfig | None = None,
    *,
    overwrite: bool = False,
    plan: Plan | None = None,
    server: Server | None = None,
) -> "Generator[SegmentProgress, None, Record]":
    """Segment one file into its outputs (all or none) and keep the record.

    The outputs are written into a folder of their own below ``out/.napari-ldseg``, then the record is, then the
    outputs are renamed into their places: whenever the process is killed, what stands in a place is whole and known.
    An image that is too large for memory goes block by block into ``<stem>_ldseg.zarr``; ``overwrite`` allows
    replacing another result there. A ``plan`` that was made of the same is not made again. With a ``server``, the model
    is one of its own.

    Raises
    ------
    LDSegError
        If the image cannot be read, segmented or written.
    """
    started, part = time.perf_counter(), part or PartConfig()
    check_writable(out)
    digest = fingerprint(task.image)
    plan = plan or plan_file(model.config, task.image, config, part, task.prompts)
    into = large_path(task) if plan.on_disk else None
    if isinstance(model, RemoteModel):
        assert server is not None
        result = yield from server.segment(model, plan)
    else:
        from ..inference import segment

        result = yield from segment(model, plan, into=into, overwrite=overwrite, content=digest.sha256)

    def record(files: Iterable[Path]) -> Record:
        settings = all_settings(config, part, task.prompts)
        summary = replace(
            summarize(result, time.perf_counter() - started),
            reading=plan.sentence(),
            warnings=[*plan.warnings(), *result.doubts()],
        )
        outputs = {path.name: Fingerprint.of(path) for path in files}
        return Record(task.image.name, digest, model.config.name, model.sha256, settings, outputs, summary)

    if result.path is not None:
        done = record([result.path])
        done.write(record_path(out, task.image))
        return done
    scratches = scratch_path(out, task.image)
    try:
        scratches.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=scratches, ignore_cleanup_errors=True) as scratch:
            outputs = {kind: Path(scratch) / path.name for kind, path in task.outputs.items()}
            beside = replace(task, outputs=outputs)
            patiently(lambda: write_outputs(result, beside))
            done = record(beside.outputs.values())
            _put_into_place(done, task, beside, out)
        remove(scratches)  # with what earlier runs that were killed left there
    except OSError as error:
        raise _unwritable(out, error) from error
    return done


def all_settings(config: SegmentConfig, part: PartConfig, prompts: Path | None = None) -> dict[str, Any]:
    """Return all settings that determine a result, as JSON; prompts and drawn regions by the hash of their file."""
    said = {} if prompts is None else {"prompts": fingerprint(prompts).sha256}
    if part.region is not None and is_drawn(Path(part.region)):
        said["areas"] = fingerprint(Path(part.region)).sha256
    return {**config.model_dump(mode="json"), **part.model_dump(mode="json"), **said}


def large_path(task: Task) -> Path:
    """Return the path of the result of an image that is too large for memory."""
    return task.outputs["labels"].with_name(f"{stem(task.image)}{SUFFIX}")


def check_writable(out: Path) -> None:
    """Create the output folder and test that it is writable, before anything is computed.

    Raises
    ------
    InputError
        If writing fails.
    """

    def write() -> None:
        (out / RECORDS).mkdir(parents=True, exist_ok=True)
        for folder in (out, out / RECORDS):
            with tempfile.TemporaryFile(dir=folder):
                pass

    try:
        patiently(write)
    except OSError as error:
        raise _unwritable(out, error) from error


def _unwritable(out: Path, error: OSError) -> InputError:
    return InputError(f"{out} cannot be written ({error.strerror or error}); make room, or choose another folder.")


def fingerprint(path: Path) -> Fingerprint:
    """Read the fingerprint of an image file.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    try:
        return patiently(lambda: Fingerprint.of(path))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}); check the path.") from error


def _put_into_place(record: Record, task: Task, beside: Task, out: Path) -> None:
    """Replace the earlier files, the record first."""
    former = Record.read(record_path(out, task.image))
    if former is not None and replace(former, outputs=record.outputs, summary=record.summary) == record:
        record.outputs.update({name: made for name, made in former.outputs.items() if name not in record.outputs})
    for path in task.outputs.values():
        remove(path)
    record.write(record_path(out, task.image))
    for kind, path in task.outputs.items():
        beside.outputs[kind].rename(path)


def summarize(result: "Segmentation", seconds: float) -> Summary:
    """Return the numbers of a result for the report.

    Of a result on disk, the mean SD is that of the coarsest level, and there is no uncertainty: the mean map is not
    kept.
    """
    classes = result.class_names[1:]
    sizes = result.sizes.reshape(-1, *result.sizes.shape[-2:])[..., 1:]
    means, spreads = [], []
    for frame in sizes:  # a frame that settled early has nan for the samples that it did not need
        drawn = frame[np.isfinite(frame).all(axis=1)]
        means.append(drawn.mean(axis=0))
        spreads.append(drawn.std(axis=0, ddof=1) if len(drawn) > 1 else np.full(drawn.shape[1], math.nan))
    mean, spread = np.mean(means, axis=0).tolist(), np.mean(spreads, axis=0).tolist()
    return Summary(
        seconds=round(seconds, 3),
        samples=result.samples,
        frames=len(sizes),
        mean_sd=float(np.asarray(result.levels("sd")[-1]).mean(dtype=float)),
        uncertainty=_uncertainty(result),
        sizes=dict(zip(classes, mean, strict=True)),
        sizes_sd={name: value if math.isfinite(value) else None for name, value in zip(classes, spread, strict=True)},
        unit=result.unit if result.spacing is not None else "pixel",
    )


def _uncertainty(result: "Segmentation") -> float | None:
    """Return 1 - soft Dice confidence of the foreground; None if the mean map was not kept."""
    if result.mean is None:
        return None
    foreground = 1 - result.mean.take(0, axis=result.sizes.ndim - 2)
    return 1 - soft_dice_confidence(foreground, result.labels)
