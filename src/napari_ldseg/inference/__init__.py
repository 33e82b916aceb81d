"""From an image to masks with uncertainty: preprocess, embed, sample, decode, sum up."""

from ._export import Exported, export_model
from ._large import LargeRun, LargeSegmentation, segment_large
from ._levels import is_large, nearest_level
from ._pipeline import segment
from ._preprocess import frames, normalize_frame, plan_grid, resize_frame
from ._result import Progress, Segmentation
from ._tiles import Tile, plan_tiles

__all__ = [
    "Exported",
    "LargeRun",
    "LargeSegmentation",
    "Progress",
    "Segmentation",
    "Tile",
    "export_model",
    "frames",
    "is_large",
    "nearest_level",
    "normalize_frame",
    "plan_grid",
    "plan_tiles",
    "resize_frame",
    "segment",
    "segment_large",
]
