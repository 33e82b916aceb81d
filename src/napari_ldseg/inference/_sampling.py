"""Samples of one embedded frame: the only place where networks meet diffusion."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from ..config import SamplerName
from ..diffusion import SAMPLERS, denoiser_to_clean, time_grid
from ..networks import LDSeg


def sample_generator(seed: int, sample: int) -> torch.Generator:
    """Return the random numbers of one sample: the same on every device, for every batch size and number N."""
    state = int(np.random.SeedSequence((seed, sample)).generate_state(1, np.uint64)[0] >> np.uint64(1))
    return torch.Generator().manual_seed(state)


def sample_latents(
    model: LDSeg, condition: Tensor, samples: range, *, seed: int, sampler: SamplerName, steps: int
) -> Iterator[Tensor]:
    """Draw latents for one image, yielding the whole batch after each step (LDSeg, algorithm 2).

    Parameters
    ----------
    model : LDSeg
    condition : tensor, shape (len(samples) or 1, W, *cells)
        ``model.condition(embedding)`` of the image, or of the view of it that each sample takes.
    samples : range
        Indices of the samples; sample 7 is the same picture whatever else is drawn with it, except by the samplers
        of the LDSeg release, which re-normalise the batch.
    seed, sampler, steps
        See :class:`SegmentConfig`.

    Yields
    ------
    tensor, shape (len(samples), latent_channels, *cells)
        The last one is the clean latent m0.
    """
    diffusion = model.config.diffusion
    shape = (model.config.network.latent_channels, *condition.shape[2:])
    generators = [sample_generator(seed, sample) for sample in samples]

    def noise(step: int) -> Tensor:
        del step  # each generator goes on where it stopped
        return torch.stack([torch.randn(shape, generator=generator) for generator in generators]).to(condition)

    @torch.inference_mode()
    def call(latent: Tensor, t: float) -> Tensor:
        return model.predict(latent, torch.full((1,), t, device=latent.device), condition)

    denoise = denoiser_to_clean(call, diffusion.prediction, diffusion.schedule, diffusion.timesteps)
    times = time_grid(sampler, steps, diffusion.schedule, diffusion.timesteps)
    yield from SAMPLERS[sampler](denoise, noise(-1), times, diffusion.schedule, diffusion.timesteps, noise=noise)


def mirror(x: Tensor, view: int, ndim: int) -> Tensor:
    """Return the mirror image number ``view`` of the last ``ndim`` axes: bit 0 flips x, bit 1 y, bit 2 z.

    Each is its own inverse. Number 0 is the image itself.
    """
    axes = [-1 - bit for bit in range(ndim) if view >> bit & 1]
    return x.flip(axes) if axes else x


@torch.inference_mode()
def decode_probabilities(model: LDSeg, latents: Tensor) -> Tensor:
    """Return class probabilities (N, C, *grid) of latents; memory is bounded by the batch."""
    return model.decode(latents).float().softmax(dim=1)
