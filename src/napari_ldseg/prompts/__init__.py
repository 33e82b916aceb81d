"""What somebody says of some pixels: points, lines, boxes, areas and label maps, each with a class (no torch)."""

from ._prompt import NOTHING, Kind, Prompt, box, labels, line, point, polygon
from ._read import find_prompts, read_prompts
from ._rows import from_rows, to_rows
from ._said import SAID_NOTHING, Said, say

__all__ = [
    "NOTHING",
    "SAID_NOTHING",
    "Kind",
    "Prompt",
    "Said",
    "box",
    "find_prompts",
    "from_rows",
    "labels",
    "line",
    "point",
    "polygon",
    "read_prompts",
    "say",
    "to_rows",
]
