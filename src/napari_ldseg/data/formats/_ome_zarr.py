"""Read and write OME-Zarr (NGFF) 0.4 and 0.5, multiscale images, piece by piece, also over the network."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._util import optional
from ...errors import InputError
from .._image import FRAMES, SPATIAL, Image
from .._names import address_of, stem
from .._units import unit_name

KEY = "napari-ldseg"
VERSIONS = ("0.4", "0.5")
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
    path, address = Path(path), address_of(path)
    if address is None and not path.is_dir():
        raise InputError(f"{path} does not exist; check the path.")
    try:
        group = open_group(path) if address is None else _open_address(address)
        multiscale = attributes_of(group)["multiscales"][0]
        axes, units = _read_axes(multiscale["axes"])
        levels = [
            _read_level(group[each["path"]], _scale(each, multiscale), axes, units, stem(Path(path.name)))
            for each in multiscale["datasets"]
        ]
        return levels[0].replace(levels=tuple(levels[1:]))
    except (KeyError, IndexError, TypeError, ValueError, OSError) as error:
        if address is not None and not isinstance(error, (KeyError, IndexError, TypeError)):
            raise InputError(
                f"{address} cannot be read ({type(error).__name__}: {error}); check the address and the connection. "
                "It must be that of one image, a folder with .zattrs or zarr.json."
            ) from error
        raise InputError(
            f"{address or path} cannot be read as OME-Zarr 0.4 or 0.5 ({type(error).__name__}: {error}); check that it "
            "is the folder of one image, and that it was copied whole."
        ) from error


def open_group(folder: Path, mode: str = "r") -> Any:
    """Open a group on the disk."""
    return _zarr().open_group(folder, mode=mode)


def attributes_of(group: Any) -> dict[str, Any]:
    """Return what the standard says of a group, in the place where its version keeps it."""
    attributes = dict(group.attrs)
    return dict(attributes.get("ome", attributes))


def version_of(group: Any) -> str:
    """Return the version of the standard that a group follows: 0.5 is Zarr 3, 0.4 Zarr 2."""
    return VERSIONS[group.metadata.zarr_format == 3]


def _open_address(address: str) -> Any:
    """Open a group over the network; of public buckets no account is needed."""
    optional("fsspec", "Reading from an address", "cloud")
    optional(
        "aiohttp" if address.startswith("http") else "s3fs" if address.startswith("s3") else "gcsfs", "It", "cloud"
    )
    anonymous = {} if address.startswith("http") else {"anon": True} if address.startswith("s3") else {"token": "anon"}
    try:
        return _zarr().open_group(address, mode="r", storage_options=anonymous)
    except PermissionError:
        return _zarr().open_group(address, mode="r")


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


def save_ome_zarr(path: Path, image: Image, metadata: Mapping[str, Any], version: str = "0.4") -> None:
    """Write an OME-Zarr with a pyramid, pixel size, unit and provenance (attribute ``napari-ldseg``).

    Coarser levels take the majority of class indices (uint8), and the mean of other numbers.
    """
    order = sorted(range(image.array.ndim), key=lambda index: _RANK[image.axes[index]])
    layout = Layout("".join(image.axes[i] for i in order), image.spacing, image.unit)
    values = image.array.transpose(order)
    levels = create_pyramid(
        path, values.shape, values.dtype, layout, name=image.name, metadata=metadata, version=version
    )
    write_block(levels, (0,) * values.ndim, values, layout.axes)


def ome_zarr_notes(path: Path) -> dict[str, Any]:
    """Return the provenance in an OME-Zarr."""
    address = address_of(path)
    group = open_group(path) if address is None else _open_address(address)
    notes = dict(group.attrs).get(KEY, {})
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
    version: str = "0.4",
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
    version : {"0.4", "0.5"}
        Of the standard.
    """
    ndim = sum(axis in SPATIAL for axis in layout.axes)
    group = _zarr().open_group(folder, mode="a", zarr_format=3 if version == "0.5" else 2)
    kind: dict[str, Any] = {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
    if version == "0.5":
        kind = {"dimension_names": list(layout.axes)}
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
                overwrite=True,
                **kind,
            )
        )
        datasets.append({"path": str(level), "coordinateTransformations": _transformations(layout, level)})
    axes = [_axis(axis, layout.unit, first=not index) for index, axis in enumerate(layout.axes)]
    entry = {"name": name, "axes": axes, "datasets": datasets, "type": "mean" if colors is None else "majority"}
    found: dict[str, Any] = {"multiscales": [entry]}
    if colors is not None:
        shown = [{"label-value": i, "rgba": [*bytes.fromhex(c[1:]), 255 if i else 0]} for i, c in enumerate(colors)]
        found["image-label"] = {"colors": shown}
    # Through JSON and back, so that only JSON gets in.
    group.attrs.update({KEY: json.loads(json.dumps(metadata, default=str))})
    describe_group(group, found)
    return levels


def describe_group(group: Any, found: Mapping[str, Any]) -> None:
    """Write what the standard says of a group where its version keeps it."""
    if version_of(group) == "0.5":
        group.attrs.update({"ome": {**dict(group.attrs).get("ome", {}), "version": "0.5", **found}})
        return
    entries = [{"version": "0.4", **entry} for entry in found.get("multiscales", ())]
    label = {"version": "0.4", **found["image-label"]} if "image-label" in found else None
    group.attrs.update(
        {**found, **({"multiscales": entries} if entries else {}), **({"image-label": label} if label else {})}
    )


def open_levels(folder: Path, mode: str = "r") -> list[Any]:
    """Return the arrays of a multiscale image, finest first."""
    group = open_group(folder, mode)
    return [group[each["path"]] for each in attributes_of(group)["multiscales"][0]["datasets"]]


def write_block(
    levels: Sequence[Any], start: tuple[int, ...], values: NDArray[Any], axes: str, *, nearest: bool = False
) -> None:
    """Write a block into the finest level, and reduced into the coarser ones.

    ``start`` is its first pixel. Along the spatial axes it is a multiple of 2 ** (number of coarser levels).
    ``nearest`` says that the values are labels, of any type.
    """
    votes = nearest or values.dtype == np.uint8
    shrink: Callable[[NDArray[Any], list[int]], NDArray[Any]] = majority if votes else average
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
