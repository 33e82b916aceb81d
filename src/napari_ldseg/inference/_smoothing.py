"""Smoothing in time averages the conditions of neighbouring frames."""

from collections.abc import Callable, Generator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ._noise import mirror
from ._result import SegmentProgress
from ._runner import Runner


class Smoothed(NamedTuple):
    """What was averaged along time.

    Attributes
    ----------
    conditions : dict
        Conditions (1, W, *cells) by number of the frame and of the flip.
    guesses : dict
        By number of the frame, the first guess (C, *S) at each pixel size.
    """

    conditions: dict[tuple[int, int], Tensor]
    guesses: dict[int, list[Tensor]]


def smooth_conditions(
    runner: Runner,
    readers: Sequence[Callable[[], Tensor]],
    leading: tuple[int, ...],
    time: int,
    views: range,
    sigma: float,
) -> Generator[SegmentProgress, None, Smoothed]:
    """Embed all frames and average their conditions, and their first guesses, along time.

    The noise of a sample is the same for all frames, so its latents change as slowly as the conditions. A condition
    is an affine function of its embedding, so averaging one averages the other.

    Parameters
    ----------
    runner : Runner
    readers : sequence of callables
        Read one frame (1, image_channels, *S) each, in the order of ``leading``.
    leading : tuple of int
        How many frames there are along each frame axis.
    time : int
        Which of these axes is time.
    views : range
        Numbers of the flips that are needed.
    sigma : float
        SD of the Gaussian, in frames.

    Returns
    -------
    Smoothed
    """
    ndim = runner.model.config.network.ndim
    found: dict[tuple[int, int], Tensor] = {}
    guesses: list[list[Tensor]] = []
    for number, read in enumerate(readers):
        pixels = read()
        seen = []
        for view in views:
            found[number, view], guess = runner.embed(mirror(pixels, view, ndim))
            seen += [] if guess is None else [mirror(guess, view, ndim)]
            runner.done += 1
            yield runner.progress(f"frame {number + 1} of {len(readers)} embedded")
        scaled = [runner.guess_at(pixels, scale) for scale in runner.guess_scales]
        guesses.append([torch.cat(seen).mean(dim=0), *(each[0] for each in scaled)] if seen else [])
    weights = torch.from_numpy(gaussian_matrix(leading[time], sigma))

    def smooth(frames: Tensor) -> Tensor:
        along = frames.unflatten(0, leading).movedim(time, 0)
        averaged: Tensor = torch.tensordot(weights.to(along), along, dims=1).movedim(0, time)
        return averaged.flatten(0, len(leading) - 1)

    for view in views:
        frames = torch.cat([found[number, view] for number in range(len(readers))])
        found.update({(number, view): condition[None] for number, condition in enumerate(smooth(frames))})
    scales = [smooth(torch.stack(each)) for each in zip(*guesses, strict=True)]
    return Smoothed(
        found, {number: [each[number] for each in scales] for number in range(len(readers) if scales else 0)}
    )


def gaussian_matrix(number: int, sigma: float) -> NDArray[np.float32]:
    """Return the weights (number, number) of a Gaussian average along a line. Every row sums to 1."""
    distance = np.subtract.outer(np.arange(number), np.arange(number))
    weights = np.exp(-0.5 * (distance / sigma) ** 2)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)
