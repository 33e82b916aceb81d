"""The prompt encoder: what somebody said about some pixels, on the latent's grid."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import NetworkConfig
from ._blocks import CONVOLUTIONS, Attention, ResidualBlock, conv, zero

SLOPE = 0.1
POOLS = {2: F.max_pool2d, 3: F.max_pool3d}
MEANS = {2: F.avg_pool2d, 3: F.avg_pool3d}
# Cells around a prompted one in which the first guess is corrected in full, and further ones over which that fades.
REACH, FADE = 4, 2


class PromptEncoder(nn.Module):
    """Map a prompt map to its share of the denoiser's first layer, which is zero before it has been trained.

    No layer has a bias, and the activation maps 0 to 0: where nothing is said within reach, nothing is added. So a map
    without any prompt gives exactly what no map gives. A second way sees whether anything was said in a cell at all
    (max-pooling), since a click of one pixel hardly shows after four strided convolutions.
    """

    def __init__(self, config: NetworkConfig):
        super().__init__()
        convolution = CONVOLUTIONS[config.ndim]
        self.factor = config.factor
        self.stages = strided(config)
        self.out = convolution(config.prompt_widths[-1], config.denoiser_widths[0], 3, padding=1, bias=False)
        self.pooled = convolution(config.classes, config.denoiser_widths[0], 3, padding=1, bias=False)
        for last in (self.out, self.pooled):
            nn.init.zeros_(last.weight)

    def forward(self, prompts: Tensor) -> Tensor:
        """Map prompts (N, classes, *S), 1 where a pixel was said to be of a class, to (N, W, *S / factor)."""
        h = prompts
        for stage in self.stages:
            h = F.leaky_relu(stage(h), SLOPE)
        out: Tensor = self.out(h) + self.pooled(POOLS[prompts.ndim - 2](prompts, self.factor))
        return out


class GuessCorrector(nn.Module):
    """Map a prompt map to a correction of the first guess's latent, which is zero before it has been trained.

    It reads the prompts together with what the denoiser knows of the image, since what a click means depends on what
    lies there. Its output fades away from the prompts: further than six cells from all of them, and so where nothing is
    said, it is exactly zero. The denoiser, which trusts the guess, follows it.
    """

    def __init__(self, config: NetworkConfig):
        super().__init__()
        ndim, latent, wide = config.ndim, config.latent_channels, 3 * config.denoiser_widths[0] // 2
        self.factor = config.factor
        self.stages = strided(config)
        self.enter = conv(ndim, config.denoiser_widths[0] + latent + config.prompt_widths[-1], wide)
        self.said = CONVOLUTIONS[ndim](2 * config.classes, wide, 3, padding=1, bias=False)
        self.blocks = nn.ModuleList(ResidualBlock(ndim, wide, wide) for _ in range(config.prompt_blocks))
        self.attention = Attention(ndim, wide)
        self.out = zero(conv(ndim, wide, latent))

    def forward(self, prompts: Tensor, condition: Tensor) -> Tensor:
        """Map prompts (N, classes, *S) and the condition (N, W + L, *cells) to a correction (N, L, *cells)."""
        h = prompts
        for stage in self.stages:
            h = F.leaky_relu(stage(h), SLOPE)
        said = POOLS[prompts.ndim - 2](prompts, self.factor)
        planes = torch.stack([said, around(said)], dim=2).flatten(1, 2)
        h = self.enter(torch.cat([condition, h], dim=1)) + self.said(planes)
        for index, block in enumerate(self.blocks):
            h = block(self.attention(h) if index == len(self.blocks) // 2 else h)
        out: Tensor = self.out(F.silu(h)) * faded(said)
        return out

    def near(self, prompts: Tensor) -> Tensor:
        """Return (N, 1, *cells): how far a cell's guess can be corrected, 1 near prompts (N, classes, *S), else 0."""
        return faded(POOLS[prompts.ndim - 2](prompts, self.factor))


def strided(config: NetworkConfig) -> nn.ModuleList:
    """Return the convolutions without bias that bring prompts to the latent's grid."""
    convolution, widths = CONVOLUTIONS[config.ndim], (config.classes, *config.prompt_widths)
    stages = [convolution(a, b, 3, stride=2, padding=1, bias=False) for a, b in pairwise(widths)]
    for stage in stages:
        nn.init.kaiming_normal_(stage.weight, a=SLOPE)
    return nn.ModuleList(stages)


def around(said: Tensor) -> Tensor:
    """Return planes (N, classes, *cells): 1 in cells that a prompt of the class reaches in full."""
    return POOLS[said.ndim - 2](said, 2 * REACH + 1, stride=1, padding=REACH)


def faded(said: Tensor) -> Tensor:
    """Return (N, 1, *cells): 1 near prompted cells (N, classes, *cells), then falling to exactly 0."""
    ndim = said.ndim - 2
    close = F.pad(around(said.amax(dim=1, keepdim=True)), (FADE,) * (2 * ndim), mode="replicate")
    return MEANS[ndim](close, 2 * FADE + 1, stride=1)
