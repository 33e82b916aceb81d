"""The process that reads HDF5 files (see ``_hdf5.py``): ``python _hdf5_process.py FILE...``.

Writes to its output eight bytes, the length of the JSON that follows, then all numbers as float32. It is run as a
script and imports nothing of this package, so that it starts quickly.
"""

import json
import math
import os
import re
import sys
from contextlib import suppress
from typing import Any

LIMIT_SECONDS = 10
LIMIT_BYTES = 900 * 10**6
MAX_NAMES = 10_000
MAX_NAME = 512
MAX_NUMBERS = 500_000_000
KINDS = {
    "tf.nn.silu": "swish",
    "max_pooling2d": "pool",
    "max_pooling3d": "pool",
    "up_sampling2d": "up",
    "up_sampling3d": "up",
    "concatenate": "concatenate",
}
# What a damaged or hostile file makes h5py raise.
FAULTS = (OSError, RuntimeError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, MemoryError)


def read_all(paths: list[str]) -> tuple[dict[str, Any], list[Any]]:
    """Return what the files hold as plain values, and the arrays that go with it."""
    import h5py

    files: list[Any] = []
    arrays: list[Any] = []
    place = 0
    for path in paths:
        layers: list[Any] = []
        try:
            with h5py.File(path, "r") as file:
                for name, weights in _layers(file, os.stat(path).st_size):
                    entries = []
                    for key, stored in weights:
                        entries.append((key, stored.shape, f"F{8 * stored.dtype.itemsize}", place))
                        arrays.append(stored.astype("float32")[()])
                        place += arrays[-1].size
                    shapes = [(key, shape) for key, shape, _, _ in entries]
                    layers.append((name, _kind(name, shapes), entries))
        except FAULTS as error:
            return {"path": path, "error": str(error)[:300]}, []
        files.append(layers)
    return {"files": files}, arrays


def _layers(file: Any, size: int) -> list[tuple[str, list[tuple[str, Any]]]]:
    """Return the layers with their weights, still unread; together they are no larger than the file."""
    root = _descend(file, "model_weights") if "model_weights" in file else file
    layers, numbers, total = [], 0, 0
    for name in _names(root, "layer_names"):
        group = _descend(root, name)
        weights = [
            (each.split("/", 1)[-1].split(":")[0], _weight(group, each)) for each in _names(group, "weight_names")
        ]
        numbers += sum(math.prod(stored.shape) for _, stored in weights)
        total += sum(stored.nbytes for _, stored in weights)
        layers.append((name, weights))
        if total > size:
            raise ValueError(f"{name[:80]!r} is said to be more than the file holds")
    if not 1 <= numbers <= MAX_NUMBERS:
        raise ValueError(f"it holds {numbers:.3g} weights; between 1 and {MAX_NUMBERS:.0e} are supported")
    return layers


def _names(group: Any, key: str) -> list[str]:
    """Return the strings of an attribute, which Keras cuts into ``key0``, ``key1``, ... where they are many."""
    if key not in group.attrs and f"{key}0" in group.attrs:
        parts = [f"{key}{index}" for index in range(MAX_NAMES) if f"{key}{index}" in group.attrs]
        return [name for part in parts for name in _names(group, part)]
    if key not in group.attrs:
        raise LookupError(f"{group.name!r} has no attribute {key!r}")
    stored = group.attrs.get_id(key)
    if math.prod(stored.shape) > MAX_NAMES or stored.dtype.itemsize > MAX_NAME:
        raise ValueError(f"the attribute {key!r} of {group.name!r} is too large")
    values = group.attrs[key]
    values = values.ravel().tolist() if hasattr(values, "ravel") else [values]
    names = [value.decode() if isinstance(value, bytes) else str(value) for value in values]
    if any(not name or len(name) > MAX_NAME for name in names):
        raise ValueError(f"the attribute {key!r} of {group.name!r} holds no names")
    return names


def _descend(group: Any, path: str) -> Any:
    """Follow a path inside the file; a link to anywhere else is refused."""
    import h5py

    for part in path.split("/"):
        if not isinstance(group, h5py.Group) or not isinstance(group.get(part, getlink=True), h5py.HardLink):
            raise ValueError(f"{path[:80]!r} leads to another place")  # noqa: TRY004  to the user it is a damaged file
        group = group[part]
    return group


def _weight(group: Any, name: str) -> Any:
    """Return a data set that is nothing but numbers in the file itself."""
    import h5py

    stored = _descend(group, name)
    if not isinstance(stored, h5py.Dataset) or stored.dtype.kind != "f" or stored.dtype.itemsize > 8:
        raise ValueError(f"{name[:80]!r} is no array of numbers")
    if stored.chunks is not None or stored.is_virtual or stored.external is not None:
        raise ValueError(f"{name[:80]!r} is compressed, or lies in another file; save the weights again by Keras")
    if not 1 <= len(stored.shape) <= 5 or stored.nbytes > stored.id.get_storage_size():
        raise ValueError(f"{name[:80]!r} is said to be {stored.shape}, more than the file holds")
    return stored


def _kind(name: str, weights: list[tuple[str, tuple[int, ...]]]) -> str:
    """Infer the kind of a layer from its weights, because outputs have their own names, or else from its name."""
    plain = re.sub(r"_\d+$", "", name)
    names = [key for key, _ in weights]
    if not names:
        return KINDS.get(plain, "other")
    dimensions = len(weights[0][1])
    if any("/" in each for each in names):
        return "attention"
    if names[0] == "kernel" and dimensions in (2, 4, 5):
        if dimensions == 2:
            return "dense"
        return "transpose" if "transpose" in plain else "conv"
    if names == ["gamma", "beta", "moving_mean", "moving_variance"]:
        return "batch_norm"
    if names == ["gamma", "beta"]:
        return "group_norm" if dimensions == 1 else "layer_norm"
    raise ValueError(f"the layer {name[:80]!r} is of an unknown kind")


def _limit(size: int) -> None:
    """Limit time and memory if the operating system can; otherwise only the parent's timeout does."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (LIMIT_SECONDS, LIMIT_SECONDS))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        memory = LIMIT_BYTES + 4 * size
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def main() -> None:
    """Read the files that the command names."""
    import h5py  # noqa: F401  before memory is bounded: loading the library maps more than it uses

    paths = sys.argv[1:]
    _limit(sum(os.stat(path).st_size for path in paths))
    answer, arrays = read_all(paths)
    text = json.dumps(answer).encode()
    text += b" " * (-len(text) % 8)
    sys.stdout.buffer.write(len(text).to_bytes(8, "little") + text)
    for array in arrays:
        sys.stdout.buffer.write(array.tobytes())


if __name__ == "__main__":
    main()
