"""The networks of LDSeg. 2D and 3D share every line."""

from ._blocks import pixel_shuffle as pixel_shuffle, pixel_unshuffle as pixel_unshuffle
from ._image_encoder import ImageEncoder as ImageEncoder
from ._ldseg import LDSeg as LDSeg
from ._prompt_encoder import GuessCorrector as GuessCorrector
