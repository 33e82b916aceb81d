"""Images and label masks into OME-TIFF, which keeps axes, pixel size and unit, and opens in Fiji and QuPath."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ._image import Image
from ._writer import _replacing, save_ome


def write_ome(path: Path | str, image: Image) -> None:
    """Write an image as OME-TIFF, compressed with zlib, beside its place and then renamed.

    Three or four 8- or 16-bit channels are stored as colour. Numbers that OME does not know take the nearest kind that
    holds them: booleans uint8, float16 float32, integers of 64 bits int32.

    Parameters
    ----------
    path : Path
        Ends in ``.ome.tif``; its folder is made if need be.
    image : Image

    Raises
    ------
    InputError
        Where there are numbers that do not fit, or the disk refuses.
    """
    with _replacing(Path(path)) as partial:
        save_ome(partial, image.replace(array=_storable(image)), {})


def _storable(image: Image) -> NDArray[Any]:
    """Return the pixels in a kind of number that OME-TIFF knows."""
    array = np.asarray(image.array)
    if array.dtype == bool:
        return array.astype(np.uint8)
    if array.dtype.kind == "f":
        return array.astype(np.float32 if array.dtype.itemsize < 8 else np.float64, copy=False)
    if array.dtype.kind in "ui" and array.dtype.itemsize == 8:
        limits = np.iinfo(np.int32)
        if array.size and (array.min() < limits.min or array.max() > limits.max):
            raise InputError(f"{image.name!r} holds numbers beyond 32 bits; convert it to float32 or uint16 first.")
        return array.astype(np.int32)
    if array.dtype.kind not in "ui":
        raise InputError(f"{image.name!r} holds {array.dtype} values; convert it to integers or float32 first.")
    return array
