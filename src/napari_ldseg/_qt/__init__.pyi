from .cardiac._widget import CardiacWidget
from .evaluate._widget import EvaluateWidget
from .folder._widget import FolderWidget
from .measure._widget import MeasureWidget
from .plugin._demo import demo
from .review._widget import ReviewWidget
from .segment._widget import SegmentWidget
from .train._widget import TrainWidget

__all__ = [
    "CardiacWidget",
    "EvaluateWidget",
    "FolderWidget",
    "MeasureWidget",
    "ReviewWidget",
    "SegmentWidget",
    "TrainWidget",
    "demo",
]
