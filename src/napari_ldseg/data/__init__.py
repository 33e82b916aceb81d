"""Files and arrays: readers, writers, sample data (numpy, tifffile, scikit-image; no torch)."""

from ._echo_phantom import EchoPhantom, echo_cine
from ._files import find_images
from ._formats import read_notes, write_image
from ._geometry import Geometry
from ._image import Image
from ._knee_phantom import volume_phantom
from ._labels import UNLABELLED, check_classes, check_shape, judged_classes, merge_foreground, whole_numbers
from ._ome import write_ome
from ._ome_zarr import IDENTITY, LABELS, Layout, create_pyramid, name_labels, open_levels, write_block
from ._pairs import Pair, find_pairs, match_masks
from ._reader import read_image, read_labels
from ._reading import Reading, check_channels, check_sides, read_part
from ._samples import colon_gland, phantom
from ._spacing import convert_spacing
from ._training_import import import_pairs, open_or_create
from ._training_index import Entry
from ._training_set import DuplicateError, TrainingSet
from ._writer import partial_of, put_in_place, write_text, write_tiff

__all__ = [
    "IDENTITY",
    "LABELS",
    "UNLABELLED",
    "DuplicateError",
    "EchoPhantom",
    "Entry",
    "Geometry",
    "Image",
    "Layout",
    "Pair",
    "Reading",
    "TrainingSet",
    "check_channels",
    "check_classes",
    "check_shape",
    "check_sides",
    "colon_gland",
    "convert_spacing",
    "create_pyramid",
    "echo_cine",
    "find_images",
    "find_pairs",
    "import_pairs",
    "judged_classes",
    "match_masks",
    "merge_foreground",
    "name_labels",
    "open_levels",
    "open_or_create",
    "partial_of",
    "phantom",
    "put_in_place",
    "read_image",
    "read_labels",
    "read_notes",
    "read_part",
    "volume_phantom",
    "whole_numbers",
    "write_block",
    "write_image",
    "write_ome",
    "write_text",
    "write_tiff",
]
