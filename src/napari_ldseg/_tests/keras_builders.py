"""Small files in the HDF5 layout of the authors' release, layer by layer, with random weights."""

from collections import Counter
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

Shape = tuple[int, ...]


class KerasFile:
    """The layers of one network in the order in which Keras stores them."""

    def __init__(self, ndim: int, seed: int = 0):
        self.ndim = ndim
        self.rng = np.random.default_rng(seed)
        self.layers: list[tuple[str, dict[str, NDArray[np.float32]]]] = []
        self.numbers: Counter[str] = Counter()

    def add(self, kind: str, weights: dict[str, Shape] | None = None, name: str | None = None) -> str:
        number = self.numbers[kind]
        self.numbers[kind] += 1
        name = name or (f"{kind}_{number}" if number else kind)
        arrays = {}
        for key, shape in (weights or {}).items():
            values = self.rng.normal(0, 0.2, shape).astype(np.float32)
            if key.split("/")[-1] in ("gamma", "moving_variance"):
                values = 1 + np.abs(values)
            arrays[f"{name}/{key}:0"] = values
        self.layers.append((name, arrays))
        return name

    def conv(self, inputs: int, outputs: int, kernel: int = 3, name: str | None = None) -> None:
        shape = {"kernel": (*[kernel] * self.ndim, inputs, outputs), "bias": (outputs,)}
        self.add(f"conv{self.ndim}d", shape, name)

    def dense(self, inputs: int, outputs: int) -> None:
        self.add("dense", {"kernel": (inputs, outputs), "bias": (outputs,)})

    def batch_norm(self, width: int, name: str | None = None) -> None:
        keys = ("gamma", "beta", "moving_mean", "moving_variance")
        self.add("batch_normalization", dict.fromkeys(keys, (width,)), name)

    def group_norm(self, width: int) -> None:
        self.add("group_normalization", {"gamma": (width,), "beta": (width,)})

    def swish(self) -> None:
        self.add("tf.nn.silu")

    def attention(self, kind: str, width: int) -> None:
        weights: dict[str, Shape] = {"group_normalization_9/gamma": (width,), "group_normalization_9/beta": (width,)}
        for index in range(4):
            weights |= {f"dense_{index}/kernel": (width, width), f"dense_{index}/bias": (width,)}
        self.add(kind, weights)

    def mask_block(self, inputs: int, outputs: int) -> None:
        self.conv(inputs, outputs)
        self.batch_norm(outputs)
        self.swish()
        self.conv(outputs, outputs)
        self.conv(inputs, outputs, 1)
        self.batch_norm(outputs)
        self.batch_norm(outputs)
        for kind in ("dropout", "add"):
            self.add(kind)
        self.swish()

    def level(self, inputs: int, outputs: int, time: int, attend: bool) -> None:
        self.group_norm(inputs)
        self.swish()
        self.swish()
        self.dense(time, outputs)
        self.conv(inputs, outputs)
        self.add("add")
        self.group_norm(outputs)
        self.swish()
        self.conv(outputs, outputs)
        if inputs != outputs:
            self.conv(inputs, outputs, 1)
        self.add("add")
        if attend:
            self.attention("attention_block", outputs)

    def save(self, path: Path) -> Path:
        with h5py.File(path, "w") as file:
            file.attrs["backend"] = "tensorflow"
            file.attrs["layer_names"] = [name.encode() for name, _ in self.layers]
            for name, arrays in self.layers:
                group = file.create_group(name)
                group.attrs["weight_names"] = np.array([key.encode() for key in arrays], dtype="S80")
                for key, values in arrays.items():
                    group.create_dataset(key, data=values)
        return path


def mask_encoder(ndim: int, cells: Shape, widths: Shape) -> KerasFile:
    file = KerasFile(ndim, 1)
    file.add("encoder_input")
    channels = 1
    for index, width in enumerate(widths):
        if index and ndim == 2:
            file.add("max_pooling2d")
        elif index:
            file.conv(channels, channels)
        file.mask_block(channels, width)
        channels = width
    file.conv(channels, 1, 1 if ndim == 2 else 2)
    file.add("layer_normalization", {"gamma": (*cells, 1), "beta": (*cells, 1)}, "encoder_output")
    return file


def mask_decoder(ndim: int, widths: Shape, classes: int) -> KerasFile:
    file = KerasFile(ndim, 2)
    channels = 1
    for width in widths:
        if ndim == 2:
            file.add("conv2d_transpose", {"kernel": (3, 3, width, channels), "bias": (width,)})
        else:
            file.add("up_sampling3d")
            file.conv(channels, width)
        file.mask_block(width, width)
        channels = width
    file.swish()
    file.conv(channels, classes, 1)
    file.batch_norm(classes)
    file.add("decoder_output")
    return file


def image_encoder(ndim: int, channels: int, widths: Shape) -> KerasFile:
    file, groups, stem = KerasFile(ndim, 3), {2: 1, 3: 4}[ndim], 8
    file.conv(channels, stem)
    inputs = stem
    for index, width in enumerate(widths):
        file.swish()
        file.conv(inputs // groups, width)
        file.swish()
        file.conv(width // groups, width)
        file.conv(inputs, width, 1)
        file.add("add")
        file.swish()
        if ndim == 2:
            file.conv(width, width)
        else:
            file.add("max_pooling3d")
        file.group_norm(width)
        if ndim == 2 and index:
            file.attention("multi_head_attention", width)
        inputs = width
    file.conv(inputs, 1, 1 if ndim == 2 else 3)
    if ndim == 2:
        file.attention("multi_head_attention", 1)
        file.swish()
    file.batch_norm(1, "embedding_output")
    return file


def denoiser(ndim: int, widths: Shape, attention: tuple[bool, ...], blocks: int = 1) -> KerasFile:
    file, stem, time, all_skips = KerasFile(ndim, 4), 8, 16, ndim == 2
    file.dense(time, time)
    file.conv(2, stem)
    file.dense(time, time)
    channels, skips = stem, [stem] * all_skips
    for index, (width, attend) in enumerate(zip(widths, attention, strict=True)):
        if index:
            file.conv(channels, channels)
            skips += [channels] * all_skips
        for _ in range(blocks):
            file.level(channels, width, time, attend)
            channels = width
            skips.append(channels)
    for attend in (True, False):
        file.level(channels, channels, time, attend)
    for index, (width, attend) in reversed(list(enumerate(zip(widths, attention, strict=True)))):
        for _ in range(blocks + all_skips):
            file.add("concatenate")
            file.level(channels + skips.pop(), width, time, attend)
            channels = width
        if index:
            file.add(f"up_sampling{ndim}d")
            file.conv(channels, channels)
    file.group_norm(channels)
    file.swish()
    file.conv(channels, 1, name="denoiser_output")
    return file


def write_release(folder: Path, ndim: int, **files: KerasFile) -> Path:
    """Write the four files of a small model: two down-samplings; 32 pixels a side in 2D, 16 in 3D."""
    folder.mkdir(parents=True, exist_ok=True)
    cells, tail = {2: (8, 8), 3: (4, 4, 4)}[ndim], {2: "", 3: "3D"}[ndim]
    parts: dict[str, Any] = {
        "labelEncoder": mask_encoder(ndim, cells, (4, 8, 8)),
        "labelDecoder": mask_decoder(ndim, (8, 8), {2: 2, 3: 3}[ndim]),
        "imageEncoder": image_encoder(ndim, {2: 3, 3: 1}[ndim], (8, 8)),
        "denoiser": denoiser(ndim, (8, 16), (False, True)),
        **files,
    }
    for role, file in parts.items():
        file.save(folder / f"{role}{tail}.hdf5")
    return folder
