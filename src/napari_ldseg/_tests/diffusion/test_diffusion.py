"""Schedules, parameterisations and samplers: closed forms and diffusers' schedulers."""

import math
from typing import Any, get_args

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler
from hypothesis import given, strategies as st
from torch import Tensor

from ...config import SAMPLER_FACTS, DiffusionConfig, Prediction, SamplerName, Schedule
from ...diffusion import (
    SAMPLERS,
    alpha_bar,
    append_dims,
    ddim,
    ddpm,
    denoiser_to_clean,
    dpm_solver_pp,
    log_snr,
    noisy,
    run_sampler,
    time_grid,
    to_clean,
    to_noise,
    training_target,
)
from ...errors import InputError

SCHEDULES: list[Schedule] = ["cosine", "linear", "quadratic"]
PREDICTIONS: list[Prediction] = ["epsilon", "sample", "v"]
NAMES: list[SamplerName] = ["ddpm", "ddim", "dpm-solver++", "ldseg-release", "ldseg-release-ddpm"]
RELEASE = ("ldseg-release", "ldseg-release-ddpm")
T = 1000


def grid(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def no_noise(step: int) -> Tensor:
    raise AssertionError(f"noise was asked for in step {step}")


def toy(latent: Tensor, t: float) -> Tensor:
    """Stand in for a network: not linear, and different at each timestep."""
    return 0.7 * torch.tanh(latent) + 0.2 * math.sin(t / 300)


# --- schedules


def published(**settings: Any) -> Tensor:
    """Return the alpha_bar of diffusers (its defaults: 1000 timesteps, beta 1e-4 to 0.02), a float32 product."""
    kind: Any = DDPMScheduler
    abar: Tensor = kind(**settings).alphas_cumprod.double()
    return abar


def test_cosine_is_the_closed_form() -> None:
    values = alpha_bar(grid(0, 499.5, 999), "cosine", T)
    assert values.dtype == torch.float64
    assert values[0] == 1
    middle = math.cos((0.4995 + 0.008) / 1.008 * math.pi / 2) ** 2 / math.cos(0.008 / 1.008 * math.pi / 2) ** 2
    assert values[1].item() == pytest.approx(middle, rel=1e-12)
    assert values[2].item() == pytest.approx(2.43e-6, rel=2e-3)


@pytest.mark.parametrize(("schedule", "name"), [("linear", "linear"), ("quadratic", "scaled_linear")])
def test_beta_schedules_are_those_of_diffusers(schedule: Schedule, name: str) -> None:
    theirs = published(beta_schedule=name)
    ours = alpha_bar(torch.arange(T), schedule, T)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


def test_cosine_stands_one_index_before_diffusers() -> None:
    theirs = published(beta_schedule="squaredcos_cap_v2")
    torch.testing.assert_close(alpha_bar(torch.arange(1, T), "cosine", T), theirs[:-1], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("timesteps", [2, 10, 1000])
def test_alpha_bar_falls_and_stays_positive(schedule: Schedule, timesteps: int) -> None:
    values = alpha_bar(torch.linspace(0, timesteps - 1, 301), schedule, timesteps)
    assert (values.diff() < 0).all()
    assert 0 < values.min() <= values.max() <= 1


def test_between_integers_the_logarithm_is_interpolated() -> None:
    low, middle, high = alpha_bar(grid(400, 400.25, 401), "linear", T).log().tolist()
    assert middle == pytest.approx(0.75 * low + 0.25 * high, rel=1e-12)


@pytest.mark.parametrize("ndim", [2, 3])
def test_noisy_scales_each_image_by_its_own_timestep(ndim: int) -> None:
    shape = (2, 1) + (3,) * ndim
    mixed = noisy(torch.ones(shape), torch.full(shape, 2.0), grid(1.0, 0.36))
    assert mixed.dtype == torch.float32
    torch.testing.assert_close(mixed[0], torch.ones(shape[1:]))
    torch.testing.assert_close(mixed[1], torch.full(shape[1:], 0.6 + 0.8 * 2))
    assert append_dims(grid(1, 2), mixed).shape == (2, 1) + (1,) * ndim


# --- the timesteps of the calls


def test_even_grid_starts_at_the_last_timestep_and_wastes_no_call() -> None:
    assert time_grid("ddpm", 10, "cosine", T).tolist() == [999, 899, 799, 699, 599, 500, 400, 300, 200, 100]
    assert time_grid("ddim", 1, "cosine", T).tolist() == [999]


def test_log_snr_grid_is_even_in_log_snr() -> None:
    times = time_grid("dpm-solver++", 10, "cosine", T)
    assert times[0].item() == pytest.approx(0.985 * 999)
    gaps = log_snr(alpha_bar(times, "cosine", T)).diff()
    torch.testing.assert_close(gaps, gaps.mean().expand(9), rtol=1e-6, atol=0)
    assert log_snr(alpha_bar(times, "cosine", T))[-1].item() == pytest.approx(9)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(("steps", "timesteps"), [(1, 2), (2, 2), (7, 10), (10, 1000), (998, 1000), (1000, 1000)])
def test_every_grid_descends_and_only_the_release_s_to_zero(
    name: SamplerName, schedule: Schedule, steps: int, timesteps: int
) -> None:
    steps = max(steps, 1 + (name in RELEASE))
    times = time_grid(name, steps, schedule, timesteps)
    assert times.shape == (steps,)
    assert times.dtype == torch.float64
    assert (times.diff() < 0).all()
    assert times[0] <= timesteps - 1
    assert (times[-1] == 0) == (name in RELEASE)
    assert (alpha_bar(times[-1], schedule, timesteps) == 1) == (name in RELEASE and schedule == "cosine")


@pytest.mark.parametrize("steps", [0, 11])
def test_impossible_numbers_of_steps_are_refused(steps: int) -> None:
    with pytest.raises(InputError, match=rf"{steps} sampling steps do not fit .* take between 1 and 10"):
        time_grid("ddpm", steps, "cosine", 10)


# --- parameterisations

REAL = st.floats(-5, 5)


@given(clean=REAL, noise=REAL, abar=st.floats(1e-4, 0.9999), prediction=st.sampled_from(PREDICTIONS))
def test_the_exact_prediction_leads_back(clean: float, noise: float, abar: float, prediction: Prediction) -> None:
    x0, eps, a = grid(clean).reshape(1, 1), grid(noise).reshape(1, 1), grid(abar)
    mixed = noisy(x0, eps, a)
    output = training_target(prediction, x0, eps, a)
    back = to_clean(prediction, output, mixed, a)
    torch.testing.assert_close(back, x0, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(to_noise(back, mixed, a), eps, rtol=1e-6, atol=1e-6)


def test_v_by_hand() -> None:
    v = training_target("v", torch.tensor([[2.0]]), torch.tensor([[1.0]]), grid(0.36))
    assert v.item() == pytest.approx(0.6 * 1 - 0.8 * 2)


def test_without_noise_there_is_none_to_find() -> None:
    clean = torch.tensor([[2.0]])
    assert to_noise(clean, clean, grid(1.0)).item() == 0


# --- samplers against diffusers


def scheduler(kind: Any, prediction: Prediction, schedule: Schedule, **settings: Any) -> Any:
    """Build one of diffusers' schedulers on our alpha_bar, kept in float64."""
    abar = alpha_bar(torch.arange(T), schedule, T)
    before = torch.cat([torch.ones(1, dtype=torch.float64), abar[:-1]])
    prediction_type = "v_prediction" if prediction == "v" else prediction
    built = kind(
        num_train_timesteps=T, trained_betas=(1 - abar / before).numpy(), prediction_type=prediction_type, **settings
    )
    torch.testing.assert_close(built.alphas_cumprod.double(), abar, rtol=1e-2, atol=1e-6)
    # The cosine's 1 at t = 0, which no test visits, would be an infinite log-SNR to diffusers.
    built.alphas_cumprod = abar.clamp_max(1 - 1e-12)
    return built


def trajectory(built: Any, latent: Tensor, **settings: Any) -> list[Tensor]:
    steps = []
    for t in built.timesteps:
        latent = built.step(toy(latent, float(t)), t, latent, **settings).prev_sample
        steps.append(latent)
    return steps


def assert_same(ours: list[Tensor], theirs: list[Tensor]) -> None:
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-5)


@pytest.fixture
def latent() -> Tensor:
    return torch.randn(2, 1, 4, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_ddpm_follows_diffusers(prediction: Prediction, schedule: Schedule, latent: Tensor) -> None:
    times = time_grid("ddpm", 10, schedule, T)
    theirs = scheduler(DDPMScheduler, prediction, schedule, clip_sample=False)
    theirs.set_timesteps(timesteps=times.long().tolist())
    expected = trajectory(theirs, latent, generator=torch.Generator().manual_seed(2))
    drawn = torch.Generator().manual_seed(2)
    abars = alpha_bar(times, schedule, T)
    steps = ddpm(
        denoiser_to_clean(toy, prediction, times, abars),
        latent,
        abars,
        noise=lambda step: torch.randn(latent.shape, generator=drawn, dtype=latent.dtype),
    )
    # In its last step diffusers adds noise of variance 1e-20.
    assert_same(list(steps), expected)


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("eta", [0.0, 0.5])
def test_ddim_follows_diffusers(prediction: Prediction, eta: float, latent: Tensor) -> None:
    theirs = scheduler(DDIMScheduler, prediction, "cosine", clip_sample=False, timestep_spacing="trailing")
    theirs.set_timesteps(10)
    noise = torch.randn(10, *latent.shape, generator=torch.Generator().manual_seed(2), dtype=latent.dtype)
    expected, current = [], latent
    for step, t in enumerate(theirs.timesteps):
        current = theirs.step(
            toy(current, float(t)), int(t), current, eta=eta, variance_noise=noise[step] if eta else None
        ).prev_sample
        expected.append(current)
    injected = noise.__getitem__ if eta else no_noise
    times = theirs.timesteps.double()
    abars = alpha_bar(times, "cosine", T)
    denoise = denoiser_to_clean(toy, prediction, times, abars)
    assert_same(list(ddim(denoise, latent, abars, noise=injected, eta=eta)), expected)


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("steps", [1, 2, 10, 20])
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # raised within diffusers
def test_dpm_solver_follows_diffusers(prediction: Prediction, schedule: Schedule, steps: int, latent: Tensor) -> None:
    times = time_grid("dpm-solver++", steps, schedule, T).round().clamp_min(1)
    theirs = scheduler(DPMSolverMultistepScheduler, prediction, schedule)
    theirs.set_timesteps(timesteps=times.long().tolist())
    abars = alpha_bar(times, schedule, T)
    denoise = denoiser_to_clean(toy, prediction, times, abars)
    assert_same(list(dpm_solver_pp(denoise, latent, abars, noise=no_noise)), trajectory(theirs, latent))


# --- all samplers


def test_each_sampler_has_its_steps_and_its_facts() -> None:
    assert set(SAMPLERS) == set(SAMPLER_FACTS) == set(get_args(SamplerName))
    coupled = {name for name, facts in SAMPLER_FACTS.items() if facts.couples_batch}
    assert coupled == {name for name, facts in SAMPLER_FACTS.items() if facts.fewest_steps == 2} == set(RELEASE)


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_k_calls_k_latents_and_the_last_is_the_last_estimate(name: SamplerName, ndim: int, steps: int) -> None:
    steps = max(steps, 1 + (name in RELEASE))
    latent = torch.randn((2, 3) + (4,) * ndim, generator=torch.Generator().manual_seed(0))
    estimates, asked = [], []

    def denoise(noisy: Tensor, t: float) -> Tensor:
        estimates.append(toy(noisy, t))
        return estimates[-1]

    def noise(step: int) -> Tensor:
        asked.append(step)
        return torch.zeros_like(latent)

    start = latent.clone()
    out = list(run_sampler(name, steps, denoise, latent, DiffusionConfig(prediction="sample"), noise=noise))
    assert len(out) == len(estimates) == steps
    assert all(step.shape == latent.shape and step.dtype == torch.float32 for step in out)
    last = estimates[-1]
    if name in RELEASE:
        last = (last - last.mean()) / (last.std(correction=0) + 1e-5)
    assert torch.equal(out[-1], last)
    assert torch.equal(latent, start)
    # The release's last step goes from t = 0, and its step before to there, without any noise left.
    noisy_steps = {"ddpm": steps - 1, "ldseg-release-ddpm": max(steps - 2, 0)}
    assert asked == list(range(noisy_steps.get(name, 0)))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in RELEASE])
def test_a_certain_denoiser_is_believed(name: SamplerName) -> None:
    *_, last = run_sampler(
        name,
        10,
        lambda noisy, t: torch.full_like(noisy, 3.0),
        torch.zeros(1, 1, 2, 2),
        DiffusionConfig(prediction="sample"),
        noise=lambda step: torch.ones(1, 1, 2, 2),
    )
    assert torch.equal(last, torch.full((1, 1, 2, 2), 3.0))
