"""Define noise schedules, and the timesteps at which samplers call the denoiser."""

import math

import torch
from torch import Tensor

from ..config import Schedule

COSINE_OFFSET = 0.008
BETA_FIRST, BETA_LAST = 1e-4, 0.02
TIME_MAX = 0.985
LOG_SNR_MAX = 9.0


def alpha_bar(t: Tensor, schedule: Schedule, timesteps: int) -> Tensor:
    """Cumulative signal power: Nichol & Dhariwal 2021 eq. 17 (cosine), Ho et al. 2020 sec. 4 (linear).

    ``quadratic`` is linear in the square root of beta ("scaled_linear" in diffusers).

    Parameters
    ----------
    t : tensor, any shape
        Timesteps in [0, T - 1]; they need not be integers.
        Keep them on the CPU for devices without float64, such as MPS.
    schedule : {"cosine", "linear", "quadratic"}
    timesteps : int
        T. The betas of ``linear`` and ``quadratic`` are scaled by 1000 / T.

    Returns
    -------
    float64 tensor, shape and device of ``t``
        Between 0 (only noise) and 1 (clean), never 0.

    Notes
    -----
    Cosine is the closed form f(t) / f(0) as in the LDSeg release: alpha_bar(0) = 1, so t = 0 carries no noise.
    diffusers builds it from betas that are clipped at 0.999, and its index t stands one step later, at
    f(t + 1) / f(0). Linear and quadratic are the product of (1 - beta) from 0 to t, as in diffusers, so there
    t = 0 does carry noise; between integers the logarithm of alpha_bar is interpolated linearly.
    """
    t = t.to(torch.float64)
    if schedule == "cosine":
        return (_cosine(t, timesteps) / _cosine(torch.zeros_like(t), timesteps)).clamp_min(1e-12)
    scale = 1000 / timesteps
    first, last = BETA_FIRST * scale, BETA_LAST * scale
    if schedule == "linear":
        beta = torch.linspace(first, last, timesteps, dtype=torch.float64, device=t.device)
    else:
        beta = torch.linspace(first**0.5, last**0.5, timesteps, dtype=torch.float64, device=t.device) ** 2
    # Few timesteps scale beta beyond 1, which would leave a negative power.
    log_abar = torch.log1p(-beta.clamp_max(0.999)).cumsum(0)
    below = t.floor().clamp(0, timesteps - 1).long()
    above = (below + 1).clamp_max(timesteps - 1)
    return torch.lerp(log_abar[below], log_abar[above], t - below).exp()


def append_dims(values: Tensor, like: Tensor) -> Tensor:
    """Bring ``values`` of shape (N,) or () to (N, 1, 1, ...), with the dtype and device of ``like``."""
    return values.reshape(values.shape + (1,) * (like.ndim - values.ndim)).to(like)


def noisy(clean: Tensor, noise: Tensor, abar: Tensor) -> Tensor:
    """LDSeg eq. 4 (with alpha-bar, which the print omits): the noisy latent m_t.

    Parameters
    ----------
    clean, noise : tensor, shape (N, C, (Z), Y, X)
    abar : float64 tensor, shape (N,) or ()
    """
    return append_dims(abar.sqrt(), clean) * clean + append_dims((1 - abar).sqrt(), clean) * noise


def even_times(steps: int, schedule: Schedule, timesteps: int) -> Tensor:
    """K evenly spaced timesteps, rounded, from T - 1 down to one interval above 0: LDSeg sec. III-C.

    Every call counts: the step after the last one lands on the clean latent, which is no call of its own.
    """
    del schedule
    grid = torch.linspace(timesteps - 1, 0, steps + 1, dtype=torch.float64)[:-1]
    # With K = T the T integers above 0 would not be distinct.
    return grid.round() if steps < timesteps else grid


def even_times_to_zero(steps: int, schedule: Schedule, timesteps: int) -> Tensor:
    """K evenly spaced timesteps from T - 1 down to 0, not rounded, as in the LDSeg release.

    At t = 0 nothing is left to remove, so its K is the K - 1 of :func:`even_times`.
    """
    del schedule
    return torch.linspace(0, timesteps - 1, steps, dtype=torch.float64).flip(0)


def even_log_snr_times(steps: int, schedule: Schedule, timesteps: int) -> Tensor:
    """K timesteps evenly spaced in log-SNR, from 0.985 T down to a small, real one: Lu et al. 2022 sec. 4."""
    ends = torch.tensor([TIME_MAX * (timesteps - 1), 0.0], dtype=torch.float64)
    first, last = log_snr(alpha_bar(ends, schedule, timesteps)).tolist()
    return _time_of_log_snr(
        torch.linspace(first, min(last, LOG_SNR_MAX), steps, dtype=torch.float64), schedule, timesteps
    )


def log_snr(abar: Tensor) -> Tensor:
    """Kingma et al. 2021 eq. 3: log(alpha_bar / (1 - alpha_bar)), twice the lambda of DPM-Solver."""
    return torch.log(abar) - torch.log1p(-abar)


def _cosine(t: Tensor, timesteps: int) -> Tensor:
    return torch.cos((t / timesteps + COSINE_OFFSET) / (1 + COSINE_OFFSET) * math.pi / 2) ** 2


def _time_of_log_snr(target: Tensor, schedule: Schedule, timesteps: int) -> Tensor:
    """Find the timesteps with this log-SNR, which falls with t, by bisection (one way for all schedules)."""
    low, high = torch.zeros_like(target), torch.full_like(target, timesteps - 1)
    for _ in range(60):
        middle = (low + high) / 2
        later = log_snr(alpha_bar(middle, schedule, timesteps)) > target
        low, high = torch.where(later, middle, low), torch.where(later, high, middle)
    return (low + high) / 2
