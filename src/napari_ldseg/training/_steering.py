"""Score how well a model follows prompts: after each click of a simulated annotator, on the networks' grid."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..diffusion import run_sampler
from ..networks import LDSeg
from ._annotator import Click, next_click
from ._dataset import Case
from ._embedded import padded
from ._validate import mean_dice


@dataclass(frozen=True)
class Subject:
    """An embedded image and its reference.

    Attributes
    ----------
    embedding : tensor, shape (1, E, *cells)
    reference : integer array, shape (*S)
        The true classes on the networks' grid.
    known : bool array, shape (*S)
        Where they are annotated; false beyond the border of the image.
    """

    embedding: Tensor
    reference: NDArray[Any]
    known: NDArray[np.bool_]


@dataclass(frozen=True)
class Steered:
    """The outcome of the clicks on one image.

    Attributes
    ----------
    scores : list of float
        Mean foreground DSC without a click, and after each.
    clicks : list of Click
        Fewer than there are scores to match where nothing was wrong any more.
    labels : list of integer arrays, shape (*S)
        The classes without a click, and after each of the clicks.
    """

    scores: list[float]
    clicks: list[Click]
    labels: list[NDArray[Any]]


@torch.no_grad()
def subject_of(model: LDSeg, case: Case) -> Subject:
    """Embed a case."""
    stride = model.config.network.stride
    outer = tuple(side + -side % stride for side in case.image.shape[1:])
    device = next(model.parameters()).device
    embedding, _ = model.embed(padded(case.image, outer)[None].to(device))
    masks = padded(case.masks, outer)
    known = (masks.sum(dim=0) > 0.5).numpy()
    inside = np.zeros(outer, bool)
    inside[tuple(slice(side) for side in case.image.shape[1:])] = True
    return Subject(embedding, masks.argmax(dim=0).numpy(), known & inside)


@torch.no_grad()
def draw_mean(model: LDSeg, condition: Tensor, samples: int, seed: int = 0) -> Tensor:
    """Return the mean probabilities (classes, *S) of samples of one image; the same seed has the same noise."""
    config = model.config
    generator = torch.Generator().manual_seed(seed)
    shape = (samples, config.network.latent_channels, *condition.shape[2:])

    def noise(step: int) -> Tensor:
        del step
        return torch.randn(shape, generator=generator).to(condition)

    def call(latent: Tensor, t: float) -> Tensor:
        return model.predict(latent, torch.full((1,), t, device=latent.device), told)

    told = condition.expand(samples, *condition.shape[1:])
    *_, latent = run_sampler(config.sampler, config.steps, call, noise(-1), config.diffusion, noise=noise)
    return torch.stack([model.decode(each[None])[0].softmax(dim=0) for each in latent]).mean(dim=0)


@torch.no_grad()
def click_through(
    model: LDSeg, subject: Subject, clicks: int, *, radius: float, samples: int, seed: int = 0, paint: bool = False
) -> Steered:
    """Click so many times on an image, and return the DSC without a click and after each.

    Each click falls into the middle of what is then the largest error (:func:`next_click`), and its pixels have its
    class from then on. The model is told all of them; with ``paint`` it is told nothing. Where nothing is wrong any
    more the score stays.
    """
    classes = model.config.network.classes
    said = np.zeros((classes, *subject.reference.shape), np.float32)
    forced = np.full(subject.reference.shape, -1)

    def drawn(prompts: NDArray[np.float32] | None) -> NDArray[Any]:
        told = None if prompts is None else torch.from_numpy(prompts)[None].to(subject.embedding)
        mean = draw_mean(model, model.condition(subject.embedding, told), samples, seed)
        return mean.argmax(dim=0).cpu().numpy()

    def score(labels: NDArray[Any]) -> float:
        return mean_dice(labels[subject.known], subject.reference[subject.known], classes)

    seen = drawn(None)
    result = Steered([score(seen)], [], [seen])
    for _ in range(clicks):
        click = next_click(result.labels[-1], subject.reference, radius, subject.known)
        if click is None:
            result.scores.append(result.scores[-1])
            continue
        place = click.pixels(subject.reference.shape)
        forced[place] = click.label
        for label, plane in enumerate(said):
            plane[place] = label == click.label
        seen = seen if paint else drawn(said)
        result.clicks.append(click)
        result.labels.append(np.where(forced >= 0, forced, seen))
        result.scores.append(score(result.labels[-1]))
    return result


def clicks_needed(scores: Sequence[float], wanted: float, most: int) -> int:
    """Return the number of clicks (NoC) after which the DSC is first at least ``wanted``; ``most`` if it never is."""
    reached = (number for number, score in enumerate(scores) if score >= wanted)
    return min(next(reached, most), most)


def prompted_score(scores: Sequence[Sequence[float]]) -> float:
    """Return one number of images' DSC after 0, 1, 2, ... clicks: half without a click, half the mean with one."""
    means = [float(np.nanmean(column)) for column in zip(*scores, strict=True)]
    return (means[0] + math.fsum(means[1:]) / len(means[1:])) / 2
