from ._noise import sample_generator as sample_generator
from ._preprocess import prepare as prepare, resize_frame as resize_frame
from ._resample import Regions as Regions
from ._result import Segmentation as Segmentation, SegmentProgress as SegmentProgress
from ._runner import Runner as Runner
from ._segment import SegmentRun as SegmentRun, segment as segment
from ._session import Session as Session, Suggestion as Suggestion
from ._smoothing import smooth_conditions as smooth_conditions
from ._statistics import RunningStatistics as RunningStatistics
from ._windows import Window as Window, Windows as Windows
