"""Images larger than memory: into one OME-Zarr each, block by block, which several workers may share."""

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

from .._outputs import Task
from ..config import SegmentConfig
from ..data import Image
from ..data._files import stem
from ._record import Fingerprint, Summary

if TYPE_CHECKING:
    from ..inference import LargeSegmentation, Progress
    from ..networks import LDSeg

SUFFIX = "_ldseg.zarr"


def large_path(task: Task) -> Path:
    """Where the result of an image that is too large for memory goes."""
    return task.outputs["labels"].with_name(f"{stem(task.image)}{SUFFIX}")


def is_large_file(model: "LDSeg", image: Image, config: SegmentConfig) -> bool:
    """Whether an image takes the path block by block."""
    from ..inference import is_large

    return is_large(image, model.config, config)


def segment_large_file(
    model: "LDSeg", image: Image, task: Task, digest: Fingerprint, config: SegmentConfig, overwrite: bool
) -> "Generator[Progress, None, LargeSegmentation]":
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
