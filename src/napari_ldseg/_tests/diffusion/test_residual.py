"""Diffusion of what a first guess lacks."""

import pytest
import torch

from ...config import DiffusionConfig, Prediction
from ...diffusion import (
    alpha_bar,
    noisy,
    residual_input,
    residual_output,
    residual_weight,
    run_sampler,
    to_clean,
    training_target,
)

T = 1000
PREDICTIONS: list[Prediction] = ["epsilon", "sample", "v"]


def some(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("ndim", [2, 3])
def test_no_correction_is_the_posterior_mean_of_a_gaussian_around_the_guess(ndim: int, prediction: Prediction) -> None:
    """Bishop 2006 eq. 2.141: the precisions of prior and observation weigh the guess and the scaled observation."""
    sd, shape = 0.3, (4, 2, *[3] * ndim)
    t = torch.tensor([20.0, 300.0, 700.0, 990.0])
    abar = alpha_bar(t, "cosine", T)
    guess, mixed = some(*shape), some(*shape, seed=1)
    output = residual_output(prediction, torch.zeros_like(guess), mixed, guess, abar, sd)
    a = abar.reshape(-1, *[1] * (ndim + 1))
    prior, observed = 1 / sd**2, a / (1 - a)
    expected = (prior * guess + observed * mixed / a.sqrt()) / (prior + observed)
    assert torch.allclose(to_clean(prediction, output, mixed, abar), expected, atol=1e-6)


def test_no_correction_is_the_guess_at_pure_noise_and_the_latent_where_there_is_none() -> None:
    guess, mixed = some(1, 2, 3, 3), some(1, 2, 3, 3, seed=1)
    for abar, expected in ((torch.tensor([1e-12]), guess), (torch.tensor([1.0]), mixed)):
        abar = abar.double()
        v = residual_output("v", torch.zeros_like(guess), mixed, guess, abar, 0.5)
        assert torch.allclose(to_clean("v", v, mixed, abar), expected, atol=1e-5)


def test_with_unit_sd_it_is_v_prediction_of_the_residual() -> None:
    clean, guess, noise = (some(5, 2, 4, 4, seed=seed) for seed in range(3))
    abar = alpha_bar(torch.tensor([1.0, 100.0, 500.0, 900.0, 999.0]), "cosine", T)
    mixed = noisy(clean, noise, abar)
    assert torch.allclose(residual_input(mixed, guess, abar, 1.0), noisy(clean - guess, noise, abar))
    output = training_target("v", clean - guess, noise, abar)
    v = residual_output("v", output, mixed, guess, abar, 1.0)
    assert torch.allclose(v, training_target("v", clean, noise, abar))


@pytest.mark.parametrize("sd", [0.2, 0.7])
def test_input_and_target_have_unit_variance_where_the_truth_lies_as_said_about_the_guess(sd: float) -> None:
    guess = some(1, 1, 300, 300)
    clean, noise = guess + sd * some(1, 1, 300, 300, seed=1), some(1, 1, 300, 300, seed=2)
    for t in (50.0, 500.0, 980.0):
        abar = alpha_bar(torch.tensor([t]), "cosine", T)
        mixed = noisy(clean, noise, abar)
        assert residual_input(mixed, guess, abar, sd).std().item() == pytest.approx(1, abs=0.02)
        missing = training_target("v", clean, noise, abar) - residual_output("v", 0 * mixed, mixed, guess, abar, sd)
        one = residual_output("v", torch.ones_like(mixed), mixed, guess, abar, sd)
        scale = (one - residual_output("v", 0 * mixed, mixed, guess, abar, sd)).mean()
        assert (missing / scale).std().item() == pytest.approx(1, abs=0.02)
        weight = residual_weight(abar, sd)
        assert (weight.sqrt() * missing).std().item() == pytest.approx(1, abs=0.02)


def test_samples_without_any_correction_spread_about_the_guess_as_said() -> None:
    """A denoiser that never corrects is exact for N(guess, sd^2): the samplers must return that."""
    sd, guess = 0.3, some(1, 2, 1, 1).expand(4000, -1, -1, -1)

    def call(latent: torch.Tensor, t: float) -> torch.Tensor:
        abar = alpha_bar(torch.tensor([t]), "cosine", T)
        return residual_output("v", torch.zeros_like(latent), latent, guess, abar, sd)

    diffusion = DiffusionConfig(prediction="v")
    *_, last = run_sampler(
        "dpm-solver++", 20, call, some(*guess.shape, seed=3), diffusion, noise=lambda _: torch.zeros_like(guess)
    )
    assert torch.allclose(last.mean(dim=0), guess[0], atol=0.03)
    assert last.std(dim=0).mean().item() == pytest.approx(sd, rel=0.1)
