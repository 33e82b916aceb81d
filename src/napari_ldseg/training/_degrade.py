"""Simulate what scanners do to images: several kinds of noise, low resolution, uneven brightness, gaps."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ..config import TrainConfig

Change = Callable[[Tensor, float, torch.Generator], Tensor]


def degrade(image: Tensor, config: TrainConfig, generator: torch.Generator) -> Tensor:
    """Return a crop (C, *S) with intensities 0 to 1 as a worse scanner would have made it.

    Low resolution, uneven brightness and missing parts each with the chance ``config.degrade``; then, in every second
    crop, noise with an SD between 0 and ``config.noise``.
    """

    def chance(share: float) -> bool:
        return float(torch.rand((), generator=generator)) < share

    if config.degrade:
        for change in (low_resolution, uneven_brightness, missing_parts):
            if chance(config.degrade):
                image = change(image, float(torch.rand((), generator=generator)), generator)
    if config.noise and chance(0.5):
        kinds: list[Change] = [gaussian_noise]
        if config.scanner == "mri":
            kinds.append(rician_noise)
        if config.scanner == "ultrasound":
            kinds.append(speckle)
        kind = kinds[int(torch.randint(len(kinds), (), generator=generator))]
        image = kind(image, config.noise * float(torch.rand((), generator=generator)), generator)
    return image.clamp(0, 1)


def gaussian_noise(image: Tensor, sd: float, generator: torch.Generator) -> Tensor:
    """Add white noise, in each channel its own."""
    return image + sd * _normal(image, generator)


def rician_noise(image: Tensor, sd: float, generator: torch.Generator) -> Tensor:
    """Take the magnitude of the image with noise in its real and imaginary parts (Gudbjartsson & Patz 1995)."""
    return torch.hypot(gaussian_noise(image, sd, generator), sd * _normal(image, generator))


def speckle(image: Tensor, sd: float, generator: torch.Generator) -> Tensor:
    """Multiply by speckle a pixel or two wide, and darken with depth, the second last axis, up to a third at 0.3."""
    grain = _normal(image, generator)
    shape = tuple(image.shape[1:])
    coarse = [max(2, round(side / 2)) for side in shape]
    wide = F.interpolate(_normal(image.new_empty(image.shape[0], *coarse), generator)[None], size=shape, mode="nearest")
    grain = (grain + wide[0]) / math.sqrt(2)
    depth = torch.linspace(0, 1, shape[-2], device=image.device)[:, None]
    return image * (1 + 2 * sd * grain) * torch.exp(-4 * sd * float(torch.rand((), generator=generator)) * depth)


def low_resolution(image: Tensor, amount: float, generator: torch.Generator) -> Tensor:
    """Shrink by up to a factor of 2.5 along each axis, and enlarge again."""
    del generator
    factor, shape = 1 + 1.5 * amount, tuple(image.shape[1:])
    mode = "bilinear" if len(shape) == 2 else "trilinear"
    small = F.interpolate(image[None], size=[max(2, round(side / factor)) for side in shape], mode="area")
    return F.interpolate(small, size=shape, mode=mode, align_corners=False)[0]


def uneven_brightness(image: Tensor, amount: float, generator: torch.Generator) -> Tensor:
    """Multiply by a smooth field around 1, as the sensitivity of a coil or an uneven illumination is."""
    ndim, shape = image.ndim - 1, tuple(image.shape[1:])
    coarse = torch.randn(1, 1, *[3] * ndim, generator=generator).to(image.device)
    mode = "bicubic" if ndim == 2 else "trilinear"
    field = F.interpolate(coarse, size=shape, mode=mode, align_corners=True)[0]
    return image * torch.exp(0.4 * amount * field)


def missing_parts(image: Tensor, amount: float, generator: torch.Generator) -> Tensor:
    """Replace one to three boxes, a tenth to a third of the crop a side, by their mean."""
    image = image.clone()
    for _ in range(1 + int(3 * amount * 0.999)):
        sides = [max(1, round(n * (0.1 + 0.23 * float(torch.rand((), generator=generator))))) for n in image.shape[1:]]
        starts = [
            int(torch.randint(n - side + 1, (), generator=generator))
            for n, side in zip(image.shape[1:], sides, strict=True)
        ]
        box = (slice(None), *(slice(a, a + side) for a, side in zip(starts, sides, strict=True)))
        axes = tuple(range(1, image.ndim))
        image[box] = image[box].mean(dim=axes, keepdim=True)
    return image


def _normal(like: Tensor, generator: torch.Generator) -> Tensor:
    """Return normal noise; it is drawn where the image is, since the transfer of it would take longer than the rest."""
    if like.device.type == "cpu":
        return torch.randn(like.shape, generator=generator)
    seed = int(torch.randint(2**62, (), generator=generator))
    return torch.randn(like.shape, generator=torch.Generator(like.device).manual_seed(seed), device=like.device)
