"""The mask autoencoder: a Res-UNet without skips (LDSeg, section III-A)."""

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from ..config import NetworkConfig
from ._blocks import ResidualBlock, Upsample, conv, norm, pixel_shuffle


class Stage(nn.Sequential):
    """One down-sampling: a strided convolution, then residual blocks on the halved grid."""

    def __init__(self, ndim: int, inputs: int, outputs: int, *, blocks: int = 1, dropout: float = 0.0):
        super().__init__(
            conv(ndim, inputs, outputs, stride=2),
            *(ResidualBlock(ndim, outputs, outputs, dropout=dropout) for _ in range(blocks)),
        )


class MaskEncoder(nn.Module):
    """Map class probabilities (usually one-hot) to the latent m0, layer-normalised at the end.

    The paper normalises over the whole latent (``latent_norm="layer"``). ``"channel"`` normalises each cell over
    its channels, so that a cell does not depend on how much image lies around it. Neither has learned scales, so
    m0 has mean 0 and variance 1, as the forward process wants it.
    """

    def __init__(self, config: NetworkConfig):
        super().__init__()
        ndim = config.ndim
        self.latent_norm = config.latent_norm
        widths = (config.classes, *config.mask_widths)
        self.stages = nn.Sequential(*(Stage(ndim, a, b) for a, b in pairwise(widths)))
        self.head = nn.Sequential(norm(widths[-1]), nn.SiLU(), conv(ndim, widths[-1], config.latent_channels, kernel=1))

    def forward(self, masks: Tensor) -> Tensor:
        """Map (N, classes, *S) to (N, latent_channels, *S / factor)."""
        latent: Tensor = self.head(self.stages(masks))
        if self.latent_norm == "layer":
            return F.layer_norm(latent, latent.shape[1:])
        return F.layer_norm(latent.movedim(1, -1), latent.shape[1:2]).movedim(-1, 1)


class MaskDecoder(nn.Module):
    """Map a latent to class logits; the last up-samplings may be one pixel shuffle (Shi et al. 2016)."""

    def __init__(self, config: NetworkConfig):
        super().__init__()
        ndim, widths = config.ndim, config.decoder_widths
        self.shuffle = 2**config.decoder_shuffle
        self.stem = conv(ndim, config.latent_channels, widths[0])
        self.block = ResidualBlock(ndim, widths[0], widths[0])
        self.stages = nn.Sequential(
            *(
                nn.Sequential(Upsample(ndim, a, b), ResidualBlock(ndim, b, b))
                for a, b in zip((widths[0], *widths), widths, strict=False)
            )
        )
        self.head = nn.Sequential(
            norm(widths[-1]), nn.SiLU(), conv(ndim, widths[-1], config.classes * self.shuffle**ndim)
        )

    def forward(self, latent: Tensor) -> Tensor:
        """Map (N, latent_channels, *S / factor) to logits (N, classes, *S)."""
        h = self.head(self.stages(self.block(self.stem(latent))))
        return pixel_shuffle(h, self.shuffle)
