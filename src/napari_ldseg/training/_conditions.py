"""Make the denoiser's condition in training: embedding, a possibly damaged first guess, and simulated prompts."""

import torch
from torch import Tensor

from ..config import TrainConfig
from ..diffusion import alpha_bar, to_clean
from ..networks import LDSeg
from ._damage import damaged
from ._distributed import own, world
from ._prompts import prompt_maps

# Share of the timesteps at which the estimate is made that the second half of the prompts corrects, and of the batches.
EARLY, AGAIN = 0.95, 0.5


def conditions(
    model: LDSeg,
    embedding: Tensor,
    guess: Tensor | None,
    masks: Tensor,
    config: TrainConfig,
    generator: torch.Generator,
) -> Tensor:
    """Return the condition of each crop, (N, W, *cells).

    Parameters
    ----------
    model : LDSeg
    embedding : tensor, shape (N, E, *cells)
    guess : integer tensor, shape (N, *S), or None
        The classes of the first guess.
    masks : tensor, shape (N, classes, *S)
        Annotated shares, which the prompts are taken from.
    config : TrainConfig
    generator : torch.Generator
    """
    embedding, guess = damaged(model, embedding, guess, config, generator)
    if model.prompt_encoder is None or not config.prompt_share:
        return model.condition(embedding)
    estimate = one_step(model, model.condition(embedding), generator) if guess is None else guess
    radius = max(1.5, model.config.network.factor / 2)
    prompts = prompt_maps(estimate, masks, config, radius, generator)
    if float(torch.rand((), generator=generator)) < AGAIN:
        estimate = one_step(model, model.condition(embedding, prompts), generator)
        prompts = prompt_maps(estimate, masks, config, radius, generator, before=prompts)
    return model.condition(embedding, prompts)


@torch.no_grad()
def one_step(model: LDSeg, condition: Tensor, generator: torch.Generator) -> Tensor:
    """Return the classes (N, *S) that one denoiser call predicts from pure noise: about the most likely mask."""
    diffusion = model.config.diffusion
    n, cells = len(condition), condition.shape[2:]
    noise = own(torch.randn(n * world(), model.config.network.latent_channels, *cells, generator=generator))
    noise = noise.to(condition)
    t = torch.full((1,), EARLY * (diffusion.timesteps - 1))
    abar = alpha_bar(t, diffusion.schedule, diffusion.timesteps)
    output = model.predict(noise, t.to(noise), condition)
    return model.decode(to_clean(diffusion.prediction, output, noise, abar)).argmax(dim=1)
