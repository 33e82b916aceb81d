"""Segment one image of many; what is too large for memory takes its own path."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from .._outputs import Task, write_outputs
from ..config import SegmentConfig
from ..data import read_image
from ..data._files import stem
from ._common import follow

if TYPE_CHECKING:
    from ..inference import Progress
    from ..networks import LDSeg


def segment_task(
    model: "LDSeg",
    task: Task,
    config: SegmentConfig,
    report: "Callable[[Progress], None]",
    overwrite: bool,
) -> None:
    """Segment one image into its files; one that is too large for memory into an OME-Zarr beside them.

    Of a multiscale image the level nearest the model's pixel size is segmented.
    """
    from ..inference import is_large, nearest_level, segment, segment_large

    image = read_image(task.image)
    if is_large(image, model.config, config):
        path = task.outputs["labels"].with_name(f"{stem(task.image)}_ldseg.zarr")
        follow(segment_large(model, image, path, config, overwrite=overwrite), report)
        return
    level = nearest_level(image, model.config)[0] if image.levels else image
    write_outputs(follow(segment(model, level, config), report), task)
