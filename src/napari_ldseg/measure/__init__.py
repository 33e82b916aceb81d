"""Numbers that judge masks and describe their objects (numpy, scipy and scikit-image; no torch)."""

from ._matching import Versions, match
from ._measure import Measured, Measurement, Spread, measure_frames, measure_objects, size_name
from ._overlap import confusion, dice, foreground_dice, iou
from ._regions import Region, find_regions, whole_frames
from ._samples import NOT_DRAWN, SampleMasks
from ._shape import boundary

__all__ = [
    "NOT_DRAWN",
    "Measured",
    "Measurement",
    "Region",
    "SampleMasks",
    "Spread",
    "Versions",
    "boundary",
    "confusion",
    "dice",
    "find_regions",
    "foreground_dice",
    "iou",
    "match",
    "measure_frames",
    "measure_objects",
    "size_name",
    "whole_frames",
]
