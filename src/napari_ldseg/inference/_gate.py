"""How noisy an image is, and how far it is smoothed before the networks see it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# Median of the absolute values of normal numbers of SD 1.
MAD = 0.6744897501960817
# SD of the Gaussian in pixels of the networks' grid: for noise above the limit, and above three times that.
LIGHT, STRONG = 0.7, 1.0


class Gate(NamedTuple):
    """What was found in an image, and what is done about it.

    Attributes
    ----------
    sigma : float
        SD of the noise on intensities of 0 to 1, on the networks' grid.
    smoothing : float
        SD of the Gaussian, in pixels of that grid, by which it is smoothed; 0: not at all.
    """

    sigma: float
    smoothing: float


def estimate_noise(pixels: NDArray[np.floating]) -> float:
    """Return the SD of white noise in a picture (C, (Z), Y, X), the median over its channels.

    It is the scaled median of the absolute second differences along every axis (Immerkaer 1996, by the median as in
    Donoho & Johnstone 1994): flat parts, ramps and straight edges along an axis do not count, and the few that are
    curved hardly do.
    """
    found = []
    for channel in np.asarray(pixels, np.float32):
        values, gain = channel, 1.0
        for axis in range(channel.ndim):
            values = np.diff(values, 2, axis=axis)
            gain *= np.sqrt(6.0)  # 1, -2, 1
        found.append(float(np.median(np.abs(values))) / (MAD * gain) if values.size else 0.0)
    return float(np.median(found))


def choose_smoothing(sigma: float, limit: float | None) -> float:
    """Return the SD of the Gaussian that suits a noise of ``sigma``; 0 where the model bears it."""
    if limit is None or sigma <= limit:
        return 0.0
    return LIGHT if sigma <= 3 * limit else STRONG
