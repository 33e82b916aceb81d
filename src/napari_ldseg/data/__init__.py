"""Files and arrays: readers, writers, sample data (numpy, tifffile, scikit-image; no torch)."""

from ._echo_phantom import EchoPhantom, echo_cine
from ._files import find_images
from ._image import Image
from ._knee_phantom import volume_phantom
from ._pairs import Pair, find_pairs, match_masks
from ._reader import read_image, read_labels
from ._samples import colon_gland, phantom
from ._writer import read_notes, write_text, write_tiff

__all__ = [
    "EchoPhantom",
    "Image",
    "Pair",
    "colon_gland",
    "echo_cine",
    "find_images",
    "find_pairs",
    "match_masks",
    "phantom",
    "read_image",
    "read_labels",
    "read_notes",
    "volume_phantom",
    "write_text",
    "write_tiff",
]
