"""Generators of the engine, run to their end by those who want the result alone."""

from collections.abc import Callable, Generator
from typing import TypeVar

Update = TypeVar("Update")
Result = TypeVar("Result")


def follow(run: Generator[Update, None, Result], report: Callable[[Update], object] = lambda _update: None) -> Result:
    """Report every update of a generator; return its result. Whatever happens, it is closed."""
    try:
        while True:
            report(next(run))
    except StopIteration as end:
        result: Result = end.value
        return result
    finally:
        run.close()
