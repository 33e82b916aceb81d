"""Turn pixels of any type into colours for display."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def to_display(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Return a copy of an image as RGB from 0 to 255, shape ``(Y, X, 3)``.

    8-bit colours stay as they are. Everything else is stretched from its 0.5th to its 99.5th percentile.

    Parameters
    ----------
    image : array, shape ``(Y, X)`` or ``(Y, X, C)``
        Three or four channels are colours; otherwise only the first is shown.
    """
    channels = image if image.ndim == 3 else image[..., np.newaxis]
    colours = channels.shape[-1] in (3, 4)
    pixels = channels[..., :3] if colours else np.repeat(channels[..., :1], 3, axis=-1)
    if colours and pixels.dtype == np.uint8:
        return np.array(pixels, np.uint8)
    values = np.nan_to_num(pixels.astype(np.float32))
    low, high = np.percentile(values, (0.5, 99.5))
    stretched = np.clip((values - low) / max(high - low, 1e-9), 0, 1)
    return np.asarray(np.round(255 * stretched), np.uint8)
