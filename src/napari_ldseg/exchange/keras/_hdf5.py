"""Read the layers of Keras HDF5 weight files, in their order and only as data.

Keras stores in the root's attribute ``layer_names`` the layers in the order of the graph, and below a group for each
of them its weights, named in the group's attribute ``weight_names``. Only plain numbers inside the file are read:
links to other files, virtual, external and compressed data are refused.

The HDF5 library believes what a file says of itself: a few changed bytes make it ask for gigabytes before anything
here can look (``benchmarks/robustness/fuzz.py`` found that). So it runs in a process of its own with bounded time and
memory, which hands over names, shapes and numbers, and whose end cannot end the viewer.
"""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...checkpoints import AGAIN
from ...errors import CheckpointError
from ._hdf5_process import LIMIT_SECONDS

PROCESS = Path(__file__).with_name("_hdf5_process.py")
LIMIT_WAITING = 300


class Weight(NamedTuple):
    """One array of a layer: its name without the layer's, its shape, its stored type, and the numbers."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    values: NDArray[np.float32]


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


def read_layers(paths: Sequence[Path]) -> list[list[Layer]]:
    """Return the layers of each file.

    Raises
    ------
    CheckpointError
        h5py is not installed, or a file is no weight file of Keras, damaged, or stores more than plain numbers.
    """
    if importlib.util.find_spec("h5py") is None:
        raise CheckpointError(
            "Reading Keras files needs h5py, which is not installed; run: pip install 'napari-ldseg[keras]'"
        )
    # One thread, because every thread of the linear algebra library reserves memory.
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    command = [sys.executable, "-P", str(PROCESS), *(str(path.absolute()) for path in paths)]
    try:
        done = subprocess.run(command, capture_output=True, env=environment, timeout=LIMIT_WAITING, check=False)
        length = int.from_bytes(done.stdout[:8], "little")
        answer = json.loads(done.stdout[8 : 8 + length])
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        names = ", ".join(path.name for path in paths)
        raise CheckpointError(
            f"A file of {str(paths[0].parent)!r} ({names}) is damaged: reading it took more than {LIMIT_SECONDS} s, "
            f"too much memory, or ended the HDF5 library. {AGAIN}"
        ) from error
    if "error" in answer:
        raise CheckpointError(
            f"{answer['path']!r} cannot be read as a Keras HDF5 weight file: {answer['error']}. {AGAIN}"
        )
    numbers = np.frombuffer(done.stdout, np.float32, offset=8 + length)
    return [
        [
            Layer(
                name,
                kind,
                tuple(
                    Weight(key, tuple(shape), dtype, numbers[at : at + int(np.prod(shape))].reshape(shape))
                    for key, shape, dtype, at in weights
                ),
            )
            for name, kind, weights in layers
        ]
        for layers in answer["files"]
    ]
