"""Convert what the denoiser predicts (epsilon, sample or v) to the clean latent, and back."""

from collections.abc import Callable

from torch import Tensor

from ..config import Prediction
from ._schedules import append_dims

ModelCall = Callable[[Tensor, float], Tensor]
Denoise = Callable[[Tensor, int], Tensor]


def training_target(prediction: Prediction, clean: Tensor, noise: Tensor, abar: Tensor) -> Tensor:
    """Ho et al. 2020 eq. 14 (epsilon), Salimans & Ho 2022 app. D (v): what the denoiser shall return.

    Parameters
    ----------
    prediction : {"epsilon", "sample", "v"}
        The noise, the clean latent, or v = sqrt(abar) noise - sqrt(1 - abar) clean.
    clean, noise : tensor, shape (N, C, (Z), Y, X)
    abar : float64 tensor, shape (N,) or ()
    """
    if prediction == "epsilon":
        return noise
    if prediction == "sample":
        return clean
    return append_dims(abar.sqrt(), clean) * noise - append_dims((1 - abar).sqrt(), clean) * clean


def to_clean(prediction: Prediction, output: Tensor, noisy: Tensor, abar: Tensor) -> Tensor:
    """Ho et al. 2020 eq. 15 (epsilon), Salimans & Ho 2022 app. D (v): the estimate of the clean latent.

    Parameters
    ----------
    prediction : {"epsilon", "sample", "v"}
    output : tensor, shape (N, C, (Z), Y, X)
        What the denoiser returned.
    noisy : tensor, shape (N, C, (Z), Y, X)
        What the denoiser was given.
    abar : float64 tensor, shape (N,) or ()
    """
    if prediction == "sample":
        return output
    signal, spread = append_dims(abar.sqrt(), noisy), append_dims((1 - abar).sqrt(), noisy)
    if prediction == "epsilon":
        return (noisy - spread * output) / signal
    return signal * noisy - spread * output


def to_noise(clean: Tensor, noisy: Tensor, abar: Tensor) -> Tensor:
    """LDSeg eq. 4 solved for the noise; 0 where abar = 1, because there ``noisy`` equals ``clean``."""
    spread = (1 - abar).clamp_min(1e-12).sqrt()
    return (noisy - append_dims(abar.sqrt(), noisy) * clean) / append_dims(spread, noisy)


def denoiser_to_clean(model_call: ModelCall, prediction: Prediction, times: Tensor, abars: Tensor) -> Denoise:
    """Wrap a denoiser of any parameterisation as the ``denoise`` of the samplers (Karras et al. 2022 eq. 7).

    Parameters
    ----------
    model_call : callable (latent, t) -> output
        ``latent`` has shape (N, C, (Z), Y, X), ``t`` is one real timestep for all of them.
    prediction : {"epsilon", "sample", "v"}
    times, abars : float64 tensors, shape (K,)
        Timestep and alpha-bar of each step.

    Returns
    -------
    callable (latent, step) -> estimate of the clean latent
    """

    def denoise(latent: Tensor, step: int) -> Tensor:
        return to_clean(prediction, model_call(latent, float(times[step])), latent, abars[step])

    return denoise
