"""Translate the layers of the release's files, in their order, into our settings and the names of our weights.

Each ``read_*`` walks the layers of one file and returns the settings that it found and, for each of our tensors, the
pieces of the file that it is made of. A block of the release is always stored in one order, because Keras sorts the
layers of a graph by their distance from the output: for example in the mask autoencoder convolution, norm,
convolution, shortcut, norm, the shortcut's norm.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import CheckpointError
from ._hdf5 import Layer, Weight

Array = NDArray[np.float32]
HEADS = 8


class Piece(NamedTuple):
    """One stored array and how it is turned into (a part of) our tensor."""

    weight: Weight
    turn: Callable[[Array], Array]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the result; nothing is copied to find it."""
        return self.turn(self.weight.values).shape

    def read(self) -> Array:
        """Return the numbers, in memory of their own."""
        return np.array(self.turn(self.weight.values), order="C")


Pieces = dict[str, list[Piece]]


def same(values: Array) -> Array:
    """Keep vectors as they are."""
    return values


def kernel(values: Array) -> Array:
    """Turn (..., in, out) of a convolution or dense layer, or (..., out, in) of a transposed one, to torch's order."""
    return np.moveaxis(values, (-1, -2), (0, 1))


def channels_first(values: Array) -> Array:
    """Turn (*cells, C) to (C, *cells)."""
    return np.moveaxis(values, -1, 0)


class Walk:
    """The layers of one file, taken one after another; ``pieces`` fills up on the way."""

    def __init__(self, layers: list[Layer], path: Path):
        self.path = path
        self.layers: list[Layer] = []
        self.swished: set[str] = set()
        for before, layer in zip([Layer("", "other"), *layers], layers, strict=False):
            if layer.kind not in ("swish", "other"):
                self.layers.append(layer)
                if before.kind == "swish":
                    self.swished.add(layer.name)
        self.at = 0
        self.pieces: Pieces = {}

    def kind(self, ahead: int = 0) -> str:
        """Return the kind of a layer to come; empty after the last."""
        return self.layers[self.at + ahead].kind if self.at + ahead < len(self.layers) else ""

    def take(self, *kinds: str) -> Layer:
        """Return the next layer, which must be of one of these kinds."""
        if self.kind() not in kinds:
            found = f"{self.layers[self.at].name[:80]!r} ({self.kind()})" if self.kind() else "the end"
            after = f"after {self.layers[self.at - 1].name[:80]!r}" if self.at else "at the start"
            raise CheckpointError(
                f"{str(self.path)!r} is not this network of the LDSeg release: {after} stands {found}, where "
                f"{' or '.join(kinds)} should be. Give the release's own files, or train the model anew."
            )
        self.at += 1
        return self.layers[self.at - 1]

    def optional(self, kind: str) -> bool:
        """Take the next layer if it is of this kind."""
        if self.kind() != kind:
            return False
        self.at += 1
        return True

    def end(self) -> None:
        """Make sure that nothing is left."""
        if self.kind():
            self.take("the end")

    def add(self, name: str, *pieces: Piece) -> None:
        """Note what one of our tensors is made of."""
        self.pieces[name] = list(pieces)

    def conv(self, name: str, *kinds: str) -> tuple[int, ...]:
        """Take a convolution or dense layer; return the shape of our kernel (out, in, ...)."""
        layer = self.take(*(kinds or ("conv",)))
        axes = [2 if layer.kind == "dense" else self.ndim + 2, 1]
        if [len(each.shape) for each in layer.weights] != axes or layer.weights[1].name != "bias":
            raise CheckpointError(
                f"The layer {layer.name[:80]!r} in {str(self.path)!r} has no kernel and bias of this network."
            )
        weight, bias = layer.weights
        self.add(f"{name}.weight", Piece(weight, kernel))
        self.add(f"{name}.bias", Piece(bias, same))
        return self.pieces[f"{name}.weight"][0].shape

    def norm(self, name: str, kind: str) -> tuple[int, ...]:
        """Take a norm with its scales, and statistics if it has them; return their shape."""
        layer = self.take(kind)
        turn = channels_first if kind == "layer_norm" else same
        for ours, weight in zip(("weight", "bias", "mean", "variance"), layer.weights, strict=False):
            self.add(f"{name}.{ours}", Piece(weight, turn))
        return layer.weights[0].shape

    def attention(self, name: str) -> int:
        """Take an attention if one comes next; return its number of heads, 0 if there is none."""
        if self.kind() != "attention":
            return 0
        layer = self.take("attention")
        if [len(weight.shape) for weight in layer.weights] != [1, 1, *[2, 1] * 4]:
            raise CheckpointError(
                f"The attention {layer.name[:80]!r} in {str(self.path)!r} is not one norm and four dense layers."
            )
        gamma, beta, *dense = layer.weights
        cells = (1,) * self.ndim

        def pointwise(values: Array) -> Array:
            return kernel(values).reshape(*values.shape[::-1], *cells)

        self.add(f"{name}.norm.weight", Piece(gamma, same))
        self.add(f"{name}.norm.bias", Piece(beta, same))
        self.add(f"{name}.qkv.weight", *(Piece(weight, pointwise) for weight in dense[0:6:2]))
        self.add(f"{name}.qkv.bias", *(Piece(bias, same) for bias in dense[1:6:2]))
        self.add(f"{name}.project.weight", Piece(dense[6], pointwise))
        self.add(f"{name}.project.bias", Piece(dense[7], same))
        # The file does not say how many: the release takes eight, of a single channel one.
        return math.gcd(HEADS, gamma.shape[0]) if layer.name.startswith("multi_head") else 1

    @property
    def ndim(self) -> int:
        """Spatial axes of the first convolution."""
        return next((len(each.weights[0].shape) - 2 for each in self.layers if each.kind in ("conv", "transpose")), 0)

    def mask_block(self, name: str) -> int:
        """Take a residual block of the mask autoencoder; return its width."""
        width = self.conv(f"{name}.main.0")[0]
        self.norm(f"{name}.main.1", "batch_norm")
        self.conv(f"{name}.main.3")
        self.conv(f"{name}.shortcut.0")
        self.norm(f"{name}.main.4", "batch_norm")
        self.norm(f"{name}.shortcut.1", "batch_norm")
        return width

    def level(self, name: str) -> tuple[int, bool]:
        """Take a residual block of the denoiser, with its attention if it has one; return width and whether."""
        self.norm(f"{name}.block.first.0", "group_norm")
        self.conv(f"{name}.block.time", "dense")
        width = self.conv(f"{name}.block.first.2")[0]
        self.norm(f"{name}.block.second.0", "group_norm")
        self.conv(f"{name}.block.second.3")
        # A convolution comes next as a shortcut (kernel 1), or as the way to the next level (kernel 3).
        if self.kind() == "conv" and self.layers[self.at].weights[0].shape[0] == 1:
            self.conv(f"{name}.block.shortcut")
        return width, bool(self.attention(f"{name}.attention"))


Found = tuple[dict[str, Any], Pieces]


def read_mask_encoder(layers: list[Layer], path: Path) -> Found:
    """Blocks with down-samplings between them, one convolution, and the layer-norm that knows the latent's size."""
    walk, name = Walk(layers, path), "mask_encoder"
    widths, down = [walk.mask_block(f"{name}.blocks.0")], "pool"
    while walk.kind() == "pool" or walk.kind(1) == "conv":
        if not walk.optional("pool"):
            down = "conv"
            walk.conv(f"{name}.downs.{len(widths) - 1}.1")
        widths.append(walk.mask_block(f"{name}.blocks.{len(widths)}"))
    head = walk.conv(f"{name}.head")
    *cells, channels = walk.norm(f"{name}.norm", "layer_norm")
    walk.end()
    found = {"ndim": walk.ndim, "mask_widths": widths, "mask_down": down, "mask_head": head[-1]}
    return found | {"cells": cells, "latent_channels": channels}, walk.pieces


def read_mask_decoder(layers: list[Layer], path: Path) -> Found:
    """Up-samplings, each with a block, then the classes."""
    walk, name = Walk(layers, path), "mask_decoder"
    widths: list[int] = []
    up = "transpose" if walk.kind() == "transpose" else "nearest"
    while walk.kind() in ("transpose", "up"):
        walk.optional("up")
        walk.conv(f"{name}.stages.{len(widths)}.0.conv", "transpose", "conv")
        widths.append(walk.mask_block(f"{name}.stages.{len(widths)}.1"))
    classes = walk.conv(f"{name}.head.1")[0]
    walk.norm(f"{name}.head.2", "batch_norm")
    walk.end()
    return {"decoder_widths": widths, "decoder_up": up, "classes": classes}, walk.pieces


def read_image_encoder(layers: list[Layer], path: Path) -> Found:
    """Blocks, each with a down-sampling, a norm and perhaps an attention, then the embedding."""
    walk, name = Walk(layers, path), "image_encoder"
    stem, image_channels = walk.conv(f"{name}.stem")[:2]
    widths: list[int] = []
    heads: list[int] = []
    groups, down = 1, "pool"
    while walk.kind() == walk.kind(1) == "conv":
        stage = f"{name}.stages.{len(widths)}"
        width, inputs = walk.conv(f"{stage}.0.main.1")[:2]
        walk.conv(f"{stage}.0.main.4")
        groups = walk.conv(f"{stage}.0.shortcut")[1] // max(inputs, 1)
        if not walk.optional("pool"):
            down = "conv"
            walk.conv(f"{stage}.1.1")
        walk.norm(f"{stage}.2", "group_norm")
        heads.append(walk.attention(f"{stage}.3"))
        widths.append(width)
    head = walk.conv(f"{name}.head")
    embedding_heads = walk.attention(f"{name}.out.0")
    swish = walk.kind() == "batch_norm" and walk.layers[walk.at].name in walk.swished
    walk.norm(f"{name}.out.2", "batch_norm")
    walk.end()
    found = {"image_stem": stem, "image_channels": image_channels, "image_widths": widths, "image_groups": groups}
    found |= {"image_down": down, "image_heads": heads, "image_head": head[-1]}
    found |= {"embedding_channels": head[0], "embedding_heads": embedding_heads, "embedding_swish": swish}
    return found, walk.pieces


def read_denoiser(layers: list[Layer], path: Path) -> Found:
    """The U-Net: blocks and strided convolutions down, two blocks in the middle, concatenations and blocks up."""
    walk, name = Walk(layers, path), "denoiser"
    stem = _read_denoiser_inputs(walk, name)
    counts, widths, attention = [0], [0], [False]
    while walk.kind() in ("group_norm", "conv"):
        if walk.kind() == "conv":
            walk.conv(f"{name}.shrink.{len(counts) - 1}.1")
            counts, widths, attention = [*counts, 0], [*widths, 0], [*attention, False]
        width, attends = walk.level(f"{name}.down.{sum(counts)}")
        # The middle's second block has no attention, so the level's first one decides.
        if not counts[-1]:
            widths[-1], attention[-1] = width, attends
        counts[-1] += 1
    down = sum(counts) - 2
    for index in (0, 1):
        old = f"{name}.down.{down + index}."
        for key in [key for key in walk.pieces if key.startswith(old)]:
            walk.pieces[key.replace(old, f"{name}.middle.{index}.")] = walk.pieces.pop(key)
    ups, grown = 0, 0
    while walk.optional("concatenate"):
        walk.level(f"{name}.up.{ups}")
        ups += 1
        if walk.optional("up"):
            walk.conv(f"{name}.grow.{grown}.conv")
            grown += 1
    walk.norm(f"{name}.out.0", "group_norm")
    walk.conv(f"{name}.out.2")
    walk.end()
    time = walk.pieces[f"{name}.time.mlp.0.bias"][0].shape[0]
    found = {"denoiser_stem": stem, "denoiser_widths": widths, "denoiser_attention": attention}
    found |= {"denoiser_blocks": down // len(counts), "denoiser_skips": "all" if ups > down else "blocks"}
    return found | {"time_channels": time}, walk.pieces


def _read_denoiser_inputs(walk: Walk, name: str) -> int:
    """Take the first convolution and the two dense layers of the time embedding; return the convolution's width.

    The convolution sees the noisy latent and the embedding, one after the other; ours are two convolutions.
    """
    stem, dense = 0, 0
    for _ in range(3):
        if walk.kind() == "dense":
            walk.conv(f"{name}.time.mlp.{dense}", "dense")
            dense += 2
        else:
            stem = walk.conv(f"{name}.latent_in")[0]
    both = walk.pieces.get(f"{name}.latent_in.weight")
    if both is None or dense != 4:
        raise CheckpointError(f"{str(walk.path)!r} is not the denoiser of the LDSeg release: it has no time embedding.")
    first, rest = slice(0, 1), slice(1, None)
    walk.add(f"{name}.latent_in.weight", Piece(both[0].weight, lambda values: kernel(values)[:, first]))
    walk.add(f"{name}.condition_in.weight", Piece(both[0].weight, lambda values: kernel(values)[:, rest]))
    return stem
