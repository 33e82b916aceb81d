"""The losses of the two stages.

Masks hold the share of each class in each pixel; where a pixel is annotated in part or not at all, the shares sum to
less than 1, and what is missing is its weight in every loss.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..config import TrainConfig
from ..diffusion import alpha_bar, append_dims, noisy, residual_weight, to_clean, to_noise, training_target
from ..networks import LDSeg
from ._conditions import conditions
from ._distributed import own, pooled, world

# Most weight, in terms of the clean latent, of a noise level at which the model sees its own estimate.
RECYCLED_SNR = 5.0


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
    means : (N, classes, *S), optional
        Where there are several raters, the mean of their masks, which the first guess learns.
    embedding : (N, E, *S / factor), optional
        Embeddings that were computed before (:mod:`._embedded`); the image encoder is then not asked.
    guess : (N, *S) integer, optional
        The classes of their first guesses.
    latent : (N, L, *S / factor), optional
        The latents of ``complete``.
    """

    images: Tensor
    masks: Tensor
    complete: Tensor
    means: Tensor | None = None
    embedding: Tensor | None = None
    guess: Tensor | None = None
    latent: Tensor | None = None


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

    A cell of the latent counts by its annotated share. With ``network.residual_sd`` the errors are those of the
    network's own output, see :func:`residual_weight`.
    """
    diffusion, repeats = model.config.diffusion, config.timesteps_per_image
    with torch.no_grad():
        clean = model.encode(batch.complete) if batch.latent is None else batch.latent
        clean = clean.repeat_interleave(repeats, dim=0)
    cells = F.interpolate(annotated(batch.masks), size=clean.shape[2:], mode="area").repeat_interleave(repeats, dim=0)
    embedding, guess, classes = batch.embedding, None, batch.guess
    if embedding is None:
        embedding, guess = model.embed(batch.images)
        classes = None if guess is None else guess.argmax(dim=1)
    condition = conditions(model, embedding, classes, batch.masks, config, generator)
    condition = condition.repeat_interleave(repeats, dim=0)
    t = draw_timesteps(len(clean), config.timestep_shift, generator) * (diffusion.timesteps - 1)
    abar = alpha_bar(t, diffusion.schedule, diffusion.timesteps)
    noise = own_noise(clean, generator)
    noised, weight = noisy(clean, noise, abar), cells
    target = training_target(diffusion.prediction, clean, noise, abar)
    if sd := model.config.network.residual_sd:
        weight = cells * append_dims(residual_weight(abar, sd), cells)
    if config.recycle:
        recycled = _recycled(model, noised, noise, t, condition, config, generator)
        target = training_target(diffusion.prediction, clean, to_noise(clean, recycled, abar), abar)
        changed = (recycled != noised).flatten(1).any(dim=1)
        capped = torch.where(changed.cpu(), (RECYCLED_SNR * (1 - abar)).clamp_max(1), torch.ones_like(abar))
        noised, weight = recycled, weight * append_dims(capped, weight)
    output = model.predict(noised, t.to(clean), condition)
    loss = weighted_mse(output, target, weight)
    if config.decoded_weight:
        estimate = to_clean(diffusion.prediction, output, noised, abar)
        loss = loss + config.decoded_weight * decoded_loss(model, estimate, t / diffusion.timesteps, batch, config)
    if guess is not None and config.guess_weight:
        loss = loss + config.guess_weight * guess_loss(guess, batch, config)
    return loss


def draw_timesteps(number: int, shift: float, generator: torch.Generator) -> Tensor:
    """Return this process's share of a batch's timesteps, (number,), as shares of T.

    They are spread evenly over [0, 1), shifted together at random, which lowers the variance of the loss (Kingma et al.
    2021, appendix I), and then moved towards noise (Esser et al. 2024, eq. 23; shift 1 leaves them).
    """
    n = number * world()
    t: Tensor = own((torch.randperm(n, generator=generator) + torch.rand(1, generator=generator)) / n)
    return shift * t / (1 + (shift - 1) * t) if shift != 1 else t


def decoded_loss(model: LDSeg, estimate: Tensor, t: Tensor, batch: Batch, config: TrainConfig) -> Tensor:
    """Cross-entropy of some decoded estimates of the clean latent, all from the noisier half of the timesteps.

    Parameters
    ----------
    model : LDSeg
    estimate : tensor, shape (N * repeats, L, *cells)
    t : tensor, shape (N * repeats,)
        Timesteps as shares of T, in random order.
    batch : Batch
        Of N crops.
    config : TrainConfig
    """
    most = max(1, round(config.decoded_share * len(t)))
    chosen = (t > 0.5).nonzero().flatten()[:most]
    if not len(chosen):
        chosen = t.argmax().reshape(1)
    logits = model.decode(estimate[chosen.to(estimate.device)])
    masks = batch.masks[(chosen // config.timesteps_per_image).to(batch.masks.device)]
    return cross_entropy(logits, masks)


def guess_loss(guess: Tensor, batch: Batch, config: TrainConfig) -> Tensor:
    """Cross-entropy and Dice loss of the first guess, against the mean of the raters where there are several."""
    masks = batch.masks if batch.means is None else batch.means
    loss = cross_entropy(guess, masks)
    return loss + config.guess_dice * dice_loss(guess, masks) if config.guess_dice else loss


@torch.no_grad()
def _recycled(
    model: LDSeg,
    noised: Tensor,
    noise: Tensor,
    t: Tensor,
    condition: Tensor,
    config: TrainConfig,
    generator: torch.Generator,
) -> Tensor:
    """Put the model's own estimate in place of the truth in some noised latents ("recycling", Fu et al. 2023)."""
    diffusion = model.config.diffusion
    chosen = own(torch.rand(len(noised) * world(), generator=generator)) < config.recycle
    if not chosen.any():
        return noised
    abar = alpha_bar(t[chosen], diffusion.schedule, diffusion.timesteps)
    given = noised[chosen.to(noised.device)]
    output = model.predict(given, t[chosen].to(noised), condition[chosen.to(condition.device)])
    estimate = to_clean(diffusion.prediction, output, given, abar).to(noised)
    recycled = noised.clone()
    recycled[chosen.to(noised.device)] = noisy(estimate, noise[chosen.to(noise.device)], abar)
    return recycled


def own_noise(like: Tensor, generator: torch.Generator) -> Tensor:
    """Return this process's share of the common batch's noise, which is drawn on the CPU."""
    noise: Tensor = own(torch.randn(len(like) * world(), *like.shape[1:], generator=generator))
    return noise.to(like)
