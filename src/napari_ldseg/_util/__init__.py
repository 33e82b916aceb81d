"""Atomic files, user folders, lazy names, generators and optional imports: what every room may use."""

from ._atomic import partial_of, put_in_place, replacing, write_text
from ._generators import follow
from ._optional import optional

__all__ = ["follow", "optional", "partial_of", "put_in_place", "replacing", "write_text"]
