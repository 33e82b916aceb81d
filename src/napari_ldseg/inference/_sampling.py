"""Samples of embedded images: the only place where networks meet diffusion."""

from collections.abc import Iterator

import torch
from torch import Tensor

from ..config import SamplerName
from ..diffusion import SAMPLERS, Noise, denoiser_to_clean, time_grid
from ..networks import LDSeg


def sample_latents(
    model: LDSeg, condition: Tensor, noise: Noise, *, sampler: SamplerName, steps: int
) -> Iterator[Tensor]:
    """Draw latents, yielding the whole batch after each step (LDSeg, algorithm 2).

    Parameters
    ----------
    model : LDSeg
    condition : tensor, shape (N or 1, W, *cells)
        ``model.condition(embedding)`` of the image, or of the view or tile of it that each sample takes.
    noise : callable
        ``noise(step)`` gives standard normal numbers (N, latent_channels, *cells); step -1 is the start.
    sampler, steps
        See :class:`SegmentConfig`.

    Yields
    ------
    tensor, shape (N, latent_channels, *cells)
        The last one is the clean latent m0.
    """
    diffusion = model.config.diffusion

    def draw(step: int) -> Tensor:
        return noise(step).to(condition)

    @torch.inference_mode()
    def call(latent: Tensor, t: float) -> Tensor:
        return model.predict(latent, torch.full((1,), t, device=latent.device), condition)

    denoise = denoiser_to_clean(call, diffusion.prediction, diffusion.schedule, diffusion.timesteps)
    times = time_grid(sampler, steps, diffusion.schedule, diffusion.timesteps)
    yield from SAMPLERS[sampler](denoise, draw(-1), times, diffusion.schedule, diffusion.timesteps, noise=draw)


@torch.inference_mode()
def decode_probabilities(model: LDSeg, latents: Tensor) -> Tensor:
    """Return class probabilities (N, C, *grid) of latents; memory is bounded by the batch."""
    return model.decode(latents).float().softmax(dim=1)
