"""From an image to masks with uncertainty: embed, sample, decode, sum up."""

from ._disk import LargeRun, LargeSegmentation, segment_large
from ._memory import Maps
from ._noise import sample_generator
from ._preprocess import prepare, resize_frame
from ._resample import Regions, probe, probe_intensities
from ._result import Segmentation, SegmentProgress
from ._runner import Run
from ._segment import segment
from ._smoothing import smooth_conditions
from ._statistics import RunningStatistics
from ._windows import Window, Windows

__all__ = [
    "LargeRun",
    "LargeSegmentation",
    "Maps",
    "Regions",
    "Run",
    "RunningStatistics",
    "SegmentProgress",
    "Segmentation",
    "Window",
    "Windows",
    "prepare",
    "probe",
    "probe_intensities",
    "resize_frame",
    "sample_generator",
    "segment",
    "segment_large",
    "smooth_conditions",
]
