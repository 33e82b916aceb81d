"""Measure the objects of a segmentation and their spread over the samples (no torch)."""

from ._components import Region as Region, find_regions as find_regions, grown as grown, whole_frames as whole_frames
from ._counted import Objects as Objects, count_objects as count_objects
from ._instances import (
    draw_rims as draw_rims,
    find_objects as find_objects,
    follow_objects as follow_objects,
    keep_numbers as keep_numbers,
    split_objects as split_objects,
)
from ._matching import Versions as Versions, match as match
from ._objects import (
    RANKINGS as RANKINGS,
    Measured as Measured,
    Measurement as Measurement,
    Spread as Spread,
    class_sizes as class_sizes,
    measure_frames as measure_frames,
    measure_objects as measure_objects,
    ranked as ranked,
    size_name as size_name,
    spread_of as spread_of,
    usable_ranking as usable_ranking,
)
from ._samples import NOT_DRAWN as NOT_DRAWN, RIM as RIM, Box as Box, SampleMasks as SampleMasks
from ._settling import Question as Question, most_settling as most_settling
from ._shape import boundary as boundary
