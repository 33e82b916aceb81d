"""What will be computed: part, level, frames, grid, intensities and tiles of an image (no torch)."""

from ._blocks import Block, block_places, block_side, block_starts, whole_box
from ._frames import Frames, frames
from ._grid import Grid, least_side, plan_grid
from ._intensity import Intensities, common_range, intensities, match_channels, normalize_frame
from ._part import Part, take_part
from ._plan import MAX_PLANE, MEGABYTE, MIN_AUTO, PIXELS_AT_ONCE, Plan, plan_image, takes_prompts
from ._tiles import Box, Tile, Tiles, plan_tiles, tile_sides

__all__ = [
    "MAX_PLANE",
    "MEGABYTE",
    "MIN_AUTO",
    "PIXELS_AT_ONCE",
    "Block",
    "Box",
    "Frames",
    "Grid",
    "Intensities",
    "Part",
    "Plan",
    "Tile",
    "Tiles",
    "block_places",
    "block_side",
    "block_starts",
    "common_range",
    "frames",
    "intensities",
    "least_side",
    "match_channels",
    "normalize_frame",
    "plan_grid",
    "plan_image",
    "plan_tiles",
    "take_part",
    "takes_prompts",
    "tile_sides",
    "whole_box",
]
