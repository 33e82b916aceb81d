"""The diffusion process: schedules, parameterisations and samplers over any callable (torch, no networks)."""

from ._predictions import Denoise, ModelCall, denoiser_to_clean, to_clean, to_noise, training_target
from ._residual import residual_input, residual_output, residual_weight
from ._samplers import (
    SAMPLERS,
    Noise,
    Sampler,
    ddim,
    ddpm,
    dpm_solver_pp,
    release,
    release_ddpm,
    run_sampler,
    time_grid,
)
from ._schedules import alpha_bar, append_dims, log_snr, noisy

__all__ = [
    "SAMPLERS",
    "Denoise",
    "ModelCall",
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
    "residual_input",
    "residual_output",
    "residual_weight",
    "run_sampler",
    "time_grid",
    "to_clean",
    "to_noise",
    "training_target",
]
