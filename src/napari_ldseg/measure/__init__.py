"""Measure the objects of a segmentation and their spread over the samples (no torch)."""

from ._components import Region, find_regions, grown, whole_frames
from ._matching import Versions, match
from ._objects import (
    RANKINGS,
    Measured,
    Measurement,
    Spread,
    class_sizes,
    measure_frames,
    measure_objects,
    ranked,
    size_name,
    spread_of,
    usable_ranking,
)
from ._samples import NOT_DRAWN, Box, SampleMasks
from ._settling import Question, most_settling
from ._shape import boundary

__all__ = [
    "NOT_DRAWN",
    "RANKINGS",
    "Box",
    "Measured",
    "Measurement",
    "Question",
    "Region",
    "SampleMasks",
    "Spread",
    "Versions",
    "boundary",
    "class_sizes",
    "find_regions",
    "grown",
    "match",
    "measure_frames",
    "measure_objects",
    "most_settling",
    "ranked",
    "size_name",
    "spread_of",
    "usable_ranking",
    "whole_frames",
]
