"""Plan what will be computed: part, level, frames, grid, intensities and tiles of an image (no torch)."""

from ._blocks import (
    Block as Block,
    block_places as block_places,
    block_side as block_side,
    block_starts as block_starts,
    whole_box as whole_box,
)
from ._frames import Frames as Frames, frames as frames
from ._grid import Grid as Grid, least_side as least_side, plan_grid as plan_grid
from ._intensity import (
    Intensities as Intensities,
    common_range as common_range,
    intensities as intensities,
    match_channels as match_channels,
    normalize_frame as normalize_frame,
)
from ._part import Extent as Extent, Part as Part, take_part as take_part
from ._plan import (
    MAX_PLANE as MAX_PLANE,
    MEGABYTE as MEGABYTE,
    MIN_AUTO as MIN_AUTO,
    PIXELS_AT_ONCE as PIXELS_AT_ONCE,
    Plan as Plan,
    plan_image as plan_image,
    takes_prompts as takes_prompts,
)
from ._tiles import Box as Box, Tile as Tile, Tiles as Tiles, plan_tiles as plan_tiles, tile_sides as tile_sides
