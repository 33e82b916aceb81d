"""The only room that knows the viewer: napari, qtpy."""

from ._demo import demo
from ._segment import SegmentWidget

__all__ = ["SegmentWidget", "demo"]
