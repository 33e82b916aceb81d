"""What will be computed: part, level, frames, grid, intensities and tiles of an image (no torch)."""

from ._frames import frame_shape, frames, lazy_frames
from ._grid import MAX_PLANE, Grid, plan_grid
from ._intensity import Intensities, common_range, intensities, match_channels, normalize_frame
from ._level import is_large, nearest_level
from ._part import Reading, check_channels, check_sides, read_part
from ._tiles import Box, Tile, plan_tiles, tile_sides, tiles_in

__all__ = [
    "MAX_PLANE",
    "Box",
    "Grid",
    "Intensities",
    "Reading",
    "Tile",
    "check_channels",
    "check_sides",
    "common_range",
    "frame_shape",
    "frames",
    "intensities",
    "is_large",
    "lazy_frames",
    "match_channels",
    "nearest_level",
    "normalize_frame",
    "plan_grid",
    "plan_tiles",
    "read_part",
    "tile_sides",
    "tiles_in",
]
