"""Running mean and standard deviation of probability maps, in memory that does not grow with the samples."""

import math

import torch
from torch import Tensor


class RunningStatistics:
    """Welford's mean and variance (1962), merged batch by batch (Chan, Golub & LeVeque 1983, eq. 2.1).

    All samples have shape (C, *S); two maps of that shape are all that is kept.
    """

    def __init__(self) -> None:
        self.count = 0
        self._mean: Tensor | None = None
        self._squares: Tensor | None = None

    def add(self, samples: Tensor) -> None:
        """Add a batch (N, C, *S)."""
        n = samples.shape[0]
        mean = samples.mean(dim=0)
        squares = (samples - mean).square().sum(dim=0)
        if self._mean is None or self._squares is None:
            self._mean, self._squares = mean, squares
        else:
            delta, total = mean - self._mean, self.count + n
            self._mean = self._mean + delta * (n / total)
            self._squares = self._squares + squares + delta.square() * (self.count * n / total)
        self.count += n

    @property
    def mean(self) -> Tensor:
        """Mean over the samples, (C, *S)."""
        if self._mean is None:
            raise ValueError("no sample was added")
        return self._mean

    @property
    def sd(self) -> Tensor:
        """Standard deviation over the samples, ``sqrt(sum_c Var_c / 2)``, shape S; 0 for a single sample.

        The variance is the unbiased one (divided by N - 1). For two classes this is the standard deviation of
        either probability.
        """
        if self._squares is None:
            raise ValueError("no sample was added")
        return (self._squares.sum(dim=0) / (2 * max(self.count - 1, 1))).sqrt()

    def standard_error(self, quantile: float = 0.99) -> float:
        """Return the standard error of the mean map, at this quantile of the pixels; infinite below two samples."""
        if self.count < 2:
            return float("inf")
        values = self.sd.flatten()
        rank = max(int(quantile * values.numel()), 1)
        return float(torch.kthvalue(values, rank).values) / math.sqrt(self.count)
