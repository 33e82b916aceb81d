"""The parts that all networks are made of, written once for two and three dimensions."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Of TensorFlow, where the authors' release and EfficientNet-Lite were trained.
EPSILON = 1e-3
MOMENTUM = 0.01
CONVOLUTIONS: dict[int, type[nn.Conv2d] | type[nn.Conv3d]] = {2: nn.Conv2d, 3: nn.Conv3d}


def conv(ndim: int, inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1) -> nn.Conv2d | nn.Conv3d:
    """Return a convolution with "same" padding; with ``stride`` 2 it halves an even grid."""
    return CONVOLUTIONS[ndim](inputs, outputs, kernel, stride=stride, padding=kernel // 2)


class GroupNorm(nn.GroupNorm):
    """Group-norm (Wu & He 2018) that computes in float32 under autocast, too.

    On CPUs PyTorch's own takes four times as long in bfloat16 with channels last, casts included, and rounds more.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, *S) to the same shape."""
        return super().forward(x.float() if x.dtype == torch.bfloat16 and x.device.type == "cpu" else x)


def norm(channels: int) -> nn.GroupNorm:
    """Return a group-norm over up to eight groups: independent of the batch."""
    return GroupNorm(math.gcd(8, channels), channels)


Norm = Callable[[int], nn.Module]


def zero(module: nn.Conv2d | nn.Conv3d) -> nn.Conv2d | nn.Conv3d:
    """Return the convolution with zero weights, so that its residual branch starts as the identity."""
    nn.init.zeros_(module.weight)
    if module.bias is not None:
        nn.init.zeros_(module.bias)
    return module


def pixel_unshuffle(x: Tensor, factor: int) -> Tensor:
    """Move blocks of ``factor`` pixels a side into channels: (N, C, *S) to (N, C * factor**ndim, *S / factor)."""
    ndim = x.ndim - 2
    n, c, *shape = x.shape
    split = [size for side in shape for size in (side // factor, factor)]
    x = x.reshape(n, c, *split)  # (N, C, z, f, y, f, x, f)
    cells, inner = range(2, 2 + 2 * ndim, 2), range(3, 3 + 2 * ndim, 2)
    x = x.permute(0, 1, *inner, *cells)
    return x.reshape(n, c * factor**ndim, *(side // factor for side in shape))


def pixel_shuffle(x: Tensor, factor: int) -> Tensor:
    """Undo :func:`pixel_unshuffle` (the pixel shuffle of Shi et al. 2016, in any dimension)."""
    ndim = x.ndim - 2
    n, c, *shape = x.shape
    x = x.reshape(n, c // factor**ndim, *[factor] * ndim, *shape)  # (N, C, f, f, f, z, y, x)
    order = [axis for d in range(ndim) for axis in (2 + ndim + d, 2 + d)]
    return x.permute(0, 1, *order).reshape(n, c // factor**ndim, *(side * factor for side in shape))


class BatchNorm(nn.Module):
    """Batch-norm (Ioffe & Szegedy 2015) of any dimension, with Keras' epsilon and momentum.

    Unlike ``torch.nn.BatchNorm2d`` it stores no count of batches, so that a model's tensors are all floats.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, *S) to the same shape."""
        mean, variance = self.get_buffer("mean"), self.get_buffer("variance")
        return F.batch_norm(x, mean, variance, self.weight, self.bias, self.training, MOMENTUM, EPSILON)


class ResidualBlock(nn.Module):
    """Pre-activation residual block (He et al. 2016), optionally shifted by a time embedding."""

    def __init__(self, ndim: int, inputs: int, outputs: int, *, time: int = 0, dropout: float = 0.0, norm: Norm = norm):
        super().__init__()
        self.first = nn.Sequential(norm(inputs), nn.SiLU(), conv(ndim, inputs, outputs))
        self.time = nn.Linear(time, outputs) if time else None
        self.second = nn.Sequential(norm(outputs), nn.SiLU(), nn.Dropout(dropout), zero(conv(ndim, outputs, outputs)))
        self.shortcut = nn.Identity() if inputs == outputs else conv(ndim, inputs, outputs, kernel=1)

    def forward(self, x: Tensor, time: Tensor | None = None) -> Tensor:
        """Map (N, inputs, *S) and the activated time embedding (N or 1, time) to (N, outputs, *S)."""
        h = self.first(x)
        if self.time is not None and time is not None:
            h = h + self.time(time).reshape(-1, h.shape[1], *[1] * (h.ndim - 2))
        out: Tensor = self.shortcut(x) + self.second(h)
        return out


class Attention(nn.Module):
    """Self-attention over all cells with a residual (Vaswani et al. 2017), single head by default.

    With ``normed_residual`` it is the normalised input, not the raw one, that the result is added to.
    """

    def __init__(self, ndim: int, channels: int, heads: int = 1, *, norm: Norm = norm, normed_residual: bool = False):
        super().__init__()
        self.heads = heads
        self.normed_residual = normed_residual
        self.norm = norm(channels)
        self.qkv = conv(ndim, channels, 3 * channels, kernel=1)
        self.project = zero(conv(ndim, channels, channels, kernel=1))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, *S) to the same shape."""
        n, c = x.shape[:2]
        normed = self.norm(x)
        qkv = self.qkv(normed).reshape(n, 3, self.heads, c // self.heads, -1)
        q, k, v = qkv.transpose(-1, -2).unbind(1)  # each (N, heads, cells, C / heads)
        h = F.scaled_dot_product_attention(q, k, v)
        h = h.transpose(-1, -2).reshape(x.shape)
        out: Tensor = (normed if self.normed_residual else x) + self.project(h)
        return out


class Upsample(nn.Module):
    """Nearest-neighbour up-sampling to a given grid, then a convolution (no checkerboard; Odena et al. 2016).

    With ``kernel`` 1 the convolution comes first, since it then commutes with the up-sampling.
    """

    def __init__(self, ndim: int, inputs: int, outputs: int, *, kernel: int = 3):
        super().__init__()
        self.conv = conv(ndim, inputs, outputs, kernel=kernel)

    def forward(self, x: Tensor, shape: torch.Size | tuple[int, ...] | None = None) -> Tensor:
        """Map (N, inputs, *S) to (N, outputs, *shape); twice the grid if no shape is given."""
        shape = tuple(shape) if shape is not None else tuple(2 * side for side in x.shape[2:])
        if self.conv.kernel_size[0] == 1:
            return F.interpolate(self.conv(x), size=shape, mode="nearest")
        out: Tensor = self.conv(F.interpolate(x, size=shape, mode="nearest"))
        return out


class TimeEmbedding(nn.Module):
    """Sinusoidal features of the timestep (Ho et al. 2020, after Vaswani et al. 2017) and a small perceptron."""

    def __init__(self, channels: int):
        super().__init__()
        half = channels // 2
        self.register_buffer(
            "frequencies", torch.exp(-math.log(1e4) * torch.arange(half) / max(half - 1, 1)), persistent=False
        )
        self.mlp = nn.Sequential(nn.Linear(2 * half, channels), nn.SiLU(), nn.Linear(channels, channels), nn.SiLU())

    def forward(self, t: Tensor) -> Tensor:
        """Map timesteps (N,) on the scale 0 to 1000 to activated features (N, channels)."""
        angles = t.float()[:, None] * self.get_buffer("frequencies")
        out: Tensor = self.mlp(torch.cat([angles.sin(), angles.cos()], dim=1))
        return out
