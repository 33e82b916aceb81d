"""The only room that knows the viewer: napari, qtpy."""

from ._demo import demo
from ._evaluate import EvaluateWidget
from ._segment import SegmentWidget

__all__ = ["EvaluateWidget", "SegmentWidget", "demo"]
