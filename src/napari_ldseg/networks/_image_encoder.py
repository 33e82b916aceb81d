"""The image encoder: what the denoiser knows of the image (LDSeg, section III-B)."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from ..config import NetworkConfig
from ._blocks import Attention, ResidualBlock, Upsample, conv, fold, norm, unfold
from ._mask_autoencoder import Stage

HEAD_WIDTH = 32


class ImageEncoder(nn.Module):
    """Map an image to an embedding on the latent's grid, and to a first-guess mask if the config asks for one.

    The paper's encoder only goes down (``image_refine=0``). Each refinement climbs back one stage with a skip,
    as a U-Net does (Ronneberger et al. 2015); the finer features are then folded into channels of the latent's
    grid, so that one cell can carry a sharp outline. The first guess is an ordinary deterministic segmentation
    read off the same features; its latent is a second condition for the denoiser.
    """

    def __init__(self, config: NetworkConfig):
        super().__init__()
        ndim, widths, drop = config.ndim, config.image_widths, config.dropout
        inputs = (config.image_channels, *widths)
        self.stages = nn.ModuleList(
            Stage(ndim, a, b, blocks=config.image_blocks, dropout=drop) for a, b in zip(inputs, widths, strict=False)
        )
        self.attention = Attention(ndim, widths[-1]) if config.image_attention else nn.Identity()
        refined = widths[::-1][: config.image_refine + 1]
        self.climbs = nn.ModuleList(Upsample(ndim, a, b, kernel=1) for a, b in pairwise(refined))
        self.merges = nn.ModuleList(ResidualBlock(ndim, 2 * b, b, dropout=drop) for b in refined[1:])
        self.folded = 2**config.image_refine
        self.out = nn.Sequential(norm(refined[-1]), nn.SiLU())
        self.head = conv(ndim, refined[-1] * self.folded**ndim, config.embedding_channels, kernel=1)
        self.cell = 2 ** (config.downsamplings - config.image_refine)
        self.guess = (
            nn.Sequential(
                conv(ndim, refined[-1], HEAD_WIDTH),
                nn.SiLU(),
                conv(ndim, HEAD_WIDTH, config.classes * self.cell**ndim, kernel=1),
            )
            if config.guess
            else None
        )

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor | None]:
        """Map (N, image_channels, *S) to the embedding (N, embedding_channels, *S / factor) and guess logits.

        The image's values are about 0 to 1. The logits of the first guess are (N, classes, *S), or None where the
        config has no ``guess``.
        """
        skips: list[Tensor] = []
        h = 2 * image - 1
        for stage in self.stages:
            h = stage(h)
            skips.append(h)
        h = self.attention(skips.pop())
        for climb, merge in zip(self.climbs, self.merges, strict=True):
            skip = skips.pop()
            h = merge(torch.cat([climb(h, skip.shape[2:]), skip], dim=1))
        h = self.out(h)
        embedding: Tensor = self.head(fold(h, self.folded))
        return embedding, None if self.guess is None else unfold(self.guess(h), self.cell)
