"""Make the noise of samples: a stream for an image in one pass, a field over the whole plane for tiles."""

from collections.abc import Sequence
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..diffusion import Noise

BLOCK = {2: 32, 3: 16}


def sample_generator(seed: int, sample: int) -> torch.Generator:
    """Return the random generator of one sample. It does not depend on device, batch size or number of samples."""
    state = int(np.random.SeedSequence((seed, sample)).generate_state(1, np.uint64)[0] >> np.uint64(1))
    return torch.Generator().manual_seed(state)


def stream_noise(seed: int, samples: range, shape: tuple[int, ...], repeats: int = 1) -> Noise:
    """Return the noise of latents of ``shape`` (L, *cells), one stream for each sample, the same for all repeats.

    It gives tensors (repeats * len(samples), L, *cells): all samples of the first image, then of the second, ...
    """
    generators = [sample_generator(seed, sample) for sample in samples]

    def noise(step: int) -> Tensor:
        del step  # each generator continues its stream
        drawn = torch.stack([torch.randn(shape, generator=generator) for generator in generators])
        return drawn.repeat(repeats, *[1] * len(shape)) if repeats > 1 else drawn

    return noise


def field_noise(
    seed: int, samples: range, views: Sequence[int], boxes: Sequence[tuple[tuple[int, int], ...]], channels: int
) -> Noise:
    """Return the noise of tiles, cut out of one field over the whole plane for each sample and each draw.

    A sample that sees a flipped tile gets a flipped field, so its noise matches that of the neighbouring tiles
    at every place of the plane. It gives tensors (len(boxes) * len(samples), channels,
    *cells), all samples of the first box first.

    Parameters
    ----------
    seed : int
    samples : range
    views : sequence of int
        The number of each sample's flip, see :func:`mirror`.
    boxes : sequence of boxes
        First cell and the one after the last along each axis, in latent cells of the plane.
    channels : int
    """
    ndim = len(boxes[0])

    def noise(step: int) -> Tensor:
        drawn = [
            mirror(torch.from_numpy(cut_field(seed, sample, step + 1, box, channels)), view, ndim)
            for box in boxes
            for sample, view in zip(samples, views, strict=True)
        ]
        return torch.stack(drawn)

    return noise


def cut_field(
    seed: int, sample: int, draw: int, box: tuple[tuple[int, int], ...], channels: int
) -> NDArray[np.float32]:
    """Cut a box out of an endless field of standard normal numbers, (channels, *box). Only the box is computed.

    The field is made of blocks, each from its own counters of Philox (Salmon et al. 2011) under the key
    (seed, sample): the same box holds the same numbers, whatever was cut out before it.
    """
    side = BLOCK[len(box)]
    out = np.empty((channels, *(b - a for a, b in box)), dtype=np.float32)
    for index in product(*(range(a // side, -(-b // side)) for a, b in box)):
        z, y, x = (0,) * (3 - len(index)) + index
        counter = [0, draw, z, y << 32 | x]  # the lowest counts the numbers of this block
        numbers = np.random.Generator(np.random.Philox(key=[seed, sample], counter=counter))
        block = numbers.standard_normal((channels, *[side] * len(box)), dtype=np.float32)
        common = [(max(a, i * side), min(b, (i + 1) * side)) for i, (a, b) in zip(index, box, strict=True)]
        target = tuple(slice(c - a, d - a) for (c, d), (a, _) in zip(common, box, strict=True))
        source = tuple(slice(c - i * side, d - i * side) for (c, d), i in zip(common, index, strict=True))
        out[(slice(None), *target)] = block[(slice(None), *source)]
    return out


def mirror(x: Tensor, view: int, ndim: int) -> Tensor:
    """Flip the last ``ndim`` axes as ``view`` says: bit 0 flips x, bit 1 y, bit 2 z.

    Each is its own inverse. Number 0 is the image itself.
    """
    axes = [-1 - bit for bit in range(ndim) if view >> bit & 1]
    return x.flip(axes) if axes else x
