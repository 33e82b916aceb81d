"""Share progress bars and one-line errors among all commands."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ..errors import InputError, LDSegError


def say(text: str, style: str | None = None) -> None:
    """Print one line on the error stream literally: paths and ``[all]`` are no markup."""
    Console(stderr=True).print(text, style=style, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def border(interrupted: str) -> Iterator[None]:
    """Turn our own errors and Ctrl-C into one line and an exit code."""
    try:
        yield
    except LDSegError as error:
        say(str(error), "bold red")
        raise typer.Exit(2) from error
    except KeyboardInterrupt as error:
        say(interrupted, "bold red")
        raise typer.Exit(130) from error


def not_none(**values: object) -> dict[str, object]:
    """Return the values that were given."""
    return {name: value for name, value in values.items() if value is not None}


def read_json(path: Path) -> Any:
    """Read a settings file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"The settings file {path} cannot be read ({error}); it must be JSON in UTF-8.") from error


def refuse_existing(files: Iterable[Path], overwrite: bool) -> None:
    """Refuse to replace existing files, before anything is computed, unless asked to."""
    for file in files:
        if file.exists() and not overwrite:
            raise InputError(f"{file} exists already; give --overwrite to replace it, or another folder as --out.")


def progress_bar(*columns: TextColumn | MofNCompleteColumn) -> Progress:
    """Return a progress bar with the time left, on the error stream."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        *columns,
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
