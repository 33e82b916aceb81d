"""Diffuse around a first guess: it is the prior mean, and the network corrects it."""

from torch import Tensor

from ..config import Prediction
from ._predictions import to_clean, to_noise
from ._schedules import append_dims


def residual_input(noisy: Tensor, guess: Tensor, abar: Tensor, sd: float) -> Tensor:
    """Return what the network sees of a noisy latent: how far it lies from the noised guess, with unit variance.

    Karras et al. 2022 (EDM) table 1, c_in, with the guess as the mean and ``sd`` as the SD of the data.

    Parameters
    ----------
    noisy, guess : tensor, shape (N, C, (Z), Y, X)
        The noisy latent, and the latent of the first guess.
    abar : float64 tensor, shape (N,), (1,) or ()
    sd : float
        SD of the clean latent about that of the guess.
    """
    return (noisy - append_dims(abar.sqrt(), noisy) * guess) / append_dims(_variance(abar, sd).sqrt(), noisy)


def residual_output(
    prediction: Prediction, output: Tensor, noisy: Tensor, guess: Tensor, abar: Tensor, sd: float
) -> Tensor:
    """Return the prediction that the network's output stands for.

    Output 0 stands for the posterior mean of a Gaussian N(guess, sd^2) given the noisy latent: for the guess itself at
    pure noise, for the noisy latent where there is no noise. The output is the deviation from it divided by the
    posterior SD (EDM's c_skip and c_out). With ``sd`` 1 that is v-prediction of the residual (PGRD, arXiv 2509.01330),
    v = output - sqrt(1 - abar) guess.

    Parameters
    ----------
    prediction : {"epsilon", "sample", "v"}
        What is returned.
    output : tensor, shape (N, C, (Z), Y, X)
    noisy, guess, abar, sd
        As for :func:`residual_input`.
    """
    variance = _variance(abar, sd)
    skip = append_dims((1 - abar).sqrt() / variance, noisy)
    signal = append_dims(abar.sqrt() * (1 - sd**2), noisy)
    v = skip * (signal * noisy - guess) + append_dims(sd / variance.sqrt(), noisy) * output
    if prediction == "v":
        return v
    clean = to_clean("v", v, noisy, abar)
    return clean if prediction == "sample" else to_noise(clean, noisy, abar)


def residual_weight(abar: Tensor, sd: float) -> Tensor:
    """Return the weight, shape of ``abar``, under which squared errors of v are those of the network's own output.

    In terms of the clean latent it is 1 / sd^2 + SNR: what noise leaves open counts, however little signal is left.
    """
    return _variance(abar, sd) / sd**2


def _variance(abar: Tensor, sd: float) -> Tensor:
    """Variance of the noisy latent about the noised guess."""
    return abar * sd**2 + 1 - abar
