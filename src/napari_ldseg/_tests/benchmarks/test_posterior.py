"""The toy posterior: an exact denoiser, a known Gaussian, and the spread that each sampler returns."""

import runpy
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from ...config import ModelConfig, SamplerName, Schedule

SCRIPT = Path(__file__).parents[4] / "benchmarks" / "evidence" / "posterior.py"
returned_moments = runpy.run_path(str(SCRIPT))["returned_moments"]


@pytest.mark.parametrize("schedule", ["cosine", "linear", "quadratic"])
@pytest.mark.parametrize("sd", [0.1, 0.3])
@pytest.mark.parametrize("steps", [8, 10, 15])
def test_dpm_solver_returns_the_true_spread(steps: int, sd: float, schedule: Schedule) -> None:
    mean, ratio = returned_moments("dpm-solver++", steps, sd, schedule=schedule)
    assert 0.95 <= ratio <= 1.05
    assert mean == pytest.approx(1, abs=0.01)


def test_the_default_of_models_is_calibrated_with_room_to_spare() -> None:
    default = ModelConfig.parse({})
    assert (default.sampler, default.steps) == ("dpm-solver++", 10)
    ratios = [returned_moments(default.sampler, default.steps, sd)[1] for sd in (0.05, 0.1, 0.2, 0.3, 0.5)]
    assert all(0.955 <= ratio <= 1.035 for ratio in ratios), ratios


# The published samplers: what the documentation quotes.
@pytest.mark.parametrize(
    ("sampler", "steps", "narrow", "wide"),
    [
        ("ddpm", 10, 0.470, 0.715),
        ("ddpm", 15, 0.579, 0.779),
        ("ddpm", 200, 0.935, 0.972),
        ("ddim", 10, 0.489, 0.789),
        ("ddim", 15, 0.615, 0.855),
        ("ddim", 200, 0.962, 0.988),
    ],
)
def test_published_samplers_return_this_much(sampler: SamplerName, steps: int, narrow: float, wide: float) -> None:
    # 20 000 draws leave the injected noise of DDPM a standard error of half a percent; DDIM injects none.
    slack = 0.02 if sampler == "ddpm" else 0.002
    for sd, expected in ((0.1, narrow), (0.3, wide)):
        mean, ratio = returned_moments(sampler, steps, sd)
        assert ratio == pytest.approx(expected, abs=slack)
        assert mean == pytest.approx(1, abs=0.01)


# The release's own: re-normalising each step also pulls the mean of a broad posterior in.
@pytest.mark.parametrize(
    ("sampler", "steps", "narrow", "wide"),
    [
        ("ldseg-release", 10, (0.999, 0.453), (0.976, 0.725)),
        ("ldseg-release", 15, (0.998, 0.591), (0.971, 0.791)),
        ("ldseg-release", 200, (0.996, 0.950), (0.962, 0.909)),
        ("ldseg-release-ddpm", 10, (0.999, 0.438), (0.979, 0.674)),
        ("ldseg-release-ddpm", 15, (0.998, 0.559), (0.975, 0.741)),
        ("ldseg-release-ddpm", 200, (0.996, 0.929), (0.959, 0.941)),
    ],
)
def test_release_returns_this_much(
    sampler: SamplerName, steps: int, narrow: tuple[float, float], wide: tuple[float, float]
) -> None:
    slack = 0.02 if sampler == "ldseg-release-ddpm" else 0.002
    for sd, expected in ((0.1, narrow), (0.3, wide)):
        mean, ratio = returned_moments(sampler, steps, sd)
        assert mean == pytest.approx(expected[0], abs=0.002)
        assert ratio == pytest.approx(expected[1], abs=slack)


@pytest.mark.parametrize("sampler", ["ddpm", "ddim", "dpm-solver++"])
def test_one_step_gives_the_mean_and_nothing_else(sampler: SamplerName) -> None:
    mean, ratio = returned_moments(sampler, 1, 0.1)
    assert mean == pytest.approx(1, abs=1e-3)
    assert ratio < 0.01


@pytest.mark.parametrize("sd", [0.1, 0.3])
def test_more_steps_do_not_make_dpm_solver_worse(sd: float) -> None:
    faults = [abs(returned_moments("dpm-solver++", k, sd, draws=2000)[1] - 1) for k in range(5, 21)]
    assert faults[0] < 0.16
    assert max(faults[2:]) < 0.05  # from K = 7 on
    # Past the overshoot at K of about 10 the fault only shrinks; before, it shrinks to below the overshoot's 3 %.
    assert all(after <= before + 1e-3 for before, after in pairwise(faults[8:]))
    assert all(after <= max(before, 0.03) for before, after in pairwise(faults))


@pytest.mark.parametrize("sampler", ["ddpm", "ddim"])
def test_more_steps_widen_the_published_samplers(sampler: SamplerName) -> None:
    ratios = torch.tensor([returned_moments(sampler, k, 0.1)[1] for k in range(5, 21, 3)])
    assert (ratios.diff() > 0).all()
    assert ratios.max() < 0.75
