"""Read, find, name and write images and files (numpy, tifffile, scikit-image; no torch)."""

from ._find import find_images as find_images, is_one_picture as is_one_picture, picture_files as picture_files
from ._geometry import Geometry as Geometry
from ._image import SPATIAL as SPATIAL, Image as Image
from ._names import (
    LABEL_ENDINGS as LABEL_ENDINGS,
    READABLE as READABLE,
    SUFFIXES as SUFFIXES,
    address_of as address_of,
    beside as beside,
    dicom_files as dicom_files,
    format_of as format_of,
    is_label_name as is_label_name,
    label_stem as label_stem,
    match_name as match_name,
    shortlist as shortlist,
    stem as stem,
    suffix as suffix,
)
from ._read import read_image as read_image, read_labels as read_labels
from ._units import convert_spacing as convert_spacing, unit_name as unit_name
from .formats._axes_note import fold as fold, note_text as note_text, parse_notes as parse_notes, unfold as unfold
from .formats._dicom import holds_labels as holds_labels
from .formats._ome_labels import put_labels as put_labels
from .formats._ome_zarr import (
    IDENTITY as IDENTITY,
    LABELS as LABELS,
    ORDER as ORDER,
    Layout as Layout,
    create_pyramid as create_pyramid,
    name_labels as name_labels,
    open_levels as open_levels,
    write_block as write_block,
)
from .formats._registry import (
    WRITABLE as WRITABLE,
    output_suffix as output_suffix,
    read_notes as read_notes,
    write_image as write_image,
)
from .formats._tiff_write import write_ome as write_ome
