"""The diffusion process: schedules, parameterisations and samplers over any callable (torch, no networks)."""

from ._posterior import returned_moments
from ._predictions import Denoise, denoiser_to_clean, to_clean, to_noise, training_target
from ._samplers import SAMPLERS, Noise, Sampler, ddim, ddpm, dpm_solver_pp, release, release_ddpm
from ._schedules import alpha_bar, append_dims, log_snr, noisy, time_grid

__all__ = [
    "SAMPLERS",
    "Denoise",
    "Noise",
    "Sampler",
    "alpha_bar",
    "append_dims",
    "ddim",
    "ddpm",
    "denoiser_to_clean",
    "dpm_solver_pp",
    "log_snr",
    "noisy",
    "release",
    "release_ddpm",
    "returned_moments",
    "time_grid",
    "to_clean",
    "to_noise",
    "training_target",
]
