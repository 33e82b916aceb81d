"""One image of a batch, from its file to its outputs and its record."""

import math
import tempfile
import time
from collections.abc import Generator, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..config import SegmentConfig
from ..data import Image, read_image, stem
from ..errors import InputError
from ..metrics import soft_dice_confidence
from ..plan import read_part
from ._outputs import Task, write_outputs
from ._record import RECORDS, Fingerprint, Record, Summary, record_path, remove, scratch_path
from ._retry import patiently

if TYPE_CHECKING:
    from ..inference import LargeSegmentation, Segmentation, SegmentProgress
    from ..networks import LDSeg


def segment_file(
    model: "LDSeg", task: Task, out: Path, config: SegmentConfig, *, overwrite: bool = False
) -> "Generator[SegmentProgress, None, Record]":
    """Segment one file into its outputs, all of them or none, and keep the record.

    The outputs are written into a folder of their own below ``out/.napari-ldseg``, then the record is, then the
    outputs are renamed into their places: whenever the process is killed, what stands in a place is whole and known.
    An image that is too large for memory goes block by block into ``<stem>_ldseg.zarr``, of which ``overwrite`` says
    whether another result there is replaced.

    Raises
    ------
    LDSegError
        Where the image cannot be read, segmented or written.
    """
    from ..inference import segment
    from ..plan import nearest_level

    started = time.perf_counter()
    check_writable(out)
    digest = fingerprint(task.image)
    image = patiently(lambda: read_image(task.image))
    ndim = model.config.network.ndim
    reading = read_part(image, ndim, axes=config.axes, frames=config.frames, region=config.region)
    said: dict[str, Any] = {
        "reading": reading.sentence(model.config) if config.is_part else "",
        "warnings": reading.warnings(model.config),
    }
    if is_large_file(model, image, config):
        large = yield from segment_large_file(model, image, task, digest, config, overwrite)
        summary = replace(summarize_large(large, time.perf_counter() - started), **said)
        record = _record(model, task, config, digest, [large.path], summary)
        record.write(record_path(out, task.image))
        return record
    level, seen = nearest_level(image, model.config) if image.levels and not config.is_part else (image, None)
    result = yield from segment(model, level, config, seen=seen)
    scratches = scratch_path(out, task.image)
    try:
        scratches.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=scratches, ignore_cleanup_errors=True) as scratch:
            beside = Task(task.image, {kind: Path(scratch) / path.name for kind, path in task.outputs.items()})
            patiently(lambda: write_outputs(result, beside))
            summary = replace(summarize_result(result, time.perf_counter() - started), **said)
            record = _record(model, task, config, digest, beside.outputs.values(), summary)
            _put_into_place(record, task, beside, out)
        remove(scratches)  # with what earlier runs that were killed left there
    except OSError as error:
        raise _unwritable(out, error) from error
    return record


def check_writable(out: Path) -> None:
    """Make the folder of the outputs and write into it, so that nothing is computed for a place that takes nothing.

    Raises
    ------
    InputError
        Where the disk refuses.
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


def _record(
    model: "LDSeg", task: Task, config: SegmentConfig, digest: Fingerprint, made: Iterable[Path], summary: Summary
) -> Record:
    return Record(
        image=task.image.name,
        input=digest,
        model=model.config.name,
        model_sha256=model.sha256,
        settings=config.model_dump(mode="json"),
        outputs={path.name: Fingerprint.of(path) for path in made},
        summary=summary,
    )


def fingerprint(path: Path) -> Fingerprint:
    """Read what an image is.

    Raises
    ------
    InputError
        Where it cannot be read.
    """
    try:
        return patiently(lambda: Fingerprint.of(path))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}); check the path.") from error


def _put_into_place(record: Record, task: Task, beside: Task, out: Path) -> None:
    """Replace what was there, the record first."""
    former = Record.read(record_path(out, task.image))
    if former is not None and replace(former, outputs=record.outputs, summary=record.summary) == record:
        record.outputs.update({name: made for name, made in former.outputs.items() if name not in record.outputs})
    for path in task.outputs.values():
        remove(path)
    record.write(record_path(out, task.image))
    for kind, path in task.outputs.items():
        beside.outputs[kind].rename(path)


def summarize_result(result: "Segmentation", seconds: float) -> Summary:
    """Return the numbers of a result that a report shows."""
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
        mean_sd=float(result.sd.mean(dtype=float)),
        uncertainty=1 - soft_dice_confidence(1 - result.mean.take(0, axis=result.sizes.ndim - 2), result.labels),
        sizes=dict(zip(classes, mean, strict=True)),
        sizes_sd={name: value if math.isfinite(value) else None for name, value in zip(classes, spread, strict=True)},
        unit=result.unit if result.spacing is not None else "pixel",
    )


SUFFIX = "_ldseg.zarr"


def large_path(task: Task) -> Path:
    """Where the result of an image that is too large for memory goes."""
    return task.outputs["labels"].with_name(f"{stem(task.image)}{SUFFIX}")


def is_large_file(model: "LDSeg", image: Image, config: SegmentConfig) -> bool:
    """Whether an image takes the path block by block."""
    from ..plan import is_large

    return is_large(image, model.config, config)


def segment_large_file(
    model: "LDSeg", image: Image, task: Task, digest: Fingerprint, config: SegmentConfig, overwrite: bool
) -> "Generator[SegmentProgress, None, LargeSegmentation]":
    """Segment what is not done yet of a large image."""
    from ..inference import segment_large

    place, content = large_path(task), digest.sha256
    return (yield from segment_large(model, image, place, config, overwrite=overwrite, content=content))


def summarize_large(result: "LargeSegmentation", seconds: float) -> Summary:
    """Return the numbers of a large result; its mean SD is that of the coarsest level.

    The mean map is not kept, so that there is no soft Dice confidence and the uncertainty is None.
    """
    import numpy as np

    classes = result.class_names[1:]
    sizes = result.sizes.reshape(-1, *result.sizes.shape[-2:])[..., 1:]
    several = sizes.shape[1] > 1
    spread = sizes.std(axis=1, ddof=1).mean(axis=0).tolist() if several else [None] * len(classes)
    return Summary(
        seconds=round(seconds, 3),
        samples=result.samples,
        frames=len(sizes),
        mean_sd=float(np.asarray(result.sd[-1]).mean(dtype=float)),
        uncertainty=None,
        sizes=dict(zip(classes, sizes.mean(axis=(0, 1)).tolist(), strict=True)),
        sizes_sd=dict(zip(classes, spread, strict=True)),
        unit=result.unit if result.spacing is not None else "pixel",
    )
