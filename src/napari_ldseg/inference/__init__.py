"""From an image to masks with uncertainty: preprocess, embed, sample, decode, sum up."""

from ..data import convert_spacing
from ._export import Exported, export_model
from ._pipeline import segment
from ._preprocess import frames, normalize_frame, plan_grid, resize_frame
from ._result import Progress, Segmentation

__all__ = [
    "Exported",
    "Progress",
    "Segmentation",
    "convert_spacing",
    "export_model",
    "frames",
    "normalize_frame",
    "plan_grid",
    "resize_frame",
    "segment",
]
