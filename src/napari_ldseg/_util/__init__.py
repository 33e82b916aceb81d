"""Atomic files, user folders, progress and optional imports: what every room may use."""

from ._atomic import (
    partial_of as partial_of,
    put_in_place as put_in_place,
    replacing as replacing,
    write_text as write_text,
)
from ._folders import user_folder as user_folder
from ._optional import optional as optional
from ._progress import Progress as Progress, follow as follow
