"""How the samplers of the authors' implementation differ from ours, from stored trajectories."""

from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from torch import Tensor

from ... import SegmentConfig, segment
from ...config import DiffusionConfig, SamplerName
from ...data import Image
from ...diffusion import alpha_bar, ddim, ddpm, release_ddpm, run_sampler, time_grid
from ...errors import InputError
from ..builders import make_ramp, make_tiny_model
from ..shared import SHARED, needs

AUTHORS = needs("reference/keras2d", "reference/keras3d")


def write_trajectories(path: Path, shape: tuple[int, ...]) -> Path:
    """Trajectories of two images by diffusers, re-normalised after each of ten steps, from some smooth denoiser."""
    kind: Any = diffusers.DDIMScheduler
    scheduler = kind(clip_sample=False, prediction_type="epsilon")
    # At exactly 1 the variance of the last step would be 0 / 0.
    scheduler.alphas_cumprod = alpha_bar(torch.arange(1000), "cosine", 1000).clamp_max(1 - 1e-12)
    scheduler.num_inference_steps = 9  # 111 timesteps between calls: 999, 888, ..., 0
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(2, *shape, 1, generator=generator, dtype=torch.float64)
    noise = torch.randn(10, *start.shape, generator=generator, dtype=torch.float64)
    image = torch.tensor([-0.5, 0.8]).double().reshape(2, *[1] * (len(shape) + 1))
    stored = {"z_T": start, "noise": noise}
    for name, eta in (("ddim", 0.0), ("ddpm", 1.0)):
        latent, steps = start, [start]
        for step in range(10):
            predicted = torch.tanh(latent / 2 + latent.roll(1, dims=1) + image)
            options = {"eta": eta, "variance_noise": noise[step]}
            latent = scheduler.step(predicted, 999 - 111 * step, latent, **options).prev_sample
            latent = (latent - latent.mean()) / (latent.std(correction=0) + 1e-5)
            steps.append(latent)
        stored[name] = torch.stack(steps)
    arrays: dict[str, Any] = {name: values.numpy().astype(np.float32) for name, values in stored.items()}
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize(
    ("file", "shape"),
    [
        (None, (12, 8)),
        (None, (4, 4, 8)),
        pytest.param(SHARED / "reference/keras2d/reference.npz", (), marks=AUTHORS),
        pytest.param(SHARED / "reference/keras3d/reference.npz", (), marks=AUTHORS),
    ],
    ids=["small 2D", "small 3D", "the authors' 2D", "the authors' 3D"],
)
def test_the_authors_renormalise_each_step_and_waste_the_last(
    tmp_path: Path, file: Path | None, shape: tuple[int, ...]
) -> None:
    with np.load(file or write_trajectories(tmp_path / "reference.npz", shape)) as stored:
        start, noise, by_ddim, by_ddpm = (
            torch.from_numpy(stored[key].astype(np.float64)) for key in ("z_T", "noise", "ddim", "ddpm")
        )
    abars = alpha_bar(torch.linspace(999, 0, 10, dtype=torch.float64), "cosine", 1000)
    # Its last call, at t = 0, changes nothing: ours goes to the clean latent instead.
    for steps in (by_ddim, by_ddpm):
        torch.testing.assert_close(steps[10], steps[9], rtol=0, atol=2e-5)
        assert steps[1:].mean((1, 2, 3, 4)).abs().max() < 1e-5  # one mean and deviation for the whole batch
        assert (steps[1:].flatten(1).std(1, correction=0) - 1).abs().max() < 1e-4
    assert by_ddim.flatten(2).mean(2)[1:].abs().max() > 1e-3  # ... not for each image

    def first(sampler: Any, clean: Tensor) -> Tensor:
        step: Tensor = next(sampler(lambda noisy, step: clean, start, abars, noise=noise.__getitem__))
        return step

    # Both samplers start from one latent, so from one prediction. DDIM's first step, k * by_ddim[1] up to a constant
    # before it was re-normalised, gives that prediction up to the one number k; DDPM's first step, with 192 or 256
    # numbers, must then follow from our formula, re-normalised (that is, up to a factor and a constant).
    offset = first(ddim, torch.zeros_like(start))
    slope = (first(ddim, torch.ones_like(start)) - offset).mean()
    guesses = [first(ddpm, (k * by_ddim[1] - offset) / slope).flatten() for k in (0.0, 1.0)]
    columns = torch.stack([guesses[0], guesses[1] - guesses[0], torch.ones_like(guesses[0])], 1)
    fit = torch.linalg.lstsq(columns, by_ddpm[1].flatten()[:, None], driver="gelsd").solution
    torch.testing.assert_close((columns @ fit)[:, 0], by_ddpm[1].flatten(), rtol=0, atol=5e-6)
    assert fit[0] < 0.1  # the factor: the step was more than ten times too wide before


RELEASE: list[SamplerName] = ["ldseg-release", "ldseg-release-ddpm"]


@pytest.mark.parametrize("name", RELEASE)
def test_timesteps_are_real_and_end_at_zero(name: SamplerName) -> None:
    assert time_grid(name, 4, "cosine", 1000).tolist() == [999, 666, 333, 0]
    assert time_grid(name, 5, "cosine", 1000).tolist() == [999, 749.25, 499.5, 249.75, 0]


@pytest.mark.parametrize("name", RELEASE)
def test_a_single_step_would_remove_nothing_and_is_refused(name: SamplerName) -> None:
    """Its only call would be at t = 0, and the result the noise itself."""
    with pytest.raises(InputError, match=f"last step of the sampler '{name}' removes no noise.*take 2 steps or more"):
        time_grid(name, 1, "cosine", 1000)
    assert time_grid(name, 2, "cosine", 1000).tolist() == [999, 0]
    with pytest.raises(InputError, match=f"last step of the sampler '{name}' removes no noise.*take 2 steps or more"):
        SegmentConfig().replace(sampler=name, steps=1)
    assert SegmentConfig(sampler=name, steps=2).steps == 2


@pytest.mark.parametrize("name", RELEASE)
def test_each_step_has_mean_0_and_sd_1_over_the_batch_and_not_for_each_sample(name: SamplerName) -> None:
    generator = torch.Generator().manual_seed(0)
    latent = torch.randn(3, 1, 4, 4, generator=generator)
    steps = run_sampler(
        name,
        4,
        lambda noisy, t: noisy / 2 + torch.tensor([0.0, 1.0, 2.0]).reshape(3, 1, 1, 1),
        latent,
        DiffusionConfig(prediction="sample"),
        noise=lambda step: torch.randn(latent.shape, generator=generator),
    )
    for step in steps:
        assert float(step.mean()) == pytest.approx(0, abs=1e-6)
        assert float(step.std(correction=0)) == pytest.approx(1, abs=1e-4)
        assert step.mean((1, 2, 3)).abs().max() > 0.1


def test_last_step_adds_noise_where_the_schedule_has_some_left() -> None:
    def last(schedule: Any, noise: float) -> Tensor:
        abars = alpha_bar(time_grid("ldseg-release-ddpm", 2, schedule, 1000)[1:], schedule, 1000)
        latent = torch.arange(4.0).reshape(1, 1, 2, 2)
        steps = release_ddpm(lambda noisy, step: noisy, latent, abars, noise=lambda step: noise * latent.square())
        return next(steps)

    assert torch.equal(last("cosine", 0), last("cosine", 1))
    assert not torch.allclose(last("linear", 0), last("linear", 1), atol=1e-4)


@pytest.mark.parametrize("name", RELEASE)
def test_a_sample_depends_on_its_company_and_on_nothing_else(name: SamplerName) -> None:
    model, image = make_tiny_model(2), Image(make_ramp((32, 32, 3)), "yxc")

    def sizes(samples: int, batch: int) -> Any:
        config = SegmentConfig(samples=samples, steps=3, batch=batch, sampler=name, device="cpu")
        *_, last = segment(model, image, config)
        assert last.preview is not None
        assert last.preview.provenance["batch"] == batch
        return last.preview.sizes

    alone, together = sizes(4, 1), sizes(4, 3)
    np.testing.assert_array_equal(together, sizes(4, 3))  # the same settings give the same result
    np.testing.assert_array_equal(alone[0], together[0])  # the first sample is always computed alone
    np.testing.assert_array_equal(alone, sizes(5, 1)[:4])  # a batch of one is independent of the number
    assert (alone[1:] != together[1:]).any()
