"""What each of the two stages minimises.

Masks hold the share of each class in each pixel; where a pixel is annotated in part or not at all, the shares sum to
less than 1, and what is missing is its weight in every loss.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..config import TrainConfig
from ..diffusion import alpha_bar, noisy, training_target
from ..networks import LDSeg
from ._distributed import own, pooled, world


@dataclass(frozen=True)
class Batch:
    """A batch of crops.

    Attributes
    ----------
    images : (N, image_channels, *S)
    masks : (N, classes, *S)
        Annotated shares.
    complete : (N, classes, *S)
        The masks with what nobody annotated filled in, so that they sum to 1 (:mod:`._partial`); else the masks.
    """

    images: Tensor
    masks: Tensor
    complete: Tensor


def annotated(masks: Tensor) -> Tensor:
    """Return the annotated share of each pixel, (N, 1, *S)."""
    return masks.sum(dim=1, keepdim=True).clamp(max=1)


def cross_entropy(logits: Tensor, masks: Tensor) -> Tensor:
    """Multi-class cross-entropy (LDSeg eq. 8) of logits (N, C, *S) against soft masks (N, C, *S).

    The mean over the annotated pixels.
    """
    total = pooled(-(masks * logits.log_softmax(dim=1)).sum())
    return total / pooled(masks.sum()).clamp_min(1e-6)


def dice_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Soft Dice loss (Milletari et al. 2016) over the foreground classes, pooled over the batch's annotated pixels."""
    axes = (0, *range(2, logits.ndim))
    probabilities = logits.softmax(dim=1) * annotated(masks)
    overlap = pooled((probabilities * masks).sum(dim=axes))[1:]
    total = pooled((probabilities + masks).sum(dim=axes))[1:]
    return 1 - ((2 * overlap + 1) / (total + 1)).mean()


def weighted_mse(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Mean squared error (N, C, *S), each cell weighted by ``weight`` (N, 1, *S)."""
    total = pooled((weight * (output.float() - target.float()) ** 2).sum())
    return total / pooled(weight.sum() * output.shape[1]).clamp_min(1e-6)


def autoencoder_loss(model: LDSeg, batch: Batch, config: TrainConfig, generator: torch.Generator) -> Tensor:
    """LDSeg eq. 8 on masks that went through the latent; the decoder sees it with a little noise."""
    latent = model.encode(batch.complete)
    return cross_entropy(model.decode(latent + config.latent_noise * own_noise(latent, generator)), batch.masks)


def denoiser_loss(model: LDSeg, batch: Batch, config: TrainConfig, generator: torch.Generator) -> Tensor:
    """LDSeg eq. 9, for several timesteps of each embedded image, plus the loss on the first-guess mask.

    The timesteps of a batch are spread evenly over [0, T), shifted at random, which lowers the variance of the
    loss (Kingma et al. 2021, appendix I). A cell of the latent counts by its annotated share.
    """
    diffusion, repeats = model.config.diffusion, config.timesteps_per_image
    with torch.no_grad():
        clean = model.encode(batch.complete).repeat_interleave(repeats, dim=0)
    cells = F.interpolate(annotated(batch.masks), size=clean.shape[2:], mode="area").repeat_interleave(repeats, dim=0)
    embedding, guess = model.embed(batch.images)
    condition = model.condition(embedding).repeat_interleave(repeats, dim=0)
    n = len(clean) * world()
    t = own((torch.randperm(n, generator=generator) + torch.rand(1, generator=generator)) / n)
    t = t * (diffusion.timesteps - 1)
    abar = alpha_bar(t, diffusion.schedule, diffusion.timesteps)
    noise = own_noise(clean, generator)
    output = model.predict(noisy(clean, noise, abar), t.to(clean), condition)
    loss = weighted_mse(output, training_target(diffusion.prediction, clean, noise, abar), cells)
    if guess is not None and config.guess_weight:
        loss = loss + config.guess_weight * (cross_entropy(guess, batch.masks) + dice_loss(guess, batch.masks))
    return loss


def own_noise(like: Tensor, generator: torch.Generator) -> Tensor:
    """Return this process's share of the common batch's noise, which is drawn on the CPU."""
    noise: Tensor = own(torch.randn(len(like) * world(), *like.shape[1:], generator=generator))
    return noise.to(like)
