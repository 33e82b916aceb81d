"""How much of a known spread a sampler returns, with a denoiser that makes no error of its own."""

import torch
from torch import Tensor

from ..config import SamplerName, Schedule
from ._samplers import SAMPLERS
from ._schedules import alpha_bar, time_grid


def returned_moments(
    sampler: SamplerName,
    steps: int,
    sd: float,
    *,
    schedule: Schedule = "cosine",
    timesteps: int = 1000,
    draws: int = 20_000,
) -> tuple[float, float]:
    """Sample a posterior N(1, sd^2) with its exact denoiser (Karras et al. 2022 eq. 57, one Gaussian).

    Whatever is missing from the spread is the sampler's fault alone: 1 means that a standard-deviation map
    is as wide as it should be, 0.5 that it is half as wide. Every second draw stands for a cell with N(-1, sd^2), and
    is mirrored: like a latent the batch has mean 0, as the release's samplers make it.

    Parameters
    ----------
    sampler : {"ddpm", "ddim", "dpm-solver++", "ldseg-release", "ldseg-release-ddpm"}
    steps : int
        K.
    sd : float
        The true standard deviation.
    schedule : {"cosine", "linear", "quadratic"}
    timesteps : int
        T.
    draws : int
        Samples, drawn in pairs z, -z and scaled to unit variance, so that only injected noise is left to chance.

    Returns
    -------
    mean, ratio : float
        Mean of the samples (the truth is 1) and their standard deviation divided by ``sd``.
    """
    generator = torch.Generator().manual_seed(0)
    half = torch.randn(draws // 2, generator=generator, dtype=torch.float64)
    latent = torch.cat([half, -half])
    latent = latent / latent.std()
    sign = 1 - 2 * (torch.arange(draws) % 2).to(latent)

    def denoise(noisy: Tensor, t: float) -> Tensor:
        abar = alpha_bar(torch.tensor(t), schedule, timesteps)
        return sign + abar.sqrt() * sd**2 / (abar * sd**2 + 1 - abar) * (noisy - abar.sqrt() * sign)

    def noise(step: int) -> Tensor:
        return torch.randn(latent.shape, generator=generator, dtype=latent.dtype)

    times = time_grid(sampler, steps, schedule, timesteps)
    *_, last = SAMPLERS[sampler](denoise, latent, times, schedule, timesteps, noise=noise)
    last = sign * last
    return float(last.mean()), float(last.std()) / sd
