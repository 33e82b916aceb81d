"""How far a piece of work is: what every long computation yields."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeVar

Update = TypeVar("Update", bound="Progress")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Progress:
    """How far a piece of work is. Each kind of work may add to it in a subclass.

    Attributes
    ----------
    done, total : float
        Parts of the work that are done, and that there are; ``total`` is 0 while it is not known, and may change.
    text : str
        A few words for the user.
    """

    done: float = 0
    total: float = 0
    text: str = ""

    @property
    def is_milestone(self) -> bool:
        """Whether a listener must get it; of the others it may get a few every second."""
        return False


def follow(run: Generator[Update, None, Result], report: Callable[[Update], object] = lambda _update: None) -> Result:
    """Run a generator to its end; report each update, return its result. It is closed in any case."""
    try:
        while True:
            report(next(run))
    except StopIteration as end:
        result: Result = end.value
        return result
    finally:
        run.close()
