"""Files and arrays: readers, writers, sample data (numpy, tifffile, scikit-image; no torch)."""

from ._files import find_images
from ._image import Image
from ._ome_zarr import (
    IDENTITY,
    LABELS,
    Geometry,
    create_pyramid,
    name_labels,
    open_levels,
    partial_folder,
    put_in_place,
    read_ome_zarr,
    write_block,
    write_ome_zarr,
)
from ._pairs import Pair, find_pairs, match_masks
from ._reader import read_image, read_labels
from ._samples import colon_gland, phantom
from ._writer import read_notes, write_text, write_tiff

__all__ = [
    "IDENTITY",
    "LABELS",
    "Geometry",
    "Image",
    "Pair",
    "colon_gland",
    "create_pyramid",
    "find_images",
    "find_pairs",
    "match_masks",
    "name_labels",
    "open_levels",
    "partial_folder",
    "phantom",
    "put_in_place",
    "read_image",
    "read_labels",
    "read_notes",
    "read_ome_zarr",
    "write_block",
    "write_ome_zarr",
    "write_text",
    "write_tiff",
]
