"""The networks of the authors' TensorFlow implementation, in 2D and 3D, with the interface of ours.

TensorFlow differs from PyTorch in two things: its epsilons are 1e-3, and its "same" padding, with stride 2 on an even
grid, adds no cell before the first and one after the last.
"""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import AuthorsConfig
from ._blocks import CONVOLUTIONS, EPSILON, Attention, BatchNorm, TimeEmbedding, Upsample, conv
from ._denoiser import Level

DROPOUT = 0.2
TRANSPOSED: dict[int, type[nn.ConvTranspose2d] | type[nn.ConvTranspose3d]] = {
    2: nn.ConvTranspose2d,
    3: nn.ConvTranspose3d,
}
POOLS: dict[int, type[nn.MaxPool2d] | type[nn.MaxPool3d]] = {2: nn.MaxPool2d, 3: nn.MaxPool3d}


def group_norm(channels: int, groups: int = 4) -> nn.GroupNorm:
    """Return the group-norm of the authors' implementation: four groups, epsilon 1e-3."""
    return nn.GroupNorm(math.gcd(groups, channels), channels, eps=EPSILON)


def attention_norm(channels: int) -> nn.GroupNorm:
    """Return the group-norm of the image encoder's attentions, with eight groups."""
    return group_norm(channels, 8)


class Pad(nn.Module):
    """Add one zero after the last cell of each axis, as "same" padding does where it cannot be symmetric."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, *S) to (N, C, *S + 1)."""
        return F.pad(x, (0, 1) * (x.ndim - 2))


def shrink(ndim: int, channels: int, kind: str) -> nn.Module:
    """Return a layer that halves an even grid: max-pooling, or a convolution with stride 2 and "same" padding."""
    if kind == "pool":
        return POOLS[ndim](2)
    return nn.Sequential(Pad(), CONVOLUTIONS[ndim](channels, channels, 3, stride=2))


class Transposed(nn.Module):
    """Transposed convolution to twice the grid; as "same" padding does, it drops the last row of the full result."""

    def __init__(self, ndim: int, inputs: int, outputs: int):
        super().__init__()
        self.conv = TRANSPOSED[ndim](inputs, outputs, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs, *S) to (N, outputs, *2 S)."""
        out: Tensor = self.conv(x)[(..., *[slice(-1)] * (x.ndim - 2))]
        return out


class MaskBlock(nn.Module):
    """Residual block of the mask autoencoder: batch-norm after each convolution, swish after the sum."""

    def __init__(self, ndim: int, inputs: int, outputs: int):
        super().__init__()
        self.main = nn.Sequential(
            conv(ndim, inputs, outputs),
            BatchNorm(outputs),
            nn.SiLU(),
            conv(ndim, outputs, outputs),
            BatchNorm(outputs),
            nn.Dropout(DROPOUT),
        )
        self.shortcut = nn.Sequential(conv(ndim, inputs, outputs, kernel=1), BatchNorm(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs, *S) to (N, outputs, *S)."""
        return F.silu(self.main(x) + self.shortcut(x))


class ImageBlock(nn.Module):
    """Residual block of the image encoder: two activated convolutions, no norm, swish after the sum."""

    def __init__(self, ndim: int, inputs: int, outputs: int, groups: int):
        super().__init__()
        self.main = nn.Sequential(
            nn.SiLU(),
            CONVOLUTIONS[ndim](inputs, outputs, 3, padding=1, groups=groups),
            nn.Dropout(DROPOUT),
            nn.SiLU(),
            CONVOLUTIONS[ndim](outputs, outputs, 3, padding=1, groups=groups),
        )
        self.shortcut = conv(ndim, inputs, outputs, kernel=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs, *S) to (N, outputs, *S)."""
        return F.silu(self.main(x) + self.shortcut(x))


class AuthorsMaskEncoder(nn.Module):
    """Map class probabilities to the latent m0, layer-normalised over the whole latent with a scale for each cell.

    The authors' encoder reads class indices (0, 1, 2, ...) as one channel of numbers. Our masks are class
    probabilities, usually one-hot, and their expected class is that index.
    """

    def __init__(self, config: AuthorsConfig):
        super().__init__()
        ndim, widths = config.ndim, config.mask_widths
        self.blocks = nn.ModuleList(MaskBlock(ndim, a, b) for a, b in pairwise((1, *widths)))
        self.downs = nn.ModuleList(shrink(ndim, width, config.mask_down) for width in widths[:-1])
        head = conv(ndim, widths[-1], config.latent_channels, kernel=config.mask_head)
        self.head = head
        if config.mask_head == 2:
            head.padding = (0,) * ndim
        self.pad = Pad() if config.mask_head == 2 else nn.Identity()
        self.norm = nn.LayerNorm((config.latent_channels, *config.cells), eps=EPSILON)

    def forward(self, masks: Tensor) -> Tensor:
        """Map (N, classes, *S) to (N, latent_channels, *cells)."""
        classes = torch.arange(masks.shape[1], device=masks.device, dtype=masks.dtype)
        h = torch.einsum("nc...,c->n...", masks, classes)[:, None]  # (N, 1, *S)
        h = self.blocks[0](h)
        for down, block in zip(self.downs, self.blocks[1:], strict=True):
            h = block(down(h))
        latent: Tensor = self.norm(self.head(self.pad(h)))
        return latent


class AuthorsMaskDecoder(nn.Module):
    """Map a latent to class logits, which are batch-normalised."""

    def __init__(self, config: AuthorsConfig):
        super().__init__()
        ndim, widths = config.ndim, config.decoder_widths
        grow = Transposed if config.decoder_up == "transpose" else Upsample
        self.stages = nn.Sequential(
            *(
                nn.Sequential(grow(ndim, a, b), MaskBlock(ndim, b, b))
                for a, b in pairwise((config.latent_channels, *widths))
            )
        )
        self.head = nn.Sequential(
            nn.SiLU(), conv(ndim, widths[-1], config.classes, kernel=1), BatchNorm(config.classes)
        )

    def forward(self, latent: Tensor) -> Tensor:
        """Map (N, latent_channels, *cells) to logits (N, classes, *S)."""
        logits: Tensor = self.head(self.stages(latent))
        return logits


class AuthorsImageEncoder(nn.Module):
    """Map an image to an embedding on the latent's grid. There is no auxiliary head."""

    def __init__(self, config: AuthorsConfig):
        super().__init__()
        ndim, widths, channels = config.ndim, config.image_widths, config.embedding_channels
        self.stem = conv(ndim, config.image_channels, config.image_stem)
        self.stages = nn.Sequential(
            *(
                nn.Sequential(
                    ImageBlock(ndim, a, b, config.image_groups),
                    shrink(ndim, b, config.image_down),
                    group_norm(b),
                    Attention(ndim, b, heads, norm=attention_norm) if heads else nn.Identity(),
                )
                for (a, b), heads in zip(pairwise((config.image_stem, *widths)), config.image_heads, strict=True)
            )
        )
        self.head = conv(ndim, widths[-1], channels, kernel=config.image_head)
        self.out = nn.Sequential(
            Attention(ndim, channels, config.embedding_heads, norm=attention_norm)
            if config.embedding_heads
            else nn.Identity(),
            nn.SiLU() if config.embedding_swish else nn.Identity(),
            BatchNorm(channels),
        )

    def forward(self, image: Tensor) -> tuple[Tensor, None]:
        """Map (N, image_channels, *S), values 0 to 1, to the embedding (N, embedding_channels, *cells)."""
        return self.out(self.head(self.stages(self.stem(image)))), None


class AuthorsDenoiser(nn.Module):
    """Predict the noise from a noisy latent, its timestep and the image's embedding.

    It is our denoiser with other skips (``denoiser_skips``) and widths. The authors concatenate latent and embedding;
    here, as in ours, the embedding's share of the first convolution is computed once.
    """

    def __init__(self, config: AuthorsConfig):
        super().__init__()
        ndim, widths, attention = config.ndim, config.denoiser_widths, config.denoiser_attention
        self.all_skips = config.denoiser_skips == "all"
        self.blocks = config.denoiser_blocks
        self.ups = self.blocks + self.all_skips
        self.time = TimeEmbedding(config.time_channels)
        self.latent_in = conv(ndim, config.latent_channels, config.denoiser_stem)
        self.condition_in = CONVOLUTIONS[ndim](
            config.embedding_channels, config.denoiser_stem, 3, padding=1, bias=False
        )

        def level(inputs: int, outputs: int, attend: bool) -> Level:
            return Level(
                ndim,
                inputs,
                outputs,
                time=config.time_channels,
                attention=attend,
                norm=group_norm,
                normed_residual=True,
            )

        self.down, self.shrink = nn.ModuleList(), nn.ModuleList()
        self.up, self.grow = nn.ModuleList(), nn.ModuleList()
        channels, skips = config.denoiser_stem, [config.denoiser_stem] * self.all_skips
        for index, (width, attend) in enumerate(zip(widths, attention, strict=True)):
            if index:
                self.shrink.append(shrink(ndim, channels, "conv"))
                skips += [channels] * self.all_skips
            for _ in range(self.blocks):
                self.down.append(level(channels, width, attend))
                channels = width
                skips.append(channels)
        self.middle = nn.ModuleList(level(channels, channels, attend) for attend in (True, False))
        for index, (width, attend) in reversed(list(enumerate(zip(widths, attention, strict=True)))):
            for _ in range(self.ups):
                self.up.append(level(channels + skips.pop(), width, attend))
                channels = width
            if index:
                self.grow.append(Upsample(ndim, channels, channels))
        self.out = nn.Sequential(group_norm(channels), nn.SiLU(), conv(ndim, channels, config.latent_channels))

    def condition(self, embedding: Tensor) -> Tensor:
        """Map the embedding (N, E, *cells) to its share of the first layer, (N, stem, *cells)."""
        out: Tensor = self.condition_in(embedding)
        return out

    def forward(self, latent: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        """Map the noisy latent (N, L, *cells), timesteps (N,) and the condition to the noise (N, L, *cells)."""
        time = self.time(t)
        h = self.latent_in(latent) + condition
        skips = [h] * self.all_skips
        for index, level in enumerate(self.down):
            if index and index % self.blocks == 0:
                h = self.shrink[index // self.blocks - 1](h)
                skips += [h] * self.all_skips
            h = level(h, time)
            skips.append(h)
        for level in self.middle:
            h = level(h, time)
        for index, level in enumerate(self.up):
            if index and index % self.ups == 0:
                h = self.grow[index // self.ups - 1](h)
            h = level(torch.cat([h, skips.pop()], dim=1), time)
        out: Tensor = self.out(h)
        return out
