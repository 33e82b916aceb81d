"""Files and arrays: readers, writers, sample data (numpy, tifffile, scikit-image; no torch)."""

from ._files import find_images
from ._image import Image
from ._labels import UNLABELLED, check_classes, check_shape, merge_foreground, whole_numbers
from ._ome import write_ome
from ._pairs import Pair, find_pairs, match_masks
from ._reader import read_image, read_labels
from ._samples import colon_gland, phantom
from ._training_import import import_pairs, open_or_create
from ._training_index import Entry
from ._training_set import DuplicateError, TrainingSet
from ._writer import read_notes, write_text, write_tiff

__all__ = [
    "UNLABELLED",
    "DuplicateError",
    "Entry",
    "Image",
    "Pair",
    "TrainingSet",
    "check_classes",
    "check_shape",
    "colon_gland",
    "find_images",
    "find_pairs",
    "import_pairs",
    "match_masks",
    "merge_foreground",
    "open_or_create",
    "phantom",
    "read_image",
    "read_labels",
    "read_notes",
    "whole_numbers",
    "write_ome",
    "write_text",
    "write_tiff",
]
