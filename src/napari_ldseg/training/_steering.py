"""Score how well a model follows prompts: after each click of a simulated annotator, on the networks' grid."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..diffusion import run_sampler
from ..errors import InputError
from ..measure import most_settling
from ..networks import GuessCorrector, LDSeg
from ._annotator import Click, next_click, room_at
from ._dataset import Case
from ._embedded import padded
from ._validate import mean_dice

# What becomes of a click: the samples are told, or the corrected first guess alone, or it is painted and no more.
Way = Literal["told", "guess", "painted"]
# Where it falls: into the largest error, where an answer settles most, where the SD is highest, or anywhere.
Place = Literal["error", "suggested", "uncertain", "random"]
# Cells around a place in which an answer is expected to settle something.
SETTLED = 8


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
def draw_all(model: LDSeg, condition: Tensor, samples: int, seed: int = 0) -> Tensor:
    """Return the probabilities (N, classes, *S) of samples of one image; the same seed has the same noise."""
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
    return torch.stack([model.decode(each[None])[0].softmax(dim=0) for each in latent])


@torch.no_grad()
def click_through(
    model: LDSeg,
    subject: Subject,
    clicks: int,
    *,
    radius: float,
    samples: int,
    seed: int = 0,
    way: Way = "told",
    place: Place = "error",
) -> Steered:
    """Click so many times on an image, and return the DSC without a click and after each.

    The pixels of a click have their class from then on. Where nothing is wrong any more the score stays.

    Parameters
    ----------
    model : LDSeg
    subject : Subject
    clicks : int
    radius : float
        Of a click, in pixels; it is smaller where its class is.
    samples, seed : int
    way : {"told", "guess", "painted"}
        Whether the samples are told of the clicks; or the first guess is corrected by them and decoded, without
        diffusion; or nothing is told.
    place : {"error", "suggested", "uncertain", "random"}
        In the middle of the largest error (:func:`next_click`), which only who knows the truth can do; where an answer
        is expected to settle most; at the highest SD of the samples; or at random.
    """
    classes, rng = model.config.network.classes, np.random.default_rng(seed)
    said = np.zeros((classes, *subject.reference.shape), np.float32)
    forced = np.full(subject.reference.shape, -1)

    def drawn(prompts: NDArray[np.float32] | None) -> Tensor:
        told = None if prompts is None else torch.from_numpy(prompts)[None].to(subject.embedding)
        condition = model.condition(subject.embedding, told)
        if way == "guess":
            if not isinstance(model.prompt_encoder, GuessCorrector):
                raise InputError(f"The prompts of {model.config.name!r} correct no first guess.")
            return model.decode(condition[:, -model.config.network.latent_channels :]).softmax(dim=1)
        return draw_all(model, condition, samples, seed)

    def score(labels: NDArray[Any]) -> float:
        return mean_dice(labels[subject.known], subject.reference[subject.known], classes)

    seen = drawn(None)
    labels = seen.mean(dim=0).argmax(dim=0).cpu().numpy()
    result = Steered([score(labels)], [], [labels])
    for _ in range(clicks):
        click = _next(model, subject, result.labels[-1], seen, forced, radius, place, rng)
        if click is None:
            result.scores.append(result.scores[-1])
            continue
        pixels = click.pixels(subject.reference.shape)
        forced[pixels] = click.label
        for label, plane in enumerate(said):
            plane[pixels] = label == click.label
        if way != "painted":
            seen = drawn(said)
            labels = seen.mean(dim=0).argmax(dim=0).cpu().numpy()
        result.clicks.append(click)
        result.labels.append(np.where(forced >= 0, forced, labels))
        result.scores.append(score(result.labels[-1]))
    return result


def _next(
    model: LDSeg,
    subject: Subject,
    labels: NDArray[Any],
    seen: Tensor,
    forced: NDArray[Any],
    radius: float,
    place: Place,
    rng: np.random.Generator,
) -> Click | None:
    """Return the next click, whose class is always the true one; None where there is nothing to say."""
    if place == "error":
        return next_click(labels, subject.reference, radius, subject.known)
    open_ = subject.known & (forced < 0)
    if not open_.any():
        return None
    if place == "random":
        chosen = rng.choice(np.flatnonzero(open_))
    elif place == "uncertain":
        chosen = np.where(open_, seen.var(dim=0).sum(dim=0).cpu().numpy(), -1).argmax()
    else:
        masks = np.where(open_, seen.argmax(dim=1).cpu().numpy(), np.where(forced < 0, 0, forced)).astype(np.uint8)
        classes, factor = model.config.network.classes, model.config.network.factor
        question = most_settling(masks, classes, SETTLED * factor)
        if question is None:
            return None
        chosen = np.ravel_multi_index(question.place, open_.shape)
    centre = tuple(int(i) for i in np.unravel_index(int(chosen), open_.shape))
    label = int(subject.reference[centre])
    return Click(centre, min(radius, room_at(subject.reference == label, centre, radius)), label)


def clicks_needed(scores: Sequence[float], wanted: float, most: int) -> int:
    """Return the number of clicks (NoC) after which the DSC is first at least ``wanted``; ``most`` if it never is."""
    reached = (number for number, score in enumerate(scores) if score >= wanted)
    return min(next(reached, most), most)


def prompted_score(scores: Sequence[Sequence[float]]) -> float:
    """Return one number of images' DSC after 0, 1, 2, ... clicks: half without a click, half the mean with one."""
    means = [float(np.nanmean(column)) for column in zip(*scores, strict=True)]
    return (means[0] + math.fsum(means[1:]) / len(means[1:])) / 2
