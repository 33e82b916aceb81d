"""Layers of a Keras HDF5 weight file, in their order; a file is read as data, whatever it holds.

Keras stores in the root's attribute ``layer_names`` the layers in the order of the graph, and below a group for each
of them its weights, named in the group's attribute ``weight_names``. Only plain numbers inside the file are read:
links to other files, virtual, external and compressed data are refused.
"""

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import CheckpointError
from ._header import AGAIN, MAX_PARAMETERS

MAX_NAMES = 10_000
MAX_NAME = 512
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


class Weight(NamedTuple):
    """One array of a layer: its name without the layer's, its shape, and the data, still unread."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    dataset: Any

    def read(self) -> NDArray[np.float32]:
        """Return the numbers."""
        return np.asarray(self.dataset[()], dtype=np.float32)


@dataclass(frozen=True)
class Layer:
    """One layer of the graph.

    Attributes
    ----------
    name : str
    kind : str
        ``conv``, ``transpose``, ``dense``, ``batch_norm``, ``group_norm``, ``layer_norm``, ``attention``, ``pool``,
        ``up``, ``concatenate``, ``swish``, or ``other`` for layers without weights that change nothing here.
    weights : tuple of Weight
        In the file's order: kernel and bias; gamma, beta, moving mean and variance; or those of a whole attention.
    """

    name: str
    kind: str
    weights: tuple[Weight, ...] = field(default=(), repr=False)


@contextmanager
def open_layers(path: Path) -> Iterator[list[Layer]]:
    """Open a weight file and yield its layers; the weights can be read until it is closed.

    Raises
    ------
    CheckpointError
        h5py is not installed, or the file is no weight file of Keras, damaged, or stores more than plain numbers.
    """
    try:
        import h5py
    except ImportError as error:
        raise CheckpointError(
            "Reading Keras files needs h5py, which is not installed; run: pip install 'napari-ldseg[keras]'"
        ) from error
    try:
        with h5py.File(path, "r") as file:
            yield _layers(file, path)
    except FAULTS as error:
        raise CheckpointError(
            f"{str(path)!r} cannot be read as a Keras HDF5 weight file: {str(error)[:300]}. {AGAIN}"
        ) from error


def _layers(file: Any, path: Path) -> list[Layer]:
    root = _descend(file, "model_weights") if "model_weights" in file else file
    size = path.stat().st_size
    layers, numbers = [], 0
    for name in _names(root, "layer_names"):
        group = _descend(root, name)
        weights = tuple(_weight(group, each, size) for each in _names(group, "weight_names"))
        numbers += sum(math.prod(weight.shape) for weight in weights)
        layers.append(Layer(name, _kind(name, weights), weights))
    if not numbers or numbers > MAX_PARAMETERS:
        raise ValueError(f"it holds {numbers:.3g} weights; between 1 and {MAX_PARAMETERS:.0e} are supported")
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
    values = np.ravel(group.attrs[key])
    names = [value.decode() if isinstance(value, bytes) else str(value) for value in values.tolist()]
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


def _weight(group: Any, name: str, size: int) -> Weight:
    import h5py

    stored = _descend(group, name)
    if not isinstance(stored, h5py.Dataset) or stored.dtype.kind != "f" or stored.dtype.itemsize > 8:
        raise ValueError(f"{name!r} is no array of numbers")
    if stored.chunks is not None or stored.is_virtual or stored.external is not None:
        raise ValueError(f"{name!r} is compressed, or lies in another file; save the weights again by Keras")
    if not 1 <= len(stored.shape) <= 5 or stored.nbytes > min(size, stored.id.get_storage_size()):
        raise ValueError(f"{name!r} is said to be {stored.shape}, more than the file holds")
    return Weight(name.split("/", 1)[-1].split(":")[0], stored.shape, f"F{8 * stored.dtype.itemsize}", stored)


def _kind(name: str, weights: tuple[Weight, ...]) -> str:
    """Tell the kind of a layer by its weights, because outputs have names of their own, or else by its name."""
    plain = re.sub(r"_\d+$", "", name)
    names = [weight.name for weight in weights]
    if not names:
        return KINDS.get(plain, "other")
    if any("/" in each for each in names):
        return "attention"
    if names[0] == "kernel":
        if len(weights[0].shape) == 2:
            return "dense"
        return "transpose" if "transpose" in plain else "conv"
    if names == ["gamma", "beta", "moving_mean", "moving_variance"]:
        return "batch_norm"
    if names == ["gamma", "beta"]:
        return "group_norm" if len(weights[0].shape) == 1 else "layer_norm"
    raise ValueError(f"the layer {name[:80]!r} is of an unknown kind")
