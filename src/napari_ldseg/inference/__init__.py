"""Turn an image into masks with uncertainty: embed, sample, decode, average."""

from ._noise import sample_generator
from ._preprocess import prepare, resize_frame
from ._resample import Regions
from ._result import Segmentation, SegmentProgress
from ._runner import Runner
from ._segment import SegmentRun, segment
from ._session import Session, Suggestion
from ._smoothing import smooth_conditions
from ._statistics import RunningStatistics
from ._windows import Window, Windows

__all__ = [
    "Regions",
    "Runner",
    "RunningStatistics",
    "SegmentProgress",
    "SegmentRun",
    "Segmentation",
    "Session",
    "Suggestion",
    "Window",
    "Windows",
    "prepare",
    "resize_frame",
    "sample_generator",
    "segment",
    "smooth_conditions",
]
