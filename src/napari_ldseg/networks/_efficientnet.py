"""EfficientNet-Lite (Tan & Le 2019, without squeeze-and-excitation) as the image encoder's way down.

It is here because weights that were trained on ImageNet can be had for it under a free licence
(:func:`napari_ldseg.checkpoints.load_backbone`). Paddings and epsilons are those of TensorFlow, where they come from.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ._blocks import CONVOLUTIONS, BatchNorm

STEM = 32
# Kernel, stride, expansion, width and number of blocks of each group (Tan & Le 2019, table 1).
GROUPS = ((3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (5, 2, 6, 40, 2), (3, 2, 6, 80, 3), (5, 1, 6, 112, 3), (5, 2, 6, 192, 4),
          (3, 1, 6, 320, 1))  # fmt: skip
# How much wider and deeper than that each variant is. The depth of the first and the last group stays.
SCALES = {"efficientnet-lite0": (1.0, 1.0), "efficientnet-lite1": (1.0, 1.1), "efficientnet-lite2": (1.1, 1.2)}


class SameConv(nn.Module):
    """A convolution with TensorFlow's "same" padding: what cannot be shared evenly goes after the last cell."""

    def __init__(self, ndim: int, inputs: int, outputs: int, *, kernel: int, stride: int = 1, groups: int = 1):
        super().__init__()
        self.kernel, self.stride = kernel, stride
        padding = kernel // 2 if stride == 1 else 0
        self.conv = CONVOLUTIONS[ndim](
            inputs, outputs, kernel, stride=stride, padding=padding, groups=groups, bias=False
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs, *S) to (N, outputs, *ceil(S / stride))."""
        if self.stride > 1:
            short = [max((math.ceil(n / self.stride) - 1) * self.stride + self.kernel - n, 0) for n in x.shape[2:]]
            x = F.pad(x, [part for n in reversed(short) for part in (n // 2, n - n // 2)])
        out: Tensor = self.conv(x)
        return out


class InvertedBottleneck(nn.Module):
    """Expand, filter each channel, project (MobileNetV2, Sandler et al. 2018), with a residual where shapes allow.

    While training, the branch is left out at random for some images (stochastic depth, Huang et al. 2016).
    """

    def __init__(
        self, ndim: int, inputs: int, outputs: int, *, kernel: int, stride: int, expansion: int, drop: float = 0.0
    ):
        super().__init__()
        wide = inputs * expansion
        layers: list[nn.Module] = []
        if expansion > 1:
            layers += [SameConv(ndim, inputs, wide, kernel=1), BatchNorm(wide), nn.ReLU6()]
        layers += [SameConv(ndim, wide, wide, kernel=kernel, stride=stride, groups=wide), BatchNorm(wide), nn.ReLU6()]
        layers += [SameConv(ndim, wide, outputs, kernel=1), BatchNorm(outputs)]
        self.layers = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs
        self.drop = drop

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs, *S) to (N, outputs, *ceil(S / stride))."""
        h: Tensor = self.layers(x)
        if not self.residual:
            return h
        if self.training and self.drop:
            kept = torch.rand(len(x), *[1] * (x.ndim - 1), device=x.device) >= self.drop
            h = h * kept / (1 - self.drop)
        return x + h


class EfficientNetLite(nn.Module):
    """The features of an EfficientNet-Lite after each of its five halvings.

    Parameters
    ----------
    ndim : int
    channels : int
        Of the image.
    variant : str
        Key of ``SCALES``.
    drop : float
        Stochastic depth: how often the last block is left out; earlier ones less, in proportion.
    """

    def __init__(self, ndim: int, channels: int, variant: str, drop: float = 0.0):
        super().__init__()
        self.variant = variant
        self.stem = nn.Sequential(SameConv(ndim, channels, STEM, kernel=3, stride=2), BatchNorm(STEM), nn.ReLU6())
        groups = scaled_groups(variant)
        total, inputs = sum(group[4] for group in groups), STEM
        self.blocks = nn.ModuleList()
        for kernel, stride, expansion, width, repeats in groups:
            for index in range(repeats):
                self.blocks.append(
                    InvertedBottleneck(
                        ndim,
                        inputs,
                        width,
                        kernel=kernel,
                        stride=stride if index == 0 else 1,
                        expansion=expansion,
                        drop=drop * len(self.blocks) / total,
                    )
                )
                inputs = width
        strides = [stride if index == 0 else 1 for _, stride, _, _, n in groups for index in range(n)]
        # A stage ends where the next block halves the grid, and at the end.
        self.ends = {index for index in range(total) if index == total - 1 or strides[index + 1] == 2}

    def forward(self, image: Tensor) -> list[Tensor]:
        """Map (N, channels, *S), values -1 to 1, to features at 1/2, 1/4, 1/8, 1/16 and 1/32, finest first."""
        h = self.stem(image)
        features: list[Tensor] = []
        for index, block in enumerate(self.blocks):
            h = block(h)
            if index in self.ends:
                features.append(h)
        return features


def scaled_groups(variant: str) -> list[tuple[int, int, int, int, int]]:
    """Return kernel, stride, expansion, width and number of blocks of each group of a variant."""
    wider, deeper = SCALES[variant]
    last = len(GROUPS) - 1
    return [
        (kernel, stride, expansion, _rounded(width * wider), n if index in (0, last) else math.ceil(n * deeper))
        for index, (kernel, stride, expansion, width, n) in enumerate(GROUPS)
    ]


def stage_widths(variant: str) -> tuple[int, ...]:
    """Return the channels of the five features, finest first."""
    groups = scaled_groups(variant)
    return tuple(
        group[3] for group, after in zip(groups, [*groups[1:], None], strict=True) if after is None or after[1] == 2
    )


def _rounded(width: float) -> int:
    """Return the nearest multiple of 8, not below 90 % of the width (Tan & Le's rule)."""
    nearest = max(8, int(width + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * width else nearest + 8
