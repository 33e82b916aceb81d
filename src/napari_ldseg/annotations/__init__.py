"""Drawn annotations of other programs: QuPath's GeoJSON, ImageJ's ROIs and COCO, in and out of masks (no torch)."""

from ._coco import coco as coco, read_coco as read_coco
from ._geojson import read_geojson as read_geojson
from ._imagej import imagej_rois as imagej_rois, read_rois as read_rois
from ._outline import area_of as area_of, rings as rings
from ._paint import (
    UNLABELLED as UNLABELLED,
    Painted as Painted,
    bounds as bounds,
    found_classes as found_classes,
    inside as inside,
    paint as paint,
)
from ._read import (
    SUFFIXES as SUFFIXES,
    drawn_stem as drawn_stem,
    holds_drawn as holds_drawn,
    is_drawn as is_drawn,
    read_drawn as read_drawn,
)
from ._shape import Shape as Shape
