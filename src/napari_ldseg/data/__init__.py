"""Files and arrays: readers, writers, sample data (numpy, tifffile, scikit-image; no torch)."""

from ._files import find_images
from ._image import Image
from ._pairs import Pair, find_pairs, match_masks
from ._reader import read_image, read_labels
from ._reading import Reading, check_channels, check_sides, read_part
from ._samples import colon_gland, phantom
from ._spacing import convert_spacing
from ._writer import read_notes, write_text, write_tiff

__all__ = [
    "Image",
    "Pair",
    "Reading",
    "check_channels",
    "check_sides",
    "colon_gland",
    "convert_spacing",
    "find_images",
    "find_pairs",
    "match_masks",
    "phantom",
    "read_image",
    "read_labels",
    "read_notes",
    "read_part",
    "write_text",
    "write_tiff",
]
