"""Numbers that judge masks and describe their objects (numpy, scipy and scikit-image; no torch)."""

from ._failure import aurc, error_auroc, found_after
from ._matching import Versions, match
from ._measure import (
    RANKINGS,
    Measured,
    Measurement,
    Spread,
    class_sizes,
    measure_frames,
    measure_objects,
    ranked,
    size_name,
    usable_ranking,
)
from ._overlap import confusion, dice, foreground_dice, iou
from ._regions import Region, find_regions, grown, whole_frames
from ._samples import NOT_DRAWN, Box, SampleMasks
from ._shape import boundary

__all__ = [
    "NOT_DRAWN",
    "RANKINGS",
    "Box",
    "Measured",
    "Measurement",
    "Region",
    "SampleMasks",
    "Spread",
    "Versions",
    "aurc",
    "boundary",
    "class_sizes",
    "confusion",
    "dice",
    "error_auroc",
    "find_regions",
    "foreground_dice",
    "found_after",
    "grown",
    "iou",
    "match",
    "measure_frames",
    "measure_objects",
    "ranked",
    "size_name",
    "usable_ranking",
    "whole_frames",
]
