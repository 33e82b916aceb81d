"""The image encoder: what the denoiser knows of the image (LDSeg, section III-B)."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from ..config import NetworkConfig
from ._blocks import Attention, ResidualBlock, Upsample, conv, norm, pixel_shuffle, pixel_unshuffle
from ._efficientnet import EfficientNetLite, stage_widths
from ._mask_autoencoder import Stage

HEAD_WIDTH = 32


class ImageEncoder(nn.Module):
    """Map an image to an embedding on the latent's grid, and to a first-guess mask if the config asks for one.

    The paper's encoder only goes down (``image_refine=0``). Each refinement climbs back one stage with a skip,
    as a U-Net does (Ronneberger et al. 2015); the finer features are then folded into channels of the latent's
    grid, so that one cell can carry a sharp outline. The first guess is an ordinary deterministic segmentation
    read off the same features; its latent is a second condition for the denoiser.

    With ``image_backbone`` an EfficientNet-Lite goes down instead, to 1/32; ``image_widths`` are those of the climb.
    """

    def __init__(self, config: NetworkConfig):
        super().__init__()
        ndim, widths, drop = config.ndim, config.image_widths, config.dropout
        self.stages = nn.ModuleList()
        self.backbone: EfficientNetLite | None = None
        if config.image_backbone is None:
            inputs = (config.image_channels, *widths)
            self.stages.extend(
                Stage(ndim, a, b, blocks=config.image_blocks, dropout=drop)
                for a, b in zip(inputs, widths, strict=False)
            )
            found = widths
        else:
            self.backbone = EfficientNetLite(ndim, config.image_channels, config.image_backbone, drop)
            found = stage_widths(config.image_backbone)
        finest = config.downsamplings - config.image_refine - 1
        skips = found[finest:][::-1]
        refined = (skips[0], *widths[finest : len(found) - 1][::-1])
        self.attention = Attention(ndim, skips[0]) if config.image_attention else nn.Identity()
        self.climbs = nn.ModuleList(Upsample(ndim, a, b, kernel=1) for a, b in pairwise(refined))
        self.merges = nn.ModuleList(
            ResidualBlock(ndim, b + skip, b, dropout=drop) for b, skip in zip(refined[1:], skips[1:], strict=True)
        )
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
        if self.backbone is not None:
            skips = self.backbone(h)
        h = self.attention(skips.pop())
        for climb, merge in zip(self.climbs, self.merges, strict=True):
            skip = skips.pop()
            h = merge(torch.cat([climb(h, skip.shape[2:]), skip], dim=1))
        h = self.out(h)
        embedding: Tensor = self.head(pixel_unshuffle(h, self.folded))
        return embedding, None if self.guess is None else pixel_shuffle(self.guess(h), self.cell)
