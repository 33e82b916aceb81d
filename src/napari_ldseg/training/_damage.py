"""Damage first guesses as on unknown images: miss and invent objects, shift borders.

On the images that it was trained on, the first guess is nearly perfect. A denoiser that only ever sees such a guess
learns to copy it, and neither the image nor a prompt can talk it out of a wrong one.
"""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from ..config import TrainConfig
from ..networks import LDSeg
from ._distributed import own, world

Labels = NDArray[np.int64]
MOST_CHANGES = 3
# Largest share of a crop's side that a border is moved, and that a part of the embedding that is dropped has.
SHIFT, PART = 0.04, 0.5


def damaged(
    model: LDSeg, embedding: Tensor, guess: Tensor | None, config: TrainConfig, generator: torch.Generator
) -> tuple[Tensor, Tensor | None]:
    """Return embeddings and guesses for the denoiser: some are damaged, others left out.

    Parameters
    ----------
    model : LDSeg
    embedding : tensor, shape (N, E, *cells)
        With the latent of the guess in its last channels.
    guess : integer tensor, shape (N, *S), or None
        The classes of the first guess.
    config : TrainConfig
    generator : torch.Generator
    """
    if not (config.guess_damage or config.guess_drop or config.embedding_drop):
        return embedding, guess
    known, told = embedding, embedding[:, :0]
    seeds = own(torch.randint(2**62, (len(embedding) * world(),), generator=generator)).tolist()
    rngs = [np.random.default_rng(seed) for seed in seeds]
    if guess is not None:
        known, told = embedding.tensor_split([-model.config.network.latent_channels], dim=1)
        guess, told = _damaged_guess(model, guess, told, config, rngs)
    if config.embedding_drop:
        known = known * torch.stack([_kept(known.shape[2:], config.embedding_drop, rng) for rng in rngs]).to(known)
    return torch.cat([known, told], dim=1), guess


def _damaged_guess(
    model: LDSeg, guess: Tensor, latent: Tensor, config: TrainConfig, rngs: list[np.random.Generator]
) -> tuple[Tensor, Tensor]:
    """Return guesses and their latents, damaged or left out as the settings say."""
    classes = model.config.network.classes
    labels, changed = guess.cpu().numpy().astype(np.int64), []
    for index, rng in enumerate(rngs):
        if rng.random() < config.guess_damage:
            labels[index] = damage_labels(labels[index], classes, rng)
            changed.append(index)
    guess = torch.from_numpy(labels).to(guess.device)
    if changed:
        with torch.no_grad():
            masks = F.one_hot(guess[changed], classes).movedim(-1, 1).to(latent)
            again = model.encode(masks).to(latent)
        noise = [
            rngs[i].standard_normal(latent.shape[1:], np.float32) * config.guess_noise * rngs[i].random()
            for i in changed
        ]
        latent = latent.clone()
        latent[changed] = again + torch.from_numpy(np.stack(noise)).to(latent)
    dropped = [rng.random() < config.guess_drop for rng in rngs]
    shown = torch.tensor([not each for each in dropped]).to(latent)
    return guess, latent * shown.reshape(-1, *[1] * (latent.ndim - 1))


def damage_labels(labels: Labels, classes: int, rng: np.random.Generator) -> Labels:
    """Return label mask with one to three of: an object erased, added, relabelled; or its borders moved."""
    labels = labels.copy()
    for _ in range(int(rng.integers(1, MOST_CHANGES + 1))):
        change = (_erase, _erase, _add, _blob, _bend)[int(rng.integers(5))]
        labels = change(labels, classes, rng)
    return labels


def _erase(labels: Labels, classes: int, rng: np.random.Generator) -> Labels:
    """Give a random object the class of its most frequent neighbour."""
    label = int(rng.integers(classes))
    parts, number = ndimage.label(labels == label)
    if number == 0 or (number == 1 and label == 0):
        return labels
    part = parts == 1 + int(rng.integers(number))
    around = ndimage.binary_dilation(part, iterations=2) & ~part
    counts = np.bincount(labels[around], minlength=classes)
    counts[label] = 0
    if counts.any():
        labels[part] = int(counts.argmax())
    return labels


def _add(labels: Labels, classes: int, rng: np.random.Generator) -> Labels:
    """Put a mirrored copy of a random object at another place."""
    label = int(rng.integers(1, classes))
    parts, number = ndimage.label(labels == label)
    if number == 0:
        return _blob(labels, classes, rng)
    part = parts == 1 + int(rng.integers(number))
    axes = tuple(axis for axis in range(part.ndim) if rng.random() < 0.5)
    shifts = [int(rng.integers(n)) for n in part.shape]
    labels[np.roll(np.flip(part, axes), shifts, tuple(range(part.ndim)))] = label
    return labels


def _blob(labels: Labels, classes: int, rng: np.random.Generator) -> Labels:
    """Give an ellipse at a random place a random class."""
    grid = np.meshgrid(*(np.arange(n) - rng.uniform(0, n) for n in labels.shape), indexing="ij")
    sizes = [n * rng.uniform(0.03, 0.2) for n in labels.shape]
    labels[sum((g / size) ** 2 for g, size in zip(grid, sizes, strict=True)) <= 1] = int(rng.integers(classes))
    return labels


def _bend(labels: Labels, classes: int, rng: np.random.Generator) -> Labels:
    """Move the borders along a smooth random field."""
    del classes
    shape = labels.shape
    grid = np.stack(np.meshgrid(*(np.arange(n, dtype=np.float32) for n in shape), indexing="ij"))
    for axis, side in enumerate(shape):
        coarse = (
            torch.from_numpy(rng.standard_normal((1, 1, *[6] * len(shape)), np.float32)) * side * SHIFT * rng.random()
        )
        mode = "bicubic" if len(shape) == 2 else "trilinear"
        grid[axis] += F.interpolate(coarse, size=shape, mode=mode, align_corners=True)[0, 0].numpy()
    moved: Labels = ndimage.map_coordinates(labels, grid, order=0, mode="nearest")
    return moved


def _kept(cells: torch.Size, share: float, rng: np.random.Generator) -> Tensor:
    """Return (1, *cells): 0 in a random box of some crops, else 1."""
    kept = torch.ones(1, *cells)
    if rng.random() < share:
        sides = [max(1, round(n * rng.uniform(0.1, PART))) for n in cells]
        starts = [int(rng.integers(n - side + 1)) for n, side in zip(cells, sides, strict=True)]
        kept[(slice(None), *(slice(a, a + side) for a, side in zip(starts, sides, strict=True)))] = 0
    return kept
