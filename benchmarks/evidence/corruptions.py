"""Corrupt an image as cameras, scanners and laboratories do: noise, blur, contrast, JPEG, another stain."""

import io
from collections.abc import Callable

import numpy as np
import PIL.Image
from scipy import ndimage
from skimage import color

SHARES = (0.0, 0.05, 0.1, 0.15, 0.2)


def clipped(image: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Add Gaussian noise and clip at black and white."""
    return as_bytes(image + rng.normal(0, sigma, image.shape))


def rescaled(image: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Add Gaussian noise, then rescale to the range from black to white, as the authors' implementation does."""
    noisy = image + rng.normal(0, sigma, image.shape)
    return as_bytes((noisy - noisy.min()) / np.ptp(noisy))


def blurred(image: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Blur with a Gaussian of ``sigma`` pixels."""
    del rng
    spatial = range(image.ndim - (image.shape[-1] <= 4))  # the channel axis is last
    return as_bytes(ndimage.gaussian_filter(image, sigma, axes=spatial))


def flattened(image: np.ndarray, factor: float, rng: np.random.Generator) -> np.ndarray:
    """Scale the contrast around the mean."""
    del rng
    return as_bytes(image.mean() + (image - image.mean()) * factor)


def packed(image: np.ndarray, quality: float, rng: np.random.Generator) -> np.ndarray:
    """Compress as JPEG and decompress."""
    del rng
    file = io.BytesIO()
    PIL.Image.fromarray(as_bytes(image)).save(file, "jpeg", quality=int(quality))
    return np.asarray(PIL.Image.open(file))


def restained(image: np.ndarray, shift: float, rng: np.random.Generator) -> np.ndarray:
    """Make haematoxylin stronger and eosin weaker by this share."""
    del rng
    stains = color.rgb2hed(image[..., :3]) * [1 + shift, 1 - shift, 1]
    return as_bytes(color.hed2rgb(stains))


def as_shares(image: np.ndarray) -> np.ndarray:
    """Return values from 0 (black) to 1 (white)."""
    black, white = (0, 255) if image.dtype == np.uint8 else (image.min(), image.max())
    return (image - np.float32(black)) / (np.float32(white) - np.float32(black))


def as_bytes(image: np.ndarray) -> np.ndarray:
    """Return values from 0 to 1 as uint8."""
    return (255 * np.clip(image, 0, 1)).round().astype(np.uint8)


CHANGES: tuple[tuple[str, tuple[float, ...], Callable[..., np.ndarray]], ...] = (
    ("noise, clipped", SHARES, clipped),
    ("noise, rescaled", SHARES, rescaled),
    ("blur", (1, 2, 3), blurred),
    ("contrast", (0.75, 0.5, 0.25), flattened),
    ("JPEG quality", (50, 20, 10), packed),
    ("stain", (0.2, 0.4, 0.6), restained),
)
