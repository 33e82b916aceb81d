"""Samplers: from pure noise to a clean latent, over any callable that estimates the clean latent."""

import math
from collections.abc import Callable, Iterator
from typing import Protocol

from torch import Tensor

from ..config import SamplerName, Schedule
from ._predictions import Denoise
from ._schedules import alpha_bar, log_snr

Noise = Callable[[int], Tensor]


class Sampler(Protocol):
    """What all samplers have in common: K denoiser calls, K latents yielded, the last one is clean.

    ``denoise(latent, t)`` estimates the clean latent, ``latent`` (N, C, (Z), Y, X) is standard normal,
    ``times`` (K,) comes from :func:`time_grid`, ``noise(step)`` gives standard normal noise of the latent's shape
    for step 0 to K - 1 and is called only by samplers that need it.
    """

    def __call__(
        self, denoise: Denoise, latent: Tensor, times: Tensor, schedule: Schedule, timesteps: int, *, noise: Noise
    ) -> Iterator[Tensor]: ...


def ddim(
    denoise: Denoise,
    latent: Tensor,
    times: Tensor,
    schedule: Schedule,
    timesteps: int,
    *,
    noise: Noise,
    eta: float = 0.0,
) -> Iterator[Tensor]:
    """Song, Meng & Ermon 2021 eq. 12 and 16; ``eta`` 0 injects no noise, 1 as much as DDPM."""
    abars = [*alpha_bar(times, schedule, timesteps).tolist(), 1.0]
    for step, (t, a, a_next) in enumerate(zip(times.tolist(), abars, abars[1:], strict=False)):
        clean = denoise(latent, t)
        if step == len(times) - 1:
            yield clean
            return
        latent, sigma = _ddim_step(latent, clean, a, a_next, eta)
        if sigma > 0:
            latent = latent + sigma * noise(step)
        yield latent


def _ddim_step(latent: Tensor, clean: Tensor, a: float, a_next: float, eta: float) -> tuple[Tensor, float]:
    """Song et al. 2021 eq. 12: the next latent before its noise, and the SD of that noise (eq. 16)."""
    eps = (latent - math.sqrt(a) * clean) / math.sqrt(1 - a)
    sigma = eta * math.sqrt((1 - a_next) / (1 - a) * (1 - a / a_next))
    return math.sqrt(a_next) * clean + math.sqrt(1 - a_next - sigma**2) * eps, sigma


def ddpm(
    denoise: Denoise, latent: Tensor, times: Tensor, schedule: Schedule, timesteps: int, *, noise: Noise
) -> Iterator[Tensor]:
    """LDSeg Algorithm 2 (Ho et al. 2020 eq. 7 with beta = 1 - abar_t / abar_next): DDIM with ``eta`` 1."""
    yield from ddim(denoise, latent, times, schedule, timesteps, noise=noise, eta=1.0)


def dpm_solver_pp(
    denoise: Denoise, latent: Tensor, times: Tensor, schedule: Schedule, timesteps: int, *, noise: Noise
) -> Iterator[Tensor]:
    """Lu et al. 2022b (DPM-Solver++) Algorithm 2, 2M: second order, no injected noise, last step first order."""
    abars = alpha_bar(times, schedule, timesteps).tolist()
    lambdas = (log_snr(times, schedule, timesteps) / 2).tolist()
    before: Tensor | None = None
    for step, t in enumerate(times.tolist()):
        clean = denoise(latent, t)
        if step == len(times) - 1:
            yield clean
            return
        h = lambdas[step + 1] - lambdas[step]
        direction = clean
        if before is not None:
            ratio = h / (lambdas[step] - lambdas[step - 1])
            direction = clean + ratio / 2 * (clean - before)
        shrink = math.sqrt((1 - abars[step + 1]) / (1 - abars[step]))
        latent = shrink * latent - math.sqrt(abars[step + 1]) * math.expm1(-h) * direction
        before = clean
        yield latent


def release(
    denoise: Denoise,
    latent: Tensor,
    times: Tensor,
    schedule: Schedule,
    timesteps: int,
    *,
    noise: Noise,
    eta: float = 0.0,
) -> Iterator[Tensor]:
    """Step as the LDSeg authors' release does: Song et al. 2021 eq. 12, re-normalised over the batch every time.

    Two things differ from :func:`ddim` (``eta`` 0, the release's default) and :func:`ddpm` (``eta`` 1). After each
    step the latent is re-normalised, (z - mean) / (SD + 1e-5), with one mean and one SD of the whole batch: what a
    sample becomes depends on the samples that are computed together with it. And the last call, at t = 0, adds noise
    of the schedule's first beta; with the cosine schedule that beta is 0, so the call changes nothing.
    """
    abars = alpha_bar(times, schedule, timesteps).tolist()
    for step, t in enumerate(times.tolist()):
        a = abars[step]
        clean = denoise(latent, t)
        if step == len(times) - 1:
            sigma = math.sqrt(1 - a)
            latent = clean
        else:
            latent, sigma = _ddim_step(latent, clean, a, abars[step + 1], eta)
        if sigma > 0:
            latent = latent + sigma * noise(step)
        latent = _renormalized(latent)
        yield latent


def release_ddpm(
    denoise: Denoise, latent: Tensor, times: Tensor, schedule: Schedule, timesteps: int, *, noise: Noise
) -> Iterator[Tensor]:
    """LDSeg Algorithm 2 as the authors' release computes it: :func:`release` with ``eta`` 1."""
    yield from release(denoise, latent, times, schedule, timesteps, noise=noise, eta=1.0)


def _renormalized(latent: Tensor) -> Tensor:
    """Return (z - mean) / (SD + 1e-5) over the whole batch at once."""
    return (latent - latent.mean()) / (latent.std(correction=0) + 1e-5)


SAMPLERS: dict[SamplerName, Sampler] = {
    "ddpm": ddpm,
    "ddim": ddim,
    "dpm-solver++": dpm_solver_pp,
    "ldseg-release": release,
    "ldseg-release-ddpm": release_ddpm,
}
