"""The networks of LDSeg; ``ndim`` 2 and 3 share every line."""

from ._blocks import fold, unfold
from ._image_encoder import ImageEncoder
from ._ldseg import LDSeg

__all__ = ["ImageEncoder", "LDSeg", "fold", "unfold"]
