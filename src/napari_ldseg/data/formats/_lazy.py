"""Arrays whose pixels are read when they are asked for, with errors in words."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from ...errors import InputError

# Pixels along each spatial axis that a task reads together: a small graph, and little that is read in vain.
_SIDE = 1024


class Reader:
    """What dask asks for pixels: it looks like an array, and reads the part that is indexed.

    Parameters
    ----------
    path : Path
        For messages.
    shape, dtype
        Of the array.
    read : callable
        Gets a slice for each axis and returns the pixels.
    """

    def __init__(
        self, path: Path, shape: tuple[int, ...], dtype: Any, read: Callable[[tuple[slice, ...]], NDArray[Any]]
    ) -> None:
        self.shape, self.dtype, self.ndim = shape, np.dtype(dtype), len(shape)
        self._path, self._read = path, read

    def __getitem__(self, key: tuple[slice, ...]) -> NDArray[Any]:
        """Read a part.

        Raises
        ------
        InputError
            Where it is damaged.
        """
        try:
            return np.asarray(self._read(key))
        except InputError:
            raise
        except Exception as error:
            raise InputError(
                f"A part of {self._path} cannot be read ({error}): the file is damaged or incomplete; copy or export "
                "it again."
            ) from error


def lazy_array(reader: Reader, chunk: tuple[int, ...]) -> Any:
    """Return a dask array of what a reader reads; chunks are whole multiples of those of the file.

    Parameters
    ----------
    reader : Reader
    chunk : tuple of int
        Of the file.
    """
    import dask.array as da

    sides = tuple(
        min(n, own * max(1, _SIDE // own)) if n > 1 and own > 8 else own
        for n, own in zip(reader.shape, chunk, strict=True)
    )
    return da.from_array(reader, chunks=sides, name=False, asarray=False, fancy=False)


def refuse_too_large(path: Path, shape: tuple[int, ...], dtype: Any, remedy: str) -> None:
    """Refuse to read what memory does not hold.

    Raises
    ------
    InputError
        Naming both sizes.
    """
    needed, free = math.prod(shape) * np.dtype(dtype).itemsize, psutil.virtual_memory().available
    if needed > free:
        raise InputError(
            f"{path} holds {' x '.join(map(str, shape))} pixels, which take {needed / 1e9:.3g} GB, and "
            f"{free / 1e9:.3g} GB of memory are free. {remedy} "
            "If it should be small, it is damaged; copy or export it again."
        )
