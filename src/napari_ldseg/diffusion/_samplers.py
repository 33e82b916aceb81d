"""Samplers go from pure noise to a clean latent, over any callable that estimates the clean latent."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from torch import Tensor

from ..config import DiffusionConfig, SamplerName, Schedule, too_few_steps
from ..errors import InputError
from ._predictions import Denoise, ModelCall, denoiser_to_clean
from ._schedules import alpha_bar, even_log_snr_times, even_times, even_times_to_zero, log_snr

Noise = Callable[[int], Tensor]


class Steps(Protocol):
    """The steps of a sampler: K denoiser calls, K latents yielded, the last one is clean.

    ``denoise(latent, step)`` estimates the clean latent, ``latent`` (N, C, (Z), Y, X) is standard normal,
    ``abars`` (K,) is alpha-bar at each step (float64), ``noise(step)`` gives standard normal noise of the latent's
    shape for step 0 to K - 1 and is called only by samplers that need it.
    """

    def __call__(self, denoise: Denoise, latent: Tensor, abars: Tensor, *, noise: Noise) -> Iterator[Tensor]: ...


def ddim(denoise: Denoise, latent: Tensor, abars: Tensor, *, noise: Noise, eta: float = 0.0) -> Iterator[Tensor]:
    """Song, Meng & Ermon 2021 eq. 12 and 16; ``eta`` 0 injects no noise, 1 as much as DDPM."""
    signal = abars.tolist()
    for step, a in enumerate(signal):
        clean = denoise(latent, step)
        if step == len(signal) - 1:
            yield clean
            return
        latent, sigma = _ddim_step(latent, clean, a, signal[step + 1], eta)
        if sigma > 0:
            latent = latent + sigma * noise(step)
        yield latent


def _ddim_step(latent: Tensor, clean: Tensor, a: float, a_next: float, eta: float) -> tuple[Tensor, float]:
    """Song et al. 2021 eq. 12: the next latent before its noise, and the SD of that noise (eq. 16)."""
    eps = (latent - math.sqrt(a) * clean) / math.sqrt(1 - a)
    sigma = eta * math.sqrt((1 - a_next) / (1 - a) * (1 - a / a_next))
    return math.sqrt(a_next) * clean + math.sqrt(1 - a_next - sigma**2) * eps, sigma


def ddpm(denoise: Denoise, latent: Tensor, abars: Tensor, *, noise: Noise) -> Iterator[Tensor]:
    """LDSeg Algorithm 2 (Ho et al. 2020 eq. 7 with beta = 1 - abar_t / abar_next): DDIM with ``eta`` 1."""
    yield from ddim(denoise, latent, abars, noise=noise, eta=1.0)


def dpm_solver_pp(denoise: Denoise, latent: Tensor, abars: Tensor, *, noise: Noise) -> Iterator[Tensor]:
    """Lu et al. 2022b (DPM-Solver++) Algorithm 2, 2M: second order, no injected noise, last step first order."""
    signal, lambdas = abars.tolist(), (log_snr(abars) / 2).tolist()
    before: Tensor | None = None
    for step, a in enumerate(signal):
        clean = denoise(latent, step)
        if step == len(signal) - 1:
            yield clean
            return
        h = lambdas[step + 1] - lambdas[step]
        direction = clean
        if before is not None:
            ratio = h / (lambdas[step] - lambdas[step - 1])
            direction = clean + ratio / 2 * (clean - before)
        shrink = math.sqrt((1 - signal[step + 1]) / (1 - a))
        latent = shrink * latent - math.sqrt(signal[step + 1]) * math.expm1(-h) * direction
        before = clean
        yield latent


def release(denoise: Denoise, latent: Tensor, abars: Tensor, *, noise: Noise, eta: float = 0.0) -> Iterator[Tensor]:
    """Step as the LDSeg authors' release does: Song et al. 2021 eq. 12, re-normalised over the batch every time.

    Two things differ from :func:`ddim` (``eta`` 0, the release's default) and :func:`ddpm` (``eta`` 1). After each
    step the latent is re-normalised, (z - mean) / (SD + 1e-5), with one mean and one SD of the whole batch: what a
    sample becomes depends on the samples that are computed together with it. And the last call, at t = 0, adds noise
    of the schedule's first beta; with the cosine schedule that beta is 0, so the call changes nothing.
    """
    signal = abars.tolist()
    for step, a in enumerate(signal):
        clean = denoise(latent, step)
        if step == len(signal) - 1:
            sigma = math.sqrt(1 - a)
            latent = clean
        else:
            latent, sigma = _ddim_step(latent, clean, a, signal[step + 1], eta)
        if sigma > 0:
            latent = latent + sigma * noise(step)
        latent = _renormalized(latent)
        yield latent


def release_ddpm(denoise: Denoise, latent: Tensor, abars: Tensor, *, noise: Noise) -> Iterator[Tensor]:
    """LDSeg Algorithm 2 as the authors' release computes it: :func:`release` with ``eta`` 1."""
    yield from release(denoise, latent, abars, noise=noise, eta=1.0)


def _renormalized(latent: Tensor) -> Tensor:
    """Return (z - mean) / (SD + 1e-5) over the whole batch at once."""
    return (latent - latent.mean()) / (latent.std(correction=0) + 1e-5)


@dataclass(frozen=True)
class Sampler:
    """The steps of a sampler, and the grid of timesteps (K,) that they take: ``grid(steps, schedule, timesteps)``.

    What must be known of it without torch stands in :data:`napari_ldseg.config.SAMPLER_FACTS`.
    """

    steps: Steps
    grid: Callable[[int, Schedule, int], Tensor]


SAMPLERS: dict[SamplerName, Sampler] = {
    "ddpm": Sampler(ddpm, even_times),
    "ddim": Sampler(ddim, even_times),
    "dpm-solver++": Sampler(dpm_solver_pp, even_log_snr_times),
    "ldseg-release": Sampler(release, even_times_to_zero),
    "ldseg-release-ddpm": Sampler(release_ddpm, even_times_to_zero),
}


@lru_cache(maxsize=64)
def time_grid(sampler: SamplerName, steps: int, schedule: Schedule, timesteps: int) -> Tensor:
    """Return the timesteps of a sampler's K denoiser calls.

    Parameters
    ----------
    sampler : {"ddpm", "ddim", "dpm-solver++", "ldseg-release", "ldseg-release-ddpm"}
    steps : int
        K, between the sampler's fewest and ``timesteps``.
    schedule : {"cosine", "linear", "quadratic"}
    timesteps : int
        T.

    Returns
    -------
    float64 tensor, shape (K,), strictly descending

    Raises
    ------
    InputError
        If K is too small, or above T.
    """
    if not 1 <= steps <= timesteps:
        raise InputError(
            f"{steps} sampling steps do not fit a model of {timesteps} timesteps; take between 1 and {timesteps}."
        )
    if reason := too_few_steps(sampler, steps):
        raise InputError(reason)
    return SAMPLERS[sampler].grid(steps, schedule, timesteps)


def run_sampler(
    sampler: SamplerName, steps: int, model_call: ModelCall, latent: Tensor, diffusion: DiffusionConfig, *, noise: Noise
) -> Iterator[Tensor]:
    """Sample with a denoiser of any parameterisation, yielding the latents after each of the K steps.

    Parameters
    ----------
    sampler, steps
        See :func:`time_grid`, which also says what is refused.
    model_call : callable (latent, t) -> output
        The denoiser, see :func:`denoiser_to_clean`.
    latent : tensor, shape (N, C, (Z), Y, X)
        Standard normal.
    diffusion : DiffusionConfig
    noise : callable (step) -> tensor like ``latent``
        Standard normal noise of each step.
    """
    times = time_grid(sampler, steps, diffusion.schedule, diffusion.timesteps)
    abars = alpha_bar(times, diffusion.schedule, diffusion.timesteps)
    denoise = denoiser_to_clean(model_call, diffusion.prediction, times, abars)
    yield from SAMPLERS[sampler].steps(denoise, latent, abars, noise=noise)
