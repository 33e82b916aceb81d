"""Running mean and standard deviation of probability maps. Memory does not grow with the number of samples."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

# So many numbers stay in the processor's cache while a batch of samples passes over them.
BLOCK = 2**16


class RunningStatistics:
    """Mean and variance of maps that arrive one after another (Welford 1962), kept in two maps.

    All samples have shape (C, *S); a mean (C, *S) and the squared deviations summed over classes, S, are kept.

    Parameters
    ----------
    weight : float
        Share of the first guess in the map that is shown.

    Attributes
    ----------
    guesses : sequence of tensors (C, *S)
        The first guess at each pixel size; empty where the network makes none.
    """

    def __init__(self, weight: float = 0.0) -> None:
        self.count = 0
        self.guesses: Sequence[Tensor] = ()
        self._weight = weight
        self._mean: Tensor | None = None
        self._squares: Tensor | None = None

    def add(self, samples: Tensor) -> None:
        """Add a batch (N, C, *S)."""
        if self._mean is None or self._squares is None:
            self._mean = samples.new_zeros(samples.shape[1:])
            self._squares = samples.new_zeros(samples.shape[2:])
        squares = self._squares.view(-1)
        for c, mean in enumerate(self._mean.flatten(1)):
            maps = samples[:, c].flatten(1)
            for start in range(0, mean.numel(), BLOCK):
                block = slice(start, start + BLOCK)
                _welford(maps[:, block], mean[block], squares[block], self.count)
        self.count += samples.shape[0]

    @property
    def mean(self) -> Tensor:
        """Mean over the samples, (C, *S)."""
        if self._mean is None:
            raise ValueError("no sample was added")
        return self._mean

    @property
    def shown(self) -> Tensor:
        """The map that the labels come from, (C, *S): the mean, or its mixture with the mean of the guesses."""
        if not (self._weight and self.guesses):
            return self.mean
        return torch.lerp(self.mean, self._guess, self._weight)

    @property
    def highest(self) -> Tensor:
        """The largest probability of anything but background that the mean or any of the guesses gives, S."""
        least = self.mean[0]
        for guess in self.guesses:
            least = torch.minimum(least, guess[0])
        return 1 - least

    @property
    def _guess(self) -> Tensor:
        """Mean over the guesses, (C, *S)."""
        return sum(self.guesses[1:], start=self.guesses[0]) / len(self.guesses)

    @property
    def disagreement(self) -> float:
        """Out-of-distribution score: how much the samples' mean m and the first guess g disagree on what they found.

        Their total variation distance, ``sum_x 1/2 sum_c |m_c(x) - g_c(x)|``, as a share of the pixels that either of
        them calls foreground; nan without a guess. Both were trained to give the same map. They do on images like those
        of training, each in its own way; on others they err apart.
        """
        if not self.guesses:
            return math.nan
        guess = self._guess
        found = ((self.mean[0] < 0.5) | (guess[0] < 0.5)).sum()
        return float((self.mean - guess).abs().sum() / (2 * (found + 1)))

    @property
    def sd(self) -> Tensor:
        """Standard deviation over the samples, ``sqrt(sum_c Var_c / 2)``, shape S; 0 for a single sample.

        The variance is the unbiased one (divided by N - 1). For two classes this is the standard deviation of
        either probability.
        """
        if self._squares is None:
            raise ValueError("no sample was added")
        return (self._squares / (2 * max(self.count - 1, 1))).sqrt()

    def standard_error(self, quantile: float = 0.99) -> float:
        """Return the standard error of the mean map, at this quantile of the pixels; infinite below two samples."""
        if self.count < 2:
            return float("inf")
        values = self.sd.flatten()
        rank = max(int(quantile * values.numel()), 1)
        return float(torch.kthvalue(values, rank).values) / math.sqrt(self.count)


def _welford(samples: Tensor, mean: Tensor, squares: Tensor, count: int) -> None:
    """Update ``mean`` and ``squares`` of ``count`` samples in place."""
    for n, sample in enumerate(samples, start=count + 1):
        delta = sample - mean
        mean.add_(delta, alpha=1 / n)
        squares.addcmul_(delta, delta, value=(n - 1) / n)
