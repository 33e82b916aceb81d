"""Atomic files, user folders, progress and optional imports: what every room may use."""

from ._atomic import partial_of, put_in_place, replacing, write_text
from ._folders import user_folder
from ._optional import optional
from ._progress import Progress, follow

__all__ = ["Progress", "follow", "optional", "partial_of", "put_in_place", "replacing", "user_folder", "write_text"]
