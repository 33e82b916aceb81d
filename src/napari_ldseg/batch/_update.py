"""What a batch reports while it runs."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..errors import LDSegError
from ._record import Record

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Update:
    """How far one image is.

    Attributes
    ----------
    index : int
        Its place in ``Batch.items``; -1 for news of the batch as a whole.
    state : {"running", "done", "failed"}
    share : float
        How much of it is done, 0 to 1.
    stage : str
        A few words: what is being done, or why it failed.
    record : Record or None
        Once it is done.
    """

    index: int
    state: Literal["running", "done", "failed"]
    share: float = 0.0
    stage: str = ""
    record: Record | None = None


Updates = Generator[Update, None, None]


def reason_of(error: Exception) -> str:
    """Return why an image failed, in words."""
    return str(error) if isinstance(error, LDSegError) else f"{type(error).__name__}: {error}"
