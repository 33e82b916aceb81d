"""Files and folders that are complete or not there: write beside the place, then rename."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import InputError, LDSegError


def write_text(path: Path | str, text: str) -> None:
    r"""Write a text file in UTF-8, beside its place first, then renamed; a missing folder is made.

    What is not UTF-8 in the name of a file is written with a backslash: ``M\udcfcller``.

    Raises
    ------
    InputError
        If the disk refuses.
    """
    with replacing(Path(path)) as partial:
        partial.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")


def partial_of(path: Path) -> Path:
    """Return where a file or folder is while it is not whole."""
    return path.with_name(f".{path.name}.partial")


def put_in_place(partial: Path, path: Path) -> None:
    """Let a file or folder that is whole take its place, instead of an older one."""
    if not path.is_dir():
        os.replace(partial, path)
        return
    old = path.with_name(f".{path.name}.old")
    _remove(old)
    os.replace(path, old)
    os.replace(partial, path)
    _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def replacing(path: Path, refusal: type[LDSegError] = InputError) -> Iterator[Path]:
    """Give a place beside ``path`` for a file or a folder, which is renamed to ``path`` once it is whole.

    The folder of ``path`` is made if need be. Where the disk refuses, ``refusal`` is raised and what was there before
    stays; where anything else fails, nothing is left of the new one.
    """
    partial = partial_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove(partial)
        try:
            yield partial
            put_in_place(partial, path)
        finally:
            _remove(partial)
    except OSError as error:
        reason = error.strerror or str(error)
        raise refusal(f"{path} cannot be written ({reason}); choose another folder or make room.") from error
