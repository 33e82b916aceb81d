"""Implement the diffusion process: schedules, parameterisations and samplers over any callable (torch)."""

from ._predictions import (
    Denoise as Denoise,
    ModelCall as ModelCall,
    denoiser_to_clean as denoiser_to_clean,
    to_clean as to_clean,
    to_noise as to_noise,
    training_target as training_target,
)
from ._residual import (
    residual_input as residual_input,
    residual_output as residual_output,
    residual_weight as residual_weight,
)
from ._samplers import (
    SAMPLERS as SAMPLERS,
    Noise as Noise,
    Sampler as Sampler,
    ddim as ddim,
    ddpm as ddpm,
    dpm_solver_pp as dpm_solver_pp,
    release as release,
    release_ddpm as release_ddpm,
    run_sampler as run_sampler,
    time_grid as time_grid,
)
from ._schedules import alpha_bar as alpha_bar, append_dims as append_dims, log_snr as log_snr, noisy as noisy
