"""Results into TIFF files that ImageJ and Fiji open with their pixel size."""

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from ..errors import InputError
from ._image import FRAMES, Image
from ._spacing import unit_name

_IMAGEJ_UNITS = {
    "micrometer": "micron",
    "nanometer": "nm",
    "millimeter": "mm",
    "centimeter": "cm",
    "meter": "m",
}
_KEY = "napari-ldseg"


def write_tiff(
    path: Path | str,
    array: NDArray[Any],
    axes: str,
    *,
    spacing: tuple[float, ...] | None,
    unit: str,
    metadata: Mapping[str, Any],
) -> None:
    """Write an ImageJ TIFF with pixel size, unit and provenance, compressed with zlib.

    ImageJ's own flavour is chosen because Fiji opens it calibrated under any file name and without Bio-Formats.
    The file is written beside its place and renamed, so that a failure leaves no half file. A missing folder is made.

    Parameters
    ----------
    path : Path
    array : uint8, uint16, float32 or bool array
        A mask is written as uint8.
    axes : str
        One letter for each axis, out of t, p, s, z, c, y, x; several frame axes become ImageJ's time axis, and
        :func:`read_image` unfolds them again.
    spacing : tuple of float or None
        Pixel size ((Z), Y, X) in ``unit``.
    unit : str
    metadata : mapping
        Provenance, everything JSON; it is found in Fiji under Image > Show Info.

    Raises
    ------
    InputError
        Where array and axes do not fit, or the disk refuses.
    """
    path = Path(path)
    image = Image(np.asarray(array), axes, spacing, unit, path.name)
    if image.array.dtype == bool:
        image = image.replace(array=image.array.astype(np.uint8))
    if image.array.dtype not in (np.uint8, np.uint16, np.float32):
        raise InputError(f"{path.name} cannot hold {image.array.dtype} values; convert to uint8, uint16 or float32.")
    stack, letters = _imagej_stack(image)
    options: dict[str, Any] = {"axes": letters}
    note = {**metadata, _KEY: {"axes": _ordered(image), "shape": _ordered_shape(image)}}
    options["Info"] = json.dumps(note, indent=1, default=str)
    resolution = None
    if spacing is not None:
        options["unit"] = _IMAGEJ_UNITS.get(unit_name(unit), unit_name(unit))
        resolution = (1 / spacing[-1], 1 / spacing[-2])
        if len(spacing) == 3:
            options["spacing"] = spacing[0]
    with _replacing(path) as partial:
        tifffile.imwrite(
            partial,
            stack,
            imagej=True,
            photometric="minisblack",
            resolution=resolution,
            metadata=options,
            compression="zlib",
        )


def write_text(path: Path | str, text: str) -> None:
    """Write a text file in UTF-8, beside its place first, then renamed; a missing folder is made.

    Raises
    ------
    InputError
        Where the disk refuses.
    """
    with _replacing(Path(path)) as partial:
        partial.write_text(text, encoding="utf-8", newline="")


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Give a file beside ``path`` to write to, which takes its place once it is whole; refuse in words."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield partial
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"{path} cannot be written ({reason}); choose another folder or make room.") from error


def read_notes(path: Path | str) -> dict[str, Any]:
    """Return the provenance that :func:`write_tiff` noted in a file; empty for files of other origin."""
    try:
        with tifffile.TiffFile(path) as tiff:
            info = (tiff.imagej_metadata or {}).get("Info") if tiff.is_imagej else None
        notes = json.loads(info) if isinstance(info, str) else {}
    except (OSError, ValueError):
        return {}
    return {key: value for key, value in notes.items() if key != _KEY} if isinstance(notes, dict) else {}


def written_axes(tiff: tifffile.TiffFile, stored: tuple[int, ...]) -> tuple[str, tuple[int, ...]] | None:
    """Axes and shape as :func:`write_tiff` noted them.

    None in a file that it did not write, or whose pixels have another shape by now (cropped or turned in Fiji).
    """
    info = (tiff.imagej_metadata or {}).get("Info") if tiff.is_imagej else None
    try:
        note = json.loads(info)[_KEY] if isinstance(info, str) else None
        if not note:
            return None
        axes, shape = str(note["axes"]), tuple(int(n) for n in note["shape"])
    except (KeyError, TypeError, ValueError):
        return None
    # ImageJ drops axes of length 1.
    same = [n for n in _folded(axes, shape) if n != 1] == [n for n in stored if n != 1]
    return (axes, shape) if same else None


def _folded(axes: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape with all frame axes, which stand first, made one."""
    frames = sum(axis in FRAMES for axis in axes)
    return (math.prod(shape[:frames]), *shape[frames:]) if frames else shape


def _ordered(image: Image) -> str:
    """Axes in the order in which ImageJ stores them: frames, z, c, y, x."""
    return image.frame_axes + "".join(axis for axis in "zcyx" if axis in image.axes)


def _ordered_shape(image: Image) -> tuple[int, ...]:
    return tuple(int(image.array.shape[image.axes.index(axis)]) for axis in _ordered(image))


def _imagej_stack(image: Image) -> tuple[NDArray[Any], str]:
    """Reorder the axes and fold all frame axes into one."""
    axes, shape = _ordered(image), _ordered_shape(image)
    stack = np.transpose(image.array, [image.axes.index(axis) for axis in axes]).reshape(_folded(axes, shape))
    return stack, "T" * bool(image.frame_axes) + axes[len(image.frame_axes) :].upper()
