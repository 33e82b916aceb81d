"""The networks of LDSeg; ``ndim`` 2 and 3 share every line."""

from ._blocks import pixel_shuffle, pixel_unshuffle
from ._image_encoder import ImageEncoder
from ._ldseg import LDSeg

__all__ = ["ImageEncoder", "LDSeg", "pixel_shuffle", "pixel_unshuffle"]
