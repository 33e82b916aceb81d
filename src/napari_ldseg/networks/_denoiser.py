"""The conditional denoiser: a small U-Net on the latent's grid (LDSeg, section III-B)."""

import torch
from torch import Tensor, nn

from ..config import NetworkConfig
from ._blocks import Attention, Norm, ResidualBlock, TimeEmbedding, Upsample, conv, norm, zero


class Level(nn.Module):
    """A residual block under the time embedding, with self-attention where asked for."""

    def __init__(
        self,
        ndim: int,
        inputs: int,
        outputs: int,
        *,
        time: int,
        attention: bool,
        norm: Norm = norm,
        normed_residual: bool = False,
    ):
        super().__init__()
        self.block = ResidualBlock(ndim, inputs, outputs, time=time, norm=norm)
        attend = Attention(ndim, outputs, norm=norm, normed_residual=normed_residual) if attention else nn.Identity()
        self.attention = attend

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """Map (N, inputs, *S) to (N, outputs, *S)."""
        out: Tensor = self.attention(self.block(x, time))
        return out


class Denoiser(nn.Module):
    """Predict noise, clean latent or v from a noisy latent, its timestep and the image's embedding.

    The paper concatenates the embedding to the latent before the first convolution. A convolution of a
    concatenation is the sum of two convolutions, and that of the embedding is the same at every step and for
    every sample: :meth:`condition` computes it once.
    """

    def __init__(self, config: NetworkConfig):
        super().__init__()
        ndim, widths, attention = config.ndim, config.denoiser_widths, config.denoiser_attention
        embedded = config.embedding_channels + (config.latent_channels if config.guess else 0)
        time = 4 * widths[0]
        self.time = TimeEmbedding(time)
        self.condition_in = conv(ndim, embedded, widths[0])
        self.latent_in = conv(ndim, config.latent_channels, widths[0])

        self.down, self.shrink = nn.ModuleList(), nn.ModuleList()
        self.up, self.grow = nn.ModuleList(), nn.ModuleList()
        skips = [widths[0]]
        channels = widths[0]
        for index, (width, attend) in enumerate(zip(widths, attention, strict=True)):
            for _ in range(config.denoiser_blocks):
                self.down.append(Level(ndim, channels, width, time=time, attention=attend))
                channels = width
                skips.append(channels)
            if index < len(widths) - 1:
                self.shrink.append(conv(ndim, channels, channels, stride=2))
        self.middle = nn.ModuleList(
            Level(ndim, channels, channels, time=time, attention=attend) for attend in (True, False)
        )
        for index, (width, attend) in reversed(list(enumerate(zip(widths, attention, strict=True)))):
            for _ in range(config.denoiser_blocks):
                self.up.append(Level(ndim, channels + skips.pop(), width, time=time, attention=attend))
                channels = width
            if index:
                self.grow.append(Upsample(ndim, channels, widths[index - 1]))
                channels = widths[index - 1]
        self.out = nn.Sequential(
            norm(channels + skips[0]), nn.SiLU(), zero(conv(ndim, channels + skips[0], config.latent_channels))
        )
        self.blocks = config.denoiser_blocks

    def condition(self, embedding: Tensor) -> Tensor:
        """Map the embedding (N, E, *S) to its share of the first layer, (N, widths[0], *S)."""
        out: Tensor = self.condition_in(embedding)
        return out

    def forward(self, latent: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        """Map the noisy latent (N, L, *S), timesteps (N,) and the condition to a prediction (N, L, *S)."""
        time = self.time(t)
        h = self.latent_in(latent) + condition
        stem, skips = h, []
        for index, level in enumerate(self.down):
            if index and index % self.blocks == 0:
                h = self.shrink[index // self.blocks - 1](h)
            h = level(h, time)
            skips.append(h)
        for level in self.middle:
            h = level(h, time)
        for index, level in enumerate(self.up):
            if index and index % self.blocks == 0:
                h = self.grow[index // self.blocks - 1](h, skips[-1].shape[2:])
            h = level(torch.cat([h, skips.pop()], dim=1), time)
        out: Tensor = self.out(torch.cat([h, stem], dim=1))
        return out
