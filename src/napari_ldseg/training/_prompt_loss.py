"""The loss by which prompts learn to correct the first guess, with all other networks as they are."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..config import TrainConfig
from ..errors import EngineError
from ..networks import GuessCorrector, LDSeg
from ._conditions import AGAIN
from ._damage import damaged
from ._losses import Batch, annotated, cross_entropy, weighted_mse
from ._prompts import prompt_maps


def prompt_loss(model: LDSeg, batch: Batch, config: TrainConfig, generator: torch.Generator) -> Tensor:
    """Mean squared error of corrected guesses near the prompts, and cross-entropy of what they decode to.

    A second half of the prompts is given at the errors that the first half leaves.
    """
    encoder, embedding, guess = model.prompt_encoder, batch.embedding, batch.guess
    if not isinstance(encoder, GuessCorrector) or embedding is None or guess is None:
        raise EngineError("Only prompts that correct a first guess learn by this loss.")
    config = config.replace(prompt_share=1.0)  # a crop without prompts teaches nothing
    radius = max(1.5, model.config.network.factor / 2)
    with torch.no_grad():
        clean = model.encode(batch.complete) if batch.latent is None else batch.latent
        embedding, seen = damaged(model, embedding, guess, config, generator)
        assert seen is not None
        condition = model.condition(embedding)
        prompts = prompt_maps(seen, batch.masks, config, radius, generator)
        if float(torch.rand((), generator=generator)) < AGAIN:
            estimate = model.decode(_corrected(model, condition, prompts)).argmax(dim=1)
            prompts = prompt_maps(estimate, batch.masks, config, radius, generator, before=prompts)
    corrected = _corrected(model, condition, prompts)
    close = encoder.near(prompts)
    cells = F.interpolate(annotated(batch.masks), size=clean.shape[2:], mode="area")
    loss = weighted_mse(corrected, clean, cells * close)
    if not config.decoded_weight:
        return loss
    some = max(1, round(config.decoded_share * len(clean)))
    pixels = F.interpolate(close[:some], size=batch.masks.shape[2:], mode="nearest")
    decoded = cross_entropy(model.decode(corrected[:some]), batch.masks[:some] * pixels)
    return loss + config.decoded_weight * decoded


def _corrected(model: LDSeg, condition: Tensor, prompts: Tensor) -> Tensor:
    """Return the latent of the corrected guess, (N, L, *cells)."""
    return model.tell(condition, prompts)[:, -model.config.network.latent_channels :]
