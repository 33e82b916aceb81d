"""The networks of LDSeg; ``ndim`` 2 and 3 share every line."""

from ._blocks import fold, unfold
from ._ldseg import LDSeg

__all__ = ["LDSeg", "fold", "unfold"]
