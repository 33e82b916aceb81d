"""The progress that a batch reports."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal

from .._util import Progress
from ..errors import LDSegError
from ._record import Record


@dataclass(frozen=True)
class Update(Progress):
    """How far a batch is, and one of its images; ``done`` and ``total`` count images, started ones in part.

    Attributes
    ----------
    text : str
        A few words: what is being done, or why the image failed.
    index : int
        The image's place in ``Batch.items``; -1 for news of the batch as a whole.
    state : {"running", "done", "failed"}
        Of the image.
    share : float
        How much of the image is done, 0 to 1.
    record : Record or None
        Once the image is done.
    """

    index: int = -1
    state: Literal["running", "done", "failed"] = "running"
    share: float = 0.0
    record: Record | None = None

    @property
    def is_milestone(self) -> bool:
        """Whether an image is finished."""
        return self.state != "running"


Updates = Generator[Update, None, None]


def reason_of(error: Exception) -> str:
    """Return the reason why an image failed."""
    return str(error) if isinstance(error, LDSegError) else f"{type(error).__name__}: {error}"
