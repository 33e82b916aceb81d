"""Read and write MetaImage (ITK): a text header with the pixels in one file (.mha) or beside it (.mhd with .raw)."""

import math
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from .._geometry import Geometry, rows
from .._image import Image
from .._names import stem
from .._units import convert_spacing
from ._axes_note import KEY, fold, note_text, parse_notes, unfold

_TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
    "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}  # fmt: skip
_NAME_OF = {kind: name for name, kind in reversed(_TYPES.items())}
_ORIGIN = ("Offset", "Position", "Origin")
_DIRECTION = ("TransformMatrix", "Rotation", "Orientation")
_SPACING = ("ElementSpacing", "ElementSize")
# These lines say where the image lies. Results get an exact copy.
_PLACE = (*_ORIGIN, *_DIRECTION, *_SPACING, "CenterOfRotation", "AnatomicalOrientation")
_LONGEST_HEADER = 2**20
_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])

Fields = dict[str, str]


def read_metaimage(path: Path, palette: bool = True) -> Image:
    """Read a MetaImage: its axes x, y, z, time become t, z, y, x. Axes of length 1 are left out."""
    fields, offset = _parse(path)
    sizes = _numbers(fields, ("DimSize",), _ndim(fields))
    shape = tuple(int(n) for n in reversed(sizes or ()))
    if len(shape) != _ndim(fields) or min(shape) < 1:
        raise ValueError(f"its size is {fields.get('DimSize', 'missing')!r}")
    if len(shape) > 4:
        raise InputError(f"{path} has {len(shape)} axes, too many for one image; export a part of it.")
    channels = int(fields.get("ElementNumberOfChannels", 1))
    array = _pixels(path, fields, offset, (*shape, channels))
    full = ((1,) * (4 - len(shape)) + shape)[-4:]
    array = array.reshape((*full, channels))
    own = unfold(parse_notes(fields.get(KEY)), array.shape)
    if own is None:
        kept = [(axis, n) for axis, n in zip("tzyxc", array.shape, strict=True) if n > 1 or axis in "yx"]
        own = "".join(axis for axis, _ in kept), tuple(n for _, n in kept)
    axes, kept_shape = own
    geometry = _geometry(fields, full[1:])
    stated = any(key in fields for key in _SPACING)
    spacing = None if not stated else geometry.spacing if "z" in axes else geometry.spacing[1:]
    unit = "pixel" if spacing is None else "millimeter"
    return Image(array.reshape(kept_shape), axes, spacing, unit, stem(path), geometry=geometry)


def save_metaimage(path: Path, image: Image, metadata: Mapping[str, Any]) -> None:
    """Write one compressed file (.mha), with the source's own lines on where it lies, if there are any.

    Frames become the fourth axis, and channels those of each element. The provenance has a line of its own, which ITK
    ignores.
    """
    stack, axes, note = fold(image, "zyxc")
    kind = stack.dtype.newbyteorder("=").str[1:]
    if kind not in _NAME_OF:
        raise InputError(f"{image.name} cannot hold {stack.dtype} values; convert to uint8, int16 or float32.")
    channels = stack.shape[-1] if "c" in axes else 1
    shape = stack.shape[:-1] if "c" in axes else stack.shape
    ndim, place = _place(image, frames="t" in axes)
    # A flat image of a source with three axes, or frames without a z axis.
    shape = shape[: axes.index("y")] + (1,) * (ndim - len(shape)) + shape[axes.index("y") :]
    body = zlib.compress(np.ascontiguousarray(stack, dtype=f"<{kind}").tobytes(), 6)
    lines = {
        "ObjectType": "Image",
        "NDims": str(len(shape)),
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "True",
        "CompressedDataSize": str(len(body)),
        **place,
        "DimSize": " ".join(str(n) for n in reversed(shape)),
        "ElementNumberOfChannels": str(channels),
        "ElementType": _NAME_OF[kind],
        KEY: note_text(metadata, note),
        "ElementDataFile": "LOCAL",
    }
    text = "".join(f"{key} = {value}\n" for key, value in lines.items())
    path.write_bytes(text.encode() + body)


def metaimage_notes(path: Path) -> dict[str, Any]:
    """Return the provenance, which has a line of its own."""
    return parse_notes(_parse(path)[0].get(KEY))


def _parse(path: Path) -> tuple[Fields, int]:
    """Return the lines of the header, and where the pixels begin in the same file."""
    with path.open("rb") as file:
        head = file.read(_LONGEST_HEADER)
    fields: Fields = {}
    begin = 0
    while "ElementDataFile" not in fields:
        end = head.find(b"\n", begin)
        line = head[begin : end if end >= 0 else len(head)].decode(errors="replace")
        key, equals, value = line.partition("=")
        if not equals and line.strip():
            raise ValueError(f"its header has no line ElementDataFile, but {line[:40]!r}")
        if equals:
            fields[key.strip()] = value.strip()
        if end < 0:
            break
        begin = end + 1
    if "ElementDataFile" not in fields or "NDims" not in fields:
        raise ValueError("its header has no line ElementDataFile or NDims")
    return fields, begin


def _ndim(fields: Fields) -> int:
    return int(fields["NDims"])


def _yes(fields: Fields, *keys: str) -> bool:
    return any(fields.get(key, "").lower() in ("true", "1") for key in keys)


def _numbers(fields: Fields, keys: tuple[str, ...], count: int) -> list[float] | None:
    """Return the numbers in the first of these lines that exists."""
    text = next((fields[key] for key in keys if key in fields), None)
    if text is None:
        return None
    numbers = [float(word) for word in text.split()]
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise ValueError(f"{keys[0]} is {text!r}, which should be {count} numbers")
    return numbers


def _pixels(path: Path, fields: Fields, offset: int, shape: tuple[int, ...]) -> NDArray[Any]:
    if fields.get("ElementType") not in _TYPES:
        raise ValueError(f"its ElementType is {fields.get('ElementType')!r}")
    order = ">" if _yes(fields, "BinaryDataByteOrderMSB", "ElementByteOrderMSB") else "<"
    dtype = np.dtype(order + _TYPES[fields["ElementType"]])
    name = fields["ElementDataFile"]
    if not _yes({"BinaryData": "True", **fields}, "BinaryData") or name.split()[:1] == ["LIST"] or "%" in name:
        raise InputError(f"{path} keeps its pixels as text or in many files; save it as one .mha file.")
    data = path if name.upper() == "LOCAL" else path.parent / name
    if not data.is_file():
        raise InputError(f"{path} names {name} as the file of its pixels, which is missing; copy both files.")
    expected = math.prod(shape) * dtype.itemsize
    packed, size = _yes(fields, "CompressedData"), data.stat().st_size
    skip = int(fields.get("HeaderSize", 0)) if data != path else offset
    if not packed and skip < 0:
        skip = size - expected
    if expected < 1 or skip < 0 or (not packed and expected > size - skip):
        raise ValueError(f"truncated: the header promises {expected} bytes of pixels, but {data.name} has {size}")
    with data.open("rb") as file:
        file.seek(skip)
        raw = _unpacked(file.read(), expected) if packed else file.read(expected)
    return np.frombuffer(bytearray(raw), dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _unpacked(packed: bytes, expected: int) -> bytes:
    raw = zlib.decompressobj().decompress(packed, expected)
    if len(raw) < expected:
        raise ValueError(f"truncated: {len(raw)} of {expected} bytes of pixels")
    return raw


def _geometry(fields: Fields, grid: tuple[int, ...]) -> Geometry:
    """Return the geometry. The lines hold left, posterior, superior, and the matrix one axis after the other."""
    ndim = _ndim(fields)
    count = min(ndim, 3)
    spacing, origin, linear = np.ones(3), np.zeros(3), np.eye(3)
    spacing[:count] = (_numbers(fields, _SPACING, ndim) or [1.0] * ndim)[:count]
    if np.any(spacing <= 0):
        raise ValueError("its ElementSpacing is not positive")
    origin[:count] = (_numbers(fields, _ORIGIN, ndim) or [0.0] * ndim)[:count]
    matrix = _numbers(fields, _DIRECTION, ndim * ndim)
    if matrix is not None:
        linear[:count, :count] = np.reshape(matrix, (ndim, ndim))[:count, :count].T
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = linear * spacing, origin
    lines = "".join(f"{key} = {fields[key]}\n" for key in ("NDims", *_PLACE) if key in fields)
    z, y, x = grid
    return Geometry(rows(_LPS @ affine), (z, y, x), "metaimage", lines.encode())


def _place(image: Image, *, frames: bool) -> tuple[int, Fields]:
    """Return the number of axes, and the lines that say where the image lies."""
    geometry = image.geometry
    if geometry is None:
        ndim = len(image.spatial) if not frames else 4
        sizes = convert_spacing(image.spacing, image.unit, "millimeter")
        if sizes is None:
            return ndim, {}
        return ndim, {"ElementSpacing": _line([*sizes[::-1], 1.0, 1.0][:ndim])}
    ndim = 4 if frames else 3
    if geometry.kind == "metaimage" and geometry.header:
        kept = dict(line.split(" = ", 1) for line in geometry.header.decode().splitlines())
        own = int(kept.pop("NDims"))
        if own == ndim or (own == 2 and not frames and geometry.shape[0] == 1):
            return own, kept
    affine = np.eye(5)
    affine[:3, :3] = (_LPS @ geometry.matrix)[:3, :3]
    spacing = [*np.linalg.norm(affine[:3, :3], axis=0), 1.0]
    direction = (affine[:4, :4] / spacing)[:ndim, :ndim]
    origin = [*(_LPS @ geometry.matrix)[:3, 3], 0.0][:ndim]
    return ndim, {
        "TransformMatrix": _line(direction.T.ravel()),
        "Offset": _line(origin),
        "ElementSpacing": _line([*geometry.spacing[::-1], 1.0][:ndim]),
    }


def _line(numbers: Any) -> str:
    return " ".join(repr(float(number)) for number in numbers)
