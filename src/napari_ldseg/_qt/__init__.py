"""The only room that knows the viewer: napari, qtpy. A widget's module is imported when it is first asked for."""

from typing import TYPE_CHECKING

from .._lazy import lazy

if TYPE_CHECKING:
    from ._cardiac import CardiacWidget
    from ._demo import demo
    from ._evaluate import EvaluateWidget
    from ._folder import FolderWidget
    from ._measure import MeasureWidget
    from ._review import ReviewWidget
    from ._segment import SegmentWidget
    from ._train import TrainWidget

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

_LAZY = {
    "CardiacWidget": "._cardiac",
    "EvaluateWidget": "._evaluate",
    "FolderWidget": "._folder",
    "MeasureWidget": "._measure",
    "ReviewWidget": "._review",
    "SegmentWidget": "._segment",
    "TrainWidget": "._train",
    "demo": "._demo",
}

__getattr__ = lazy(__name__, _LAZY)
