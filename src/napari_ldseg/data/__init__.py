"""Files and arrays: readers, writers, sample data (numpy, tifffile, scikit-image; no torch)."""

from ._files import find_images
from ._formats import read_notes, write_image
from ._geometry import Geometry
from ._image import Image
from ._pairs import Pair, find_pairs, match_masks
from ._reader import read_image, read_labels
from ._samples import colon_gland, phantom
from ._writer import write_text, write_tiff

__all__ = [
    "Geometry",
    "Image",
    "Pair",
    "colon_gland",
    "find_images",
    "find_pairs",
    "match_masks",
    "phantom",
    "read_image",
    "read_labels",
    "read_notes",
    "write_image",
    "write_text",
    "write_tiff",
]
