"""The only room that knows the viewer: napari, qtpy."""

from ._cardiac import CardiacWidget
from ._demo import demo
from ._evaluate import EvaluateWidget
from ._folder import FolderWidget
from ._measure import MeasureWidget
from ._review import ReviewWidget
from ._segment import SegmentWidget
from ._train import TrainWidget

__all__ = ["CardiacWidget", "EvaluateWidget", "MeasureWidget", "ReviewWidget", "SegmentWidget", "demo"]
__all__ = ["EvaluateWidget", "FolderWidget", "MeasureWidget", "ReviewWidget", "SegmentWidget", "demo"]
__all__ = ["EvaluateWidget", "MeasureWidget", "ReviewWidget", "SegmentWidget", "TrainWidget", "demo"]
