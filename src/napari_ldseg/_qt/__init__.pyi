from .cardiac._widget import CardiacWidget as CardiacWidget
from .evaluate._widget import EvaluateWidget as EvaluateWidget
from .folder._widget import FolderWidget as FolderWidget
from .measure._widget import MeasureWidget as MeasureWidget
from .plugin._demo import demo as demo
from .review._widget import ReviewWidget as ReviewWidget
from .segment._widget import SegmentWidget as SegmentWidget
from .train._widget import TrainWidget as TrainWidget
