"""Fill in partly annotated masks, because a latent needs a whole mask.

The filled-in part weighs nothing in any loss (:mod:`._losses`); it only surrounds what is annotated. In the
autoencoder's stage, which knows no image, a pixel takes the classes of the nearest annotated one. In the denoiser's
stage it takes the class probabilities that the averaged model itself sees in the image: its first guess, or, for
networks without one, the mask that it makes in one step out of the noised latent of the nearest-pixel filling.
"""

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from ..diffusion import alpha_bar, noisy, to_clean
from ..networks import LDSeg
from ._dataset import WHOLE
from ._losses import annotated

NOISE_TIME = 0.75


def is_partial(masks: Tensor) -> bool:
    """Whether something in these masks (N, classes, *S) is not annotated."""
    return bool((masks.sum(dim=1) < WHOLE).any())


def fill_nearest(masks: Tensor) -> Tensor:
    """Fill in the classes of the nearest annotated pixel; without any, all classes are equally likely."""
    filled = []
    for mask in masks.cpu().numpy():
        share = mask.sum(axis=0)
        if share.max() < 0.5:
            nearest = np.full_like(mask, 1 / len(mask))
        else:
            index = ndimage.distance_transform_edt(share < 0.5, return_distances=False, return_indices=True)
            nearest = (mask / np.maximum(share, 1e-6))[(slice(None), *index)]
        filled.append(mask + np.maximum(1 - share, 0) * nearest)
    return torch.from_numpy(np.stack(filled)).to(masks)


@torch.no_grad()
def fill_predicted(model: LDSeg, images: Tensor, masks: Tensor) -> Tensor:
    """Fill in the model's own prediction."""
    embedding, guess = model.embed(images)
    if guess is None:
        guess = model.decode(_one_step(model, embedding, fill_nearest(masks)))
    return masks + (1 - annotated(masks)) * guess.float().softmax(dim=1)


def _one_step(model: LDSeg, embedding: Tensor, masks: Tensor) -> Tensor:
    """Return the latent that the denoiser makes in one step of the noised latent of these masks."""
    diffusion = model.config.diffusion
    clean = model.encode(masks)
    t = torch.full((len(clean),), NOISE_TIME * diffusion.timesteps)
    abar = alpha_bar(t, diffusion.schedule, diffusion.timesteps)
    noised = noisy(clean, torch.randn(clean.shape, generator=torch.Generator().manual_seed(0)).to(clean), abar)
    output = model.predict(noised, t.to(clean), model.condition(embedding))
    return to_clean(diffusion.prediction, output, noised, abar)
