"""Read, find, name and write images and files (numpy, tifffile, scikit-image; no torch)."""

from ._find import find_images, is_one_picture, picture_files
from ._geometry import Geometry
from ._image import SPATIAL, Image
from ._names import (
    LABEL_ENDINGS,
    READABLE,
    SUFFIXES,
    beside,
    dicom_files,
    format_of,
    is_label_name,
    label_stem,
    shortlist,
    stem,
    suffix,
)
from ._read import read_image, read_labels
from ._units import convert_spacing, unit_name
from .formats._axes_note import fold, note_text, parse_notes, unfold
from .formats._ome_zarr import IDENTITY, LABELS, ORDER, Layout, create_pyramid, name_labels, open_levels, write_block
from .formats._registry import WRITABLE, output_suffix, read_notes, write_image
from .formats._tiff import write_ome

__all__ = [
    "IDENTITY",
    "LABELS",
    "LABEL_ENDINGS",
    "ORDER",
    "READABLE",
    "SPATIAL",
    "SUFFIXES",
    "WRITABLE",
    "Geometry",
    "Image",
    "Layout",
    "beside",
    "convert_spacing",
    "create_pyramid",
    "dicom_files",
    "find_images",
    "fold",
    "format_of",
    "is_label_name",
    "is_one_picture",
    "label_stem",
    "name_labels",
    "note_text",
    "open_levels",
    "output_suffix",
    "parse_notes",
    "picture_files",
    "read_image",
    "read_labels",
    "read_notes",
    "shortlist",
    "stem",
    "suffix",
    "unfold",
    "unit_name",
    "write_block",
    "write_image",
    "write_ome",
]
