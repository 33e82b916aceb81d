"""Where the samplers of the authors' release differ from ours, from its own stored trajectories."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_ldseg.diffusion import ddim, ddpm

REFERENCE = Path(__file__).parents[3].parent / "shared" / "reference"


@pytest.mark.data
@pytest.mark.skipif(not REFERENCE.is_dir(), reason="needs ../shared/reference")
@pytest.mark.parametrize("folder", ["keras2d", "keras3d"])
def test_the_release_renormalises_each_step_and_wastes_the_last(folder: str) -> None:
    with np.load(REFERENCE / folder / "reference.npz") as stored:
        start, noise, by_ddim, by_ddpm = (
            torch.from_numpy(stored[key].astype(np.float64)) for key in ("z_T", "noise", "ddim", "ddpm")
        )
    times = torch.linspace(999, 0, 10, dtype=torch.float64)
    # Its last call, at t = 0, changes nothing: ours goes to the clean latent instead.
    for steps in (by_ddim, by_ddpm):
        torch.testing.assert_close(steps[10], steps[9], rtol=0, atol=2e-5)
        assert steps[1:].mean((1, 2, 3, 4)).abs().max() < 1e-5  # one mean and deviation for the whole batch
        assert (steps[1:].flatten(1).std(1, correction=0) - 1).abs().max() < 1e-4
    assert by_ddim.flatten(2).mean(2)[1:].abs().max() > 1e-3  # ... not for each image

    def first(sampler: Any, clean: Tensor) -> Tensor:
        step: Tensor = next(sampler(lambda noisy, t: clean, start, times, "cosine", 1000, noise=noise.__getitem__))
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
