"""How arrays and values cross: safetensors bytes that hold JSON and compressed pieces. No paths, no pickles."""

import hashlib
import json
import math
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from .._util import optional
from ..errors import InputError

# Of this module and of `_order`. A server and a client that differ in it refuse each other.
WIRE = 1
# Bytes of an array that are compressed and sent together.
PIECE = 4 * 2**20
DTYPES = (
    *("bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"),
    *("float16", "float32", "float64"),
)
DAMAGED = "What arrived is damaged; send it again."


def plain(array: Any, name: str = "the image") -> NDArray[Any]:
    """Return an array as it crosses: in C order, little-endian, of a kind that both sides know.

    Raises
    ------
    InputError
        It holds complex numbers, text or anything else but integers, booleans and floats of up to 64 bits.
    """
    values = np.asarray(array)
    if values.dtype.name not in DTYPES:
        raise InputError(f"{name} holds {values.dtype} values; only integers, booleans and floats can be sent.")
    return np.ascontiguousarray(values, values.dtype.newbyteorder("<"))


def pieces(array: NDArray[Any]) -> Iterator[memoryview]:
    """Yield the bytes of an array from :func:`plain`, piece by piece."""
    raw = array.reshape(-1).view(np.uint8).data if array.size else memoryview(b"")
    for start in range(0, len(raw), PIECE):
        yield raw[start : start + PIECE]


def piece_sizes(size: int) -> list[int]:
    """Return the lengths of the pieces of ``size`` bytes."""
    return [min(PIECE, size - start) for start in range(0, size, PIECE)]


def digest(data: Any) -> str:
    """Return the SHA-256 of bytes."""
    return hashlib.sha256(data).hexdigest()


def identity(dtype: str, shape: tuple[int, ...], digests: tuple[str, ...]) -> str:
    """Return the name of an image by its content: kind, shape and the hashes of its pieces."""
    return digest(json.dumps([dtype, list(shape), list(digests)]).encode())[:40]


def squeeze(piece: Any, width: int) -> bytes:
    """Compress bytes of numbers that are ``width`` bytes wide, without loss."""
    blosc2 = _blosc2()
    codec = blosc2.Codec.ZSTD
    return bytes(blosc2.compress2(bytes(piece), typesize=width, codec=codec, clevel=1, nthreads=1))


def expand(packed: bytes, size: int) -> bytes:
    """Decompress bytes that must be ``size`` then.

    Raises
    ------
    InputError
        They are damaged, or of another size.
    """
    blosc2 = _blosc2()
    try:
        found, length, _ = blosc2.get_cbuffer_sizes(packed)
        if (found, length) != (size, len(packed)):
            raise InputError(DAMAGED)
        # In one thread: with several, blosc2 4.14 waits forever for some damaged input.
        raw = blosc2.decompress2(packed, nthreads=1)
    except (ValueError, RuntimeError, TypeError, MemoryError) as error:
        raise InputError(DAMAGED) from error
    if not isinstance(raw, bytes) or len(raw) != size:
        raise InputError(DAMAGED)
    return raw


def pack(values: Any, arrays: Mapping[str, Any] | None = None) -> bytes:
    """Return JSON values and arrays as one message."""
    found, tensors = {}, {}
    for name, array in (arrays or {}).items():
        sent = plain(array, name)
        found[name] = {"dtype": sent.dtype.name, "shape": list(sent.shape)}
        for number, piece in enumerate(pieces(sent)):
            tensors[f"{name}/{number}"] = np.frombuffer(squeeze(piece, sent.itemsize), np.uint8)
    return save(tensors, {"json": json.dumps({"values": values, "arrays": found})})


def unpack(message: bytes, most: int = sys.maxsize) -> tuple[Any, dict[str, NDArray[Any]]]:
    """Return values and arrays of a message, of which the arrays may have ``most`` bytes together.

    Raises
    ------
    InputError
        The message is damaged, or larger.
    """
    try:
        tensors = load(message)
        end = 8 + int.from_bytes(message[:8], "little")
        said = json.loads(json.loads(message[8:end])["__metadata__"]["json"])
        values, found = said["values"], dict(said["arrays"])
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(DAMAGED) from error
    arrays, total = {}, 0
    for name, one in found.items():
        dtype, shape = _described(one)
        size = math.prod(shape) * dtype.itemsize
        total += size
        if total > most:
            raise InputError(f"What arrived has more than {most} bytes; send less.")
        arrays[name] = _joined(tensors, name, size).view(dtype).reshape(shape)
    return values, arrays


def _described(one: Any) -> tuple[np.dtype[Any], tuple[int, ...]]:
    if not isinstance(one, dict) or one.get("dtype") not in DTYPES or not isinstance(one.get("shape"), list):
        raise InputError(DAMAGED)
    shape = one["shape"]
    if len(shape) > 8 or not all(type(side) is int and 0 <= side < 2**40 for side in shape):
        raise InputError(DAMAGED)
    return np.dtype(one["dtype"]).newbyteorder("<"), tuple(shape)


def _joined(tensors: Mapping[str, NDArray[Any]], name: str, size: int) -> NDArray[np.uint8]:
    """Return the bytes of an array from its pieces."""
    sizes = piece_sizes(size)
    parts = [tensors.get(f"{name}/{number}") for number in range(len(sizes))]
    if any(part is None for part in parts):
        raise InputError(DAMAGED)
    raw = np.empty(size, np.uint8)
    for number, (part, length) in enumerate(zip(parts, sizes, strict=True)):
        assert part is not None
        raw[number * PIECE :][:length] = np.frombuffer(expand(part.tobytes(), length), np.uint8)
    return raw


def _blosc2() -> Any:
    return optional("blosc2", "Computing on another computer", "client")
