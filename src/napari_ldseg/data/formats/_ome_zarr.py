"""Read and write OME-Zarr (NGFF), multiscale images, piece by piece. Reads 0.4 and 0.5, writes 0.4.

Most programs read version 0.4.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from .._image import FRAMES, SPATIAL, Image
from .._units import unit_name

KEY = "napari-ldseg"
# A large result keeps its labels here, and a file that identifies model, settings and image.
LABELS, IDENTITY = "labels/segmentation", "ldseg.json"
ORDER = "tpsczyx"
# Channels come between frames and pixels. Frame axes keep their order, so samples come before the pixels.
_RANK = dict.fromkeys(FRAMES, 0) | {"c": 1} | dict.fromkeys(SPATIAL, 2)
MAX_CHUNK = {2: 512, 3: 64}
SMALLEST_LEVEL = 256
_TYPES = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}
_AXIS_OF_TYPE = {"time": "t", "channel": "c"}


@dataclass(frozen=True)
class Layout:
    """The axes of an OME-Zarr.

    Attributes
    ----------
    axes : str
        Frames (t, p, s), then c, then (z), y, x.
    spacing : tuple of float or None
        Pixel size ((Z), Y, X) of the finest level in ``unit``.
    unit : str
    origin : tuple of float
        Centre of the first pixel of the finest level, in ``unit``; empty means zeros.
    """

    axes: str
    spacing: tuple[float, ...] | None = None
    unit: str = "pixel"
    origin: tuple[float, ...] = ()


def read_ome_zarr(path: Path | str) -> Image:
    """Open the first multiscale image of an OME-Zarr folder. Its pixels are read on demand.

    Returns
    -------
    Image
        The finest level as a dask array, with the others as ``levels``.

    Raises
    ------
    InputError
        If the folder is no OME-Zarr, or damaged.
    """
    path = Path(path)
    zarr = _zarr()
    if not path.is_dir():
        raise InputError(f"{path} does not exist; check the path.")
    try:
        group = zarr.open_group(path, mode="r")
        attributes = dict(group.attrs)
        multiscale = attributes.get("ome", attributes)["multiscales"][0]
        axes, units = _read_axes(multiscale["axes"])
        levels = [
            _read_level(group[each["path"]], _scale(each, multiscale), axes, units, path.stem)
            for each in multiscale["datasets"]
        ]
        return levels[0].replace(levels=tuple(levels[1:]))
    except (KeyError, IndexError, TypeError, ValueError, OSError) as error:
        raise InputError(
            f"{path} cannot be read as OME-Zarr 0.4 or 0.5 ({type(error).__name__}: {error}); check that it is the "
            "folder of one image, and that it was copied whole."
        ) from error


def _read_axes(found: Sequence[Mapping[str, Any]]) -> tuple[str, list[str]]:
    letters, free = [], iter("ps")
    for axis in found:
        name = _AXIS_OF_TYPE.get(str(axis.get("type")), str(axis["name"]).lower())
        letters.append(name if name in ORDER and len(name) == 1 else next(free))
    return "".join(letters), [str(axis.get("unit", "pixel")) for axis in found]


def _scale(dataset: Mapping[str, Any], multiscale: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return the pixel size of a level: its own scale times the common one."""
    size = np.ones(len(multiscale["axes"]))
    for each in (*dataset.get("coordinateTransformations", ()), *multiscale.get("coordinateTransformations", ())):
        if each["type"] == "scale":
            size = size * np.asarray(each["scale"], dtype=float)
    return size


def _read_level(array: Any, scale: NDArray[np.float64], axes: str, units: list[str], name: str) -> Image:
    import dask.array as da

    spatial = [index for index, axis in enumerate(axes) if axis in SPATIAL]
    stated = {unit_name(units[index]) for index in spatial}
    spacing, unit = tuple(float(scale[index]) for index in spatial), stated.pop() if len(stated) == 1 else "pixel"
    known = unit != "pixel"
    return Image(da.from_array(array, chunks=array.chunks), axes, spacing if known else None, unit, name)


def save_ome_zarr(path: Path, image: Image, metadata: Mapping[str, Any]) -> None:
    """Write an OME-Zarr 0.4 with a pyramid, pixel size, unit and provenance (attribute ``napari-ldseg``).

    Coarser levels take the majority of class indices (uint8), and the mean of other numbers.
    """
    order = sorted(range(image.array.ndim), key=lambda index: _RANK[image.axes[index]])
    layout = Layout("".join(image.axes[i] for i in order), image.spacing, image.unit)
    values = image.array.transpose(order)
    levels = create_pyramid(path, values.shape, values.dtype, layout, name=image.name, metadata=metadata)
    write_block(levels, (0,) * values.ndim, values, layout.axes)


def ome_zarr_notes(path: Path) -> dict[str, Any]:
    """Return the provenance in an OME-Zarr."""
    notes = dict(_zarr().open_group(path, mode="r").attrs).get(KEY, {})
    return dict(notes) if isinstance(notes, Mapping) else {}


def name_labels(folder: Path) -> None:
    """List an image's label images in its group ``labels``, as the standard requires."""
    parent, name = LABELS.split("/")
    _zarr().open_group(folder / parent, mode="a", zarr_format=2).attrs.update({"labels": [name]})


def create_pyramid(
    folder: Path,
    shape: tuple[int, ...],
    dtype: Any,
    layout: Layout,
    *,
    name: str,
    metadata: Mapping[str, Any],
    block: int | None = None,
    colors: Sequence[str] | None = None,
) -> list[Any]:
    """Create the empty arrays of a multiscale image, finest first. Each level halves the spatial axes.

    Parameters
    ----------
    folder : Path
        Created if missing; what it holds stays.
    shape, dtype
        Those of the finest level, with the axes in the order of ``layout.axes``.
    layout : Layout
    name : str
    metadata : mapping
        Provenance, everything JSON.
    block : int, optional
        Side of the blocks in which the finest level will be written, a power of two. No chunk of any level belongs to
        two blocks, so several processes may write at once.
    colors : sequence of str, optional
        "#rrggbb" for each class. They make it a label image.
    """
    ndim = sum(axis in SPATIAL for axis in layout.axes)
    group = _zarr().open_group(folder, mode="a", zarr_format=2)
    levels, datasets = [], []
    depth = max(0, math.ceil(math.log2(max(shape[-ndim:]) / SMALLEST_LEVEL)))
    for level in range(min(depth, block.bit_length() - 1 if block else depth) + 1):
        sides = tuple(-(-side // 2**level) for side in shape[-ndim:])
        chunk = min(MAX_CHUNK[ndim], max((block or max(shape)) >> level, 1))
        levels.append(
            group.create_array(
                str(level),
                shape=(*shape[:-ndim], *sides),
                chunks=(*(1 for _ in shape[:-ndim]), *(min(chunk, side) for side in sides)),
                dtype=dtype,
                fill_value=0,
                chunk_key_encoding={"name": "v2", "separator": "/"},
                overwrite=True,
            )
        )
        datasets.append({"path": str(level), "coordinateTransformations": _transformations(layout, level)})
    axes = [_axis(axis, layout.unit, first=not index) for index, axis in enumerate(layout.axes)]
    entry = {"version": "0.4", "name": name, "axes": axes, "datasets": datasets, "type": "mean"}
    # Through JSON and back, so that only JSON gets in.
    group.attrs.update({"multiscales": [entry], KEY: json.loads(json.dumps(metadata, default=str))})
    if colors is not None:
        entry["type"] = "majority"
        shown = [{"label-value": i, "rgba": [*bytes.fromhex(c[1:]), 255 if i else 0]} for i, c in enumerate(colors)]
        group.attrs.update({"multiscales": [entry], "image-label": {"version": "0.4", "colors": shown}})
    return levels


def open_levels(folder: Path, mode: str = "r") -> list[Any]:
    """Return the arrays of a multiscale image, finest first."""
    group = _zarr().open_group(folder, mode=mode)
    return [group[each["path"]] for each in dict(group.attrs)["multiscales"][0]["datasets"]]


def write_block(levels: Sequence[Any], start: tuple[int, ...], values: NDArray[Any], axes: str) -> None:
    """Write a block into the finest level, and reduced into the coarser ones.

    ``start`` is its first pixel. Along the spatial axes it is a multiple of 2 ** (number of coarser levels).
    """
    shrink: Callable[[NDArray[Any], list[int]], NDArray[Any]] = majority if values.dtype == np.uint8 else average
    spatial = [index for index, axis in enumerate(axes) if axis in SPATIAL]
    for number, level in enumerate(levels):
        if number:
            values = shrink(values, spatial)
        first = [a >> number if index in spatial else a for index, a in enumerate(start)]
        level[tuple(slice(a, a + n) for a, n in zip(first, values.shape, strict=True))] = values


def average(values: NDArray[Any], axes: list[int]) -> NDArray[Any]:
    """Halve these axes by the mean of each pair. The last pixel of an odd side stays alone."""
    return np.asarray(_pairs(values.astype(np.float32), axes).mean(axis=0), dtype=values.dtype)


def majority(values: NDArray[Any], axes: list[int]) -> NDArray[Any]:
    """Halve these axes by the most frequent value of each two by two. Ties go to the highest value."""
    pairs = _pairs(values, axes)
    classes = np.unique(pairs)[::-1]
    votes = np.stack([(pairs == each).sum(axis=0, dtype=np.uint8) for each in classes])
    return np.asarray(classes[votes.argmax(axis=0)], dtype=values.dtype)


def _pairs(values: NDArray[Any], axes: list[int]) -> NDArray[Any]:
    """Return the pixels that are merged, along a new first axis."""
    odd = [(0, n % 2 if axis in axes else 0) for axis, n in enumerate(values.shape)]
    values = np.pad(values, odd, mode="edge")[None]
    for axis in axes:
        even = [slice(None)] * values.ndim
        odds = list(even)
        even[axis + 1], odds[axis + 1] = slice(0, None, 2), slice(1, None, 2)
        values = np.concatenate([values[tuple(even)], values[tuple(odds)]])
    return values


def _axis(letter: str, unit: str, *, first: bool) -> dict[str, str]:
    axis = {"name": letter}
    if letter in _TYPES and (first or letter != "t"):  # the standard puts time first
        axis["type"] = _TYPES[letter]
    if letter in SPATIAL and unit_name(unit) != "pixel":
        axis["unit"] = unit_name(unit)
    return axis


def _transformations(layout: Layout, level: int) -> list[dict[str, Any]]:
    """Return scale and translation of a level. All levels share the corner of their first pixel."""
    spatial = [axis for axis in layout.axes if axis in SPATIAL]
    spacing = layout.spacing or (1.0,) * len(spatial)
    origin = layout.origin or (0.0,) * len(spatial)
    others = [1.0] * (len(layout.axes) - len(spatial))
    scale = [*others, *(size * 2**level for size in spacing)]
    shift = [
        *(0 * each for each in others),
        *(o + s * (2**level - 1) / 2 for o, s in zip(origin, spacing, strict=True)),
    ]
    return [{"type": "scale", "scale": scale}, {"type": "translation", "translation": shift}]


def _zarr() -> ModuleType:
    try:
        import zarr
    except ImportError as error:
        raise InputError("OME-Zarr needs the package zarr; run: pip install 'napari-ldseg[zarr]'") from error
    return zarr
