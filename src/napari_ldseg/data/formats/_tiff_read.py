"""Read TIFF: plain, ImageJ, OME and slides; pyramids with their levels, large files when their pixels are asked for."""

import importlib.util
import weakref
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import tifffile
from numpy.typing import NDArray

from ...errors import InputError
from .._image import FRAMES, Image
from .._names import stem
from ._axes_note import parse_notes, unfold
from ._lazy import Reader, lazy_array, refuse_too_large
from ._tiff_damage import check_complete, refuse_damage
from ._tiff_series import find_series
from ._tiff_spacing import Stated, tiff_spacing

# Bytes of the finest level above which pixels are read when they are asked for: of a pyramid, of one level.
_LARGE_PYRAMID, _LARGE = 2**26, 2**30
# How stored pixels are turned to be shown: (transpose, flip y, flip x), by the tag Orientation.
_TURNS = {
    2: (False, False, True), 3: (False, True, True), 4: (False, True, False), 5: (True, False, False),
    6: (True, False, True), 7: (True, True, True), 8: (True, True, False),
}  # fmt: skip


def read_tiff(path: Path, palette: bool) -> Image:
    """Read the largest image of a TIFF file, with its levels.

    Where its 0 is white, an image is inverted; labels are only if they have one bit, as faxes and Pillow write them.
    """
    with refuse_damage(), tifffile.TiffFile(path, _multifile=False) as tiff:
        series, notes = find_series(tiff)
        for level in series.levels:
            check_complete(tiff, level)
        page, letters = series.keyframe, series.axes
        colours: Any = page.colormap
        coloured = palette and page.photometric == tifffile.PHOTOMETRIC.PALETTE and colours is not None
        arrays = _pixels(path, series, lazy=_is_large(series) and not coloured)
        if coloured:
            arrays = [np.moveaxis((colours[:, each] >> 8).astype(np.uint8), 0, -1) for each in arrays]
            letters += "S"
        if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE and (palette or page.bitspersample == 1):
            arrays = [_inverted(each, page.bitspersample) for each in arrays]
        own = unfold(notes_of(tiff), arrays[0].shape)
        axes = own[0] if own is not None else _our_axes(path, letters)
        stated = tiff_spacing(tiff, series, depth="z" in axes)
        turn = page.tags.valueof("Orientation", 1)
    if own is not None:
        arrays = [arrays[0].reshape(own[1])]
    if turn in _TURNS:
        arrays = [_turned(each, axes, *_TURNS[turn]) for each in arrays]
        notes.append("The file says that it is shown turned or mirrored; it is read as it is shown.")
        if _TURNS[turn][0] and stated.sizes is not None:
            stated = Stated((*stated.sizes[:-2], *stated.sizes[:-3:-1]), stated.unit, stated.notes)
    return _image(arrays, axes, stated, stem(path), notes)


def notes_of(tiff: tifffile.TiffFile) -> dict[str, Any]:
    """Return the provenance in an open ImageJ or OME-TIFF, with the note of its axes."""
    if tiff.is_imagej:
        return parse_notes((tiff.imagej_metadata or {}).get("Info"))
    if tiff.is_ome and tiff.ome_metadata:
        nodes = ElementTree.fromstring(tiff.ome_metadata).iter()
        found = (parse_notes(node.text) for node in nodes if node.tag.endswith("}Description"))
        return next(filter(None, found), {})
    return {}


def tiff_notes(path: Path) -> dict[str, Any]:
    """Return the provenance in an ImageJ or OME-TIFF, with the note of its axes."""
    with tifffile.TiffFile(path) as tiff:
        return notes_of(tiff)


def _image(arrays: Sequence[Any], axes: str, stated: Stated, name: str, notes: Sequence[str]) -> Image:
    """Put levels together: frames first, then z, y, x, and the channels last."""
    order = sorted(range(len(axes)), key=lambda index: _place(axes[index]))
    axes = "".join(axes[index] for index in order)
    levels: list[Image] = []
    for array in arrays:
        pixels = array.transpose(order)
        pixels = np.ascontiguousarray(pixels) if isinstance(pixels, np.ndarray) else pixels
        sizes = stated.sizes
        if levels and sizes is not None:
            finest = levels[0].shape
            coarse = [n for n, axis in zip(pixels.shape, axes, strict=True) if axis in "zyx"]
            sizes = tuple(size * n / m for size, n, m in zip(sizes, finest, coarse, strict=True))
        levels.append(Image(pixels, axes, sizes, stated.unit, name))
    return levels[0].replace(levels=tuple(levels[1:]), notes=(*notes, *stated.notes))


def _is_large(series: tifffile.TiffPageSeries) -> bool:
    return bool(series.nbytes > (_LARGE_PYRAMID if len(series.levels) > 1 else _LARGE))


def _pixels(path: Path, series: tifffile.TiffPageSeries, *, lazy: bool) -> list[Any]:
    """Return the pixels of all levels that have the axes of the finest."""
    levels = [level for level in series.levels if level.axes == series.axes and level.dtype == series.dtype]
    readable = all(_can_decode(level) for level in levels)
    if lazy and readable and importlib.util.find_spec("zarr"):
        return [_lazy(path, series, series.levels.index(level)) for level in levels]
    refuse_too_large(path, series.shape, series.dtype, "Install the extra that reads parts: 'napari-ldseg[slides]'.")
    return [level.asarray() if readable else _decode_with_pillow(path, level) for level in levels]


def _can_decode(series: tifffile.TiffPageSeries) -> bool:
    page = series.keyframe
    try:  # both look in imagecodecs, and raise where it is missing
        return callable(tifffile.TIFF.DECOMPRESSORS[page.compression]) and bool(
            page.predictor == 1 or callable(tifffile.TIFF.UNPREDICTORS[page.predictor])
        )
    except (KeyError, ValueError):
        return False


def _lazy(path: Path, series: tifffile.TiffPageSeries, level: int) -> Any:
    import zarr

    array: Any = zarr.open_array(series.aszarr(level=level), mode="r")
    reader = Reader(path, array.shape, array.dtype, array.__getitem__)
    weakref.finalize(reader, series.keyframe.parent.filehandle.close)  # zarr opens the file again
    return lazy_array(reader, array.chunks)


def _decode_with_pillow(path: Path, series: tifffile.TiffPageSeries) -> NDArray[Any]:
    """Decode LZW, JPEG and the like without imagecodecs, where Pillow holds the same pixels.

    Where 0 is white, Pillow inverts 1 and 8 bits, which is undone.
    """
    page = series.keyframe
    missing = InputError(
        f"{path} is compressed as {tifffile.COMPRESSION(page.compression).name}, which needs the package imagecodecs; "
        "run: pip install 'napari-ldseg[slides]', or save it without compression."
    )
    white = page.photometric == tifffile.PHOTOMETRIC.MINISWHITE
    if page.is_subifd or page.tags.valueof("Orientation", 1) != 1:
        raise missing
    planes = []
    try:
        with PIL.Image.open(path) as picture:
            for each in series.pages:
                picture.seek(each.index if each is not None else 0)
                planes.append(~np.array(picture) if white and picture.mode in ("1", "L") else np.array(picture))
    except (OSError, ValueError) as error:
        raise missing from error
    if any(plane.dtype != series.dtype for plane in planes) or sum(plane.size for plane in planes) != series.size:
        raise missing
    return np.stack(planes).reshape(series.shape)


def _inverted(array: Any, bits: int) -> Any:
    """Return pixels of which 0 is white with black as 0."""
    if array.dtype == bool:
        return ~array
    return (2**bits - 1 - array).astype(array.dtype) if array.dtype.kind == "u" else array


def _turned(array: Any, axes: str, transpose: bool, down: bool, across: bool) -> Any:
    """Turn pixels as they are to be shown."""
    y, x = axes.index("y"), axes.index("x")
    if transpose:
        array = array.swapaxes(y, x)
    cut = [slice(None)] * array.ndim
    cut[y], cut[x] = slice(None, None, -1 if down else 1), slice(None, None, -1 if across else 1)
    return array[tuple(cut)]


def _our_axes(path: Path, letters: str) -> str:
    """Axes of tifffile in our letters: S and C are channels, unknown stacks are frames."""
    axes = "".join({"S": "c", "C": "c"}.get(letter, letter.lower() if letter in "TZYX" else "?") for letter in letters)
    for free in "pst":
        if free not in axes:
            axes = axes.replace("?", free, 1)
    if "?" in axes or axes.count("c") > 1:
        raise InputError(f"{path} has the axes {letters}, too many for one image; export a part of it.")
    return axes


def _place(axis: str) -> int:
    """Frames first (in their own order), then z, y, x, and the channels last."""
    return 0 if axis in FRAMES else "zyxc".index(axis) + 1
