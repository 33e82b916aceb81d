"""Print how much of a known spread each sampler returns with a perfect denoiser (docs/uncertainty.md).

python -m benchmarks.evidence.posterior
"""

from typing import get_args

import torch
from torch import Tensor

from napari_ldseg.config import DiffusionConfig, SamplerName, Schedule
from napari_ldseg.diffusion import alpha_bar, run_sampler


def returned_moments(
    sampler: SamplerName, steps: int, sd: float, *, schedule: Schedule = "cosine", draws: int = 20_000
) -> tuple[float, float]:
    """Sample a posterior N(1, sd^2) with its exact denoiser (Karras et al. 2022 eq. 57, one Gaussian).

    What is missing from the spread is the sampler's fault alone: a ratio of 1 means that a standard-deviation map is
    as wide as it should be, 0.5 that it is half as wide. Every second draw stands for a cell with N(-1, sd^2) and its
    sign is flipped: like a latent, the batch has mean 0, as the authors' samplers make it.

    Parameters
    ----------
    sampler : {"ddpm", "ddim", "dpm-solver++", "ldseg-release", "ldseg-release-ddpm"}
    steps : int
        K.
    sd : float
        The true standard deviation.
    schedule : {"cosine", "linear", "quadratic"}
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
    diffusion = DiffusionConfig(schedule=schedule, prediction="sample")

    def denoise(noisy: Tensor, t: float) -> Tensor:
        abar = alpha_bar(torch.tensor(t, dtype=torch.float64), schedule, diffusion.timesteps)
        return sign + abar.sqrt() * sd**2 / (abar * sd**2 + 1 - abar) * (noisy - abar.sqrt() * sign)

    def noise(step: int) -> Tensor:
        return torch.randn(latent.shape, generator=generator, dtype=latent.dtype)

    *_, last = run_sampler(sampler, steps, denoise, latent, diffusion, noise=noise)
    last = sign * last
    return float(last.mean()), float(last.std()) / sd


def main() -> None:
    """Print a Markdown table: returned SD / true SD in percent, for s = 0.1 and 0.3, cosine schedule."""
    samplers = get_args(SamplerName)
    print("| K | " + " | ".join(f"{name} (s = 0.1 / 0.3)" for name in samplers) + " |")  # noqa: T201
    print("|---" * (len(samplers) + 1) + "|")  # noqa: T201
    for steps in (5, 8, 10, 15, 20):
        cells = []
        for name in samplers:
            ratios = [100 * returned_moments(name, steps, sd)[1] for sd in (0.1, 0.3)]
            cells.append(" / ".join(f"{ratio:.0f} %" for ratio in ratios))
        print(f"| {steps} | " + " | ".join(cells) + " |")  # noqa: T201


if __name__ == "__main__":
    main()
