"""What each of the two stages minimises."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..config import TrainConfig
from ..diffusion import alpha_bar, noisy, training_target
from ..networks import LDSeg


def cross_entropy(logits: Tensor, masks: Tensor) -> Tensor:
    """Multi-class cross-entropy (LDSeg eq. 8) of logits (N, C, *S) against soft masks (N, C, *S)."""
    return -(masks * logits.log_softmax(dim=1)).sum(dim=1).mean()


def dice_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Soft Dice loss (Milletari et al. 2016) over the foreground classes, pooled over the batch."""
    axes = (0, *range(2, logits.ndim))
    probabilities = logits.softmax(dim=1)
    overlap = (probabilities * masks).sum(dim=axes)[1:]
    total = (probabilities + masks).sum(dim=axes)[1:]
    return 1 - ((2 * overlap + 1) / (total + 1)).mean()


def autoencoder_loss(
    model: LDSeg, images: Tensor, masks: Tensor, config: TrainConfig, generator: torch.Generator
) -> Tensor:
    """LDSeg eq. 8 on masks that went through the latent; the decoder sees it with a little noise."""
    del images
    latent = model.encode(masks)
    noise = torch.randn(latent.shape, generator=generator).to(latent)
    return cross_entropy(model.decode(latent + config.latent_noise * noise), masks)


def denoiser_loss(
    model: LDSeg, images: Tensor, masks: Tensor, config: TrainConfig, generator: torch.Generator
) -> Tensor:
    """LDSeg eq. 9, for several timesteps of each embedded image, plus the loss on the first-guess mask.

    The timesteps of a batch are spread evenly over [0, T), shifted at random, which lowers the variance of the
    loss (Kingma et al. 2021, appendix I).
    """
    diffusion, repeats = model.config.diffusion, config.timesteps_per_image
    with torch.no_grad():
        clean = model.encode(masks).repeat_interleave(repeats, dim=0)
    embedding, guess = model.embed(images)
    condition = model.condition(embedding).repeat_interleave(repeats, dim=0)
    n = len(clean)
    spread = (torch.randperm(n, generator=generator) + torch.rand(1, generator=generator)) / n
    t = spread * (diffusion.timesteps - 1)
    abar = alpha_bar(t, diffusion.schedule, diffusion.timesteps)
    noise = torch.randn(clean.shape, generator=generator).to(clean)
    output = model.predict(noisy(clean, noise, abar), t.to(clean), condition)
    loss = F.mse_loss(output.float(), training_target(diffusion.prediction, clean, noise, abar).float())
    if guess is not None and config.guess_weight:
        loss = loss + config.guess_weight * (cross_entropy(guess, masks) + dice_loss(guess, masks))
    return loss
