"""Read and write NRRD (Slicer) through pynrrd."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._util import optional
from ...errors import InputError
from .._geometry import Geometry, rows
from .._image import Image
from .._names import stem
from .._units import METERS, convert_spacing, unit_name
from ._axes_note import KEY, fold, note_text, parse_notes, unfold

# To right, anterior, superior, in which a Geometry is.
_SPACES = {
    "right-anterior-superior": (1.0, 1.0, 1.0),
    "ras": (1.0, 1.0, 1.0),
    "left-anterior-superior": (-1.0, 1.0, 1.0),
    "las": (-1.0, 1.0, 1.0),
    "left-posterior-superior": (-1.0, -1.0, 1.0),
    "lps": (-1.0, -1.0, 1.0),
}
_CHANNELS = (
    "vector",
    "rgb-color",
    "rgba-color",
    "hsv-color",
    "xyz-color",
    "2-vector",
    "3-vector",
    "4-vector",
    "complex",
)
_DENSEST = 1100  # A deflated file can be at most 1032 times as large once unpacked.


def read_nrrd(path: Path, palette: bool = True) -> Image:
    """Read an NRRD: its axes x, y, z become z, y, x; colours and vectors are channels, other axes are frames.

    Axes of length 1 are left out, except y and x.
    """
    nrrd = optional("nrrd", "NRRD")
    header = _header(path)
    sizes = [int(n) for n in header["sizes"]]
    _check_size(path, header, sizes)
    array, _ = nrrd.read(str(path), index_order="C")
    if array.dtype.kind not in "biuf":
        raise InputError(f"{path} holds {array.dtype} values and is no image; export it again.")
    letters, directions = _axes(header, len(sizes))
    letters, array = letters[::-1], array.astype(array.dtype.newbyteorder("="), copy=False)
    geometry, spacing, unit = _place(header, directions, dict(zip(letters, array.shape, strict=True)))
    own = unfold(parse_notes(header.get(KEY)), _moved(array, letters, "tzyxc").shape)
    array = _moved(array, letters, "tzyxc")
    kept = [(axis, n) for axis, n in zip("tzyxc", array.shape, strict=True) if n > 1 or axis in "yx"]
    axes, shape = own or ("".join(axis for axis, _ in kept), tuple(n for _, n in kept))
    if spacing is not None and "z" not in axes:
        spacing = spacing[-2:]
    return Image(np.ascontiguousarray(array).reshape(shape), axes, spacing, unit, stem(path), geometry=geometry)


def save_nrrd(path: Path, image: Image, metadata: Mapping[str, Any]) -> None:
    """Write one compressed file with place and pixel size. The provenance has a field of its own."""
    nrrd = optional("nrrd", "NRRD")
    stack, axes, note = fold(image, "zyxc")
    # The file's axes run the other way: channels, x, y, z, frames.
    order = [axis for axis in "tzyxc" if axis in axes]
    stack = np.transpose(stack, [axes.index(axis) for axis in order])
    if image.geometry is not None and "z" not in order:
        stack, order = stack[..., np.newaxis, :, :], [*order[: order.index("y")], "z", *order[order.index("y") :]]
        if "c" in axes:
            raise InputError(f"{image.name} has colours and a place in the patient, which NRRD holds of volumes only.")
    header: dict[str, Any] = {"encoding": "gzip", KEY: note_text(metadata, note)}
    header["kinds"] = ["list" if axis == "t" else "vector" if axis == "c" else "domain" for axis in order[::-1]]
    if image.geometry is not None:
        matrix = np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.geometry.matrix
        header |= {"space": "left-posterior-superior", "space origin": matrix[:3, 3]}
        vectors = dict(zip("xyz", matrix[:3, :3].T, strict=True))
        header["space directions"] = [vectors.get(axis) for axis in order[::-1]]
    elif image.spacing is not None:
        sizes = convert_spacing(image.spacing, image.unit, "millimeter") or image.spacing
        size = dict(zip(image.spatial, sizes, strict=True))
        header["spacings"] = [size.get(axis, math.nan) for axis in order[::-1]]
        header["units"] = ["mm" if axis in size and METERS.get(image.unit) else "" for axis in order[::-1]]
    nrrd.write(str(path), np.ascontiguousarray(stack), header, index_order="C")


def nrrd_notes(path: Path) -> dict[str, Any]:
    """Return the provenance, which has a field of its own."""
    return parse_notes(_header(path).get(KEY))


def _header(path: Path) -> dict[str, Any]:
    nrrd = optional("nrrd", "NRRD")
    try:
        return dict(nrrd.read_header(str(path)))
    except (nrrd.NRRDError, UnicodeDecodeError, AssertionError, KeyError, IndexError) as error:
        raise ValueError(str(error)) from error


def _check_size(path: Path, header: Mapping[str, Any], sizes: list[int]) -> None:
    if not 2 <= len(sizes) <= 5 or min(sizes) < 1:
        raise InputError(f"{path} has {len(sizes)} axes of {sizes}, which is no image; export a part of it.")
    packed = str(header.get("encoding", "raw")).lower() not in ("raw", "txt", "text", "ascii")
    data = header.get("data file") or header.get("datafile")
    if isinstance(data, str) and not (path.parent / data).is_file():
        raise InputError(f"{path} names {data} as the file of its pixels, which is missing; copy both files.")
    size = (path.parent / data if isinstance(data, str) else path).stat().st_size
    if math.prod(sizes) > size * (_DENSEST if packed else 2):
        raise ValueError(f"truncated: the header promises {math.prod(sizes)} pixels, but the file has {size} bytes")


def _axes(header: Mapping[str, Any], ndim: int) -> tuple[list[str], NDArray[np.float64] | None]:
    """Return a letter for each of the file's axes, and the vectors of x, y, z, if the file states them."""
    kinds = [str(kind).lower() for kind in header.get("kinds", ["domain"] * ndim)]
    found = header.get("space directions")
    vectors = None if found is None else [None if each is None else np.asarray(each, float) for each in found]
    space, letters = iter("xyz"), []
    for index in range(ndim):
        vector = np.zeros(1) if vectors is None else vectors[index]
        moves = vector is not None and np.all(np.isfinite(vector))
        domain = moves and kinds[index] in ("domain", "space", "???", "none")
        letters.append(next(space, "t") if domain else "c" if kinds[index] in _CHANNELS else "t")
    if vectors is None:
        return letters, None
    return letters, np.array([vectors[letters.index(axis)] for axis in "xyz" if axis in letters], dtype=float)


def _moved(array: NDArray[Any], letters: list[str], wanted: str) -> NDArray[Any]:
    if len(set(letters)) != len(letters):
        raise InputError(f"An NRRD with {len(letters)} axes {letters} is no image; export a part of it.")
    full = np.transpose(array, [letters.index(axis) for axis in wanted if axis in letters])
    return full.reshape([array.shape[letters.index(axis)] if axis in letters else 1 for axis in wanted])


def _place(
    header: Mapping[str, Any], directions: NDArray[np.float64] | None, sizes: Mapping[str, int]
) -> tuple[Geometry | None, tuple[float, ...] | None, str]:
    """Return where the image lies, its pixel size ((Z), Y, X) and the unit of that."""
    if directions is None:
        found = [float(size) for size in header.get("spacings", ()) if math.isfinite(float(size))]
        unit = next((unit_name(str(each)) for each in header.get("units", ()) if str(each).strip()), "millimeter")
        spatial = sum(axis in sizes for axis in "xyz")
        fits = len(found) == spatial and min(found, default=0) > 0
        return None, tuple(found[::-1]) if fits else None, unit if fits else "pixel"
    lengths = np.linalg.norm(directions, axis=1)
    spacing = tuple(float(str(np.float32(length))) for length in lengths[::-1])
    turn = _SPACES.get(str(header.get("space", "")).lower())
    if turn is None or directions.shape != (3, 3):
        return None, spacing, "millimeter"
    affine = np.eye(4)
    affine[:3, :3] = (directions * turn).T
    affine[:3, 3] = np.asarray(header.get("space origin", (0, 0, 0)), float) * turn
    if not np.all(np.isfinite(affine)) or min(lengths) <= 0:
        return None, None, "pixel"
    return Geometry(rows(affine), (sizes["z"], sizes["y"], sizes["x"]), "nrrd"), spacing, "millimeter"
