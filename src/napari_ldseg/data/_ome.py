"""Images and label masks into OME-TIFF, which keeps axes, pixel size and unit, and opens in Fiji and QuPath."""

from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from ..errors import InputError
from ._image import FRAMES, Image
from ._spacing import unit_name
from ._writer import _replacing

_UNITS = {"micrometer": "µm", "nanometer": "nm", "millimeter": "mm", "centimeter": "cm", "meter": "m", "inch": "in"}


def write_ome(path: Path | str, image: Image) -> None:
    """Write an image as OME-TIFF, compressed with zlib, beside its place and then renamed.

    Three or four 8- or 16-bit channels are stored as colour. Numbers that OME does not know take the nearest kind that
    holds them: booleans uint8, float16 float32, integers of 64 bits int32.

    Parameters
    ----------
    path : Path
        Ends in ``.ome.tif``; its folder is made if need be.
    image : Image
        With at most one frame axis, which becomes OME's time axis.

    Raises
    ------
    InputError
        Where there are two frame axes, numbers that do not fit, or the disk refuses.
    """
    if len(image.frame_axes) > 1:
        raise InputError(f"{image.name!r} has the frame axes {image.frame_axes!r}; choose frames along one of them.")
    array = _storable(image)
    colour = image.channels in (3, 4) and array.dtype in (np.uint8, np.uint16)
    order = image.frame_axes + ("zyxc" if colour else "zcyx")
    axes = [axis for axis in order if axis in image.axes]
    array = np.transpose(array, [image.axes.index(axis) for axis in axes])
    letters = "".join("T" if axis in FRAMES else axis.upper() for axis in axes)
    metadata: dict[str, Any] = {"axes": letters.replace("C", "S") if colour else letters, "Name": image.name}
    unit = _UNITS.get(unit_name(image.unit), "pixel")
    for axis, size in zip(image.spatial.upper(), image.spacing or (), strict=False):
        metadata |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": unit}
    with _replacing(Path(path)) as partial:
        tifffile.imwrite(
            partial,
            np.ascontiguousarray(array),
            ome=True,
            photometric="rgb" if colour else "minisblack",
            metadata=metadata,
            compression="zlib",
        )


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
