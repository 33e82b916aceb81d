"""Augment images and masks: draw random crops and move, bend, recolour and blur them (torch, 2D and 3D).

It is computed where the networks are. What little decides about a crop is always drawn on the CPU, so that a seed means
the same crops everywhere; only the noise of single pixels is a GPU's own.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ..config import TrainConfig
from ._dataset import Case
from ._degrade import degrade
from ._distributed import own
from ._raters import targets

CPU = torch.device("cpu")


def draw_batch(
    cases: Sequence[Case],
    crop: tuple[int, ...],
    *,
    augment: bool,
    rotate: bool,
    generator: torch.Generator,
    device: torch.device = CPU,
    config: TrainConfig | None = None,
) -> tuple[Tensor, Tensor]:
    """Return a batch of crops on ``device``: images (N, C, *crop) and masks (N, classes, *crop).

    As :func:`draw_rated_batch`, without the means of several raters.
    """
    images, masks, _ = draw_rated_batch(
        cases, crop, augment=augment, rotate=rotate, generator=generator, device=device, config=config
    )
    return images, masks


def draw_rated_batch(
    cases: Sequence[Case],
    crop: tuple[int, ...],
    *,
    augment: bool,
    rotate: bool,
    generator: torch.Generator,
    device: torch.device = CPU,
    config: TrainConfig | None = None,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return a batch of crops on ``device``: images (N, C, *crop), masks (N, classes, *crop), means of the raters.

    The crops are centred at random within each case; what lies beyond its border is mirrored. Of the common batch of
    several processes, each makes its own share; a crop depends on its place in that batch alone. Where a case has
    several raters, the masks are those of one at random, and the means those of all; they are None where no case has.
    """
    config = config or TrainConfig()
    seeds = torch.randint(2**62, (len(cases),), generator=generator).tolist()
    images, masks, means = [], [], []
    for case, seed in zip(own(cases), own(seeds), strict=True):
        single = torch.Generator().manual_seed(seed)
        image, mask, mean = _crop(case, crop, augment, rotate, single, device, config.zoom)
        if augment:
            image = degrade(recolor(image[None], single, config.restain)[0], config, single)
        images.append(image)
        masks.append(mask)
        means.append(mean)
    rated = any(case.raters is not None for case in cases)
    return torch.stack(images), torch.stack(masks), torch.stack(means) if rated else None


def _crop(
    case: Case,
    crop: tuple[int, ...],
    augment: bool,
    rotate: bool,
    generator: torch.Generator,
    device: torch.device,
    zoom: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Sample one crop through a random affine map and a smooth random displacement: image, masks, mean masks."""
    shape = torch.tensor(case.image.shape[1:], dtype=torch.float32)
    ndim = len(crop)
    room = (shape - torch.tensor(crop, dtype=torch.float32)).clamp_min(0)
    centre = (shape - 1) / 2 + (torch.rand(ndim, generator=generator) - 0.5) * room
    if case.partial:
        centre = _annotated_centre(case, room, generator)
    axes = [torch.arange(side, dtype=torch.float32, device=device) - (side - 1) / 2 for side in crop]
    points = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)  # (*crop, ndim), in ((Z), Y, X) order
    if augment:
        affine = random_affine(ndim, rotate, generator, zoom)
        points = points @ affine.T.to(device) + _bend(crop, generator, device)
    points = points + centre.to(device)
    # grid_sample wants x first, and -1..1 from the outer edge of the first pixel to that of the last.
    grid = ((2 * points + 1) / shape.to(device) - 1).flip(-1)[None]
    chosen, mean = targets(case, generator)
    parts = [case.image, chosen] if mean is None else [case.image, chosen, mean]
    whole = torch.cat([part.to(device) for part in parts])[None]
    sampled = F.grid_sample(whole, grid, mode="bilinear", padding_mode="reflection", align_corners=False)[0]
    image, *found = sampled.split([len(part) for part in parts])
    if not case.partial:
        found = [mask / mask.sum(dim=0, keepdim=True).clamp_min(1e-6) for mask in found]
    return image, found[0], found[-1]


def _annotated_centre(case: Case, room: Tensor, generator: torch.Generator) -> Tensor:
    """Return a random annotated pixel, moved inwards by what a crop needs."""
    places = (case.masks.sum(dim=0) > 0.5).nonzero()
    middle = (torch.tensor(case.masks.shape[1:], dtype=torch.float32) - 1) / 2
    if not len(places):
        return middle
    chosen = places[int(torch.randint(len(places), (1,), generator=generator))].float()
    return torch.maximum(torch.minimum(chosen, middle + room / 2), middle - room / 2)


def random_affine(ndim: int, rotate: bool, generator: torch.Generator, zoom: float = 0.35) -> Tensor:
    """Return a random (ndim, ndim) map: flips, rotation in the (Y, X) plane, scale, stretch and shear.

    The scale lies between exp(-zoom) and exp(zoom), by default 0.7 to 1.4.
    """

    def uniform(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=generator))

    angle = uniform(-math.pi, math.pi) if rotate else uniform(-0.25, 0.25)
    matrix = torch.eye(ndim) * math.exp(uniform(-zoom, zoom))
    plane = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    stretch = torch.diag(torch.tensor([math.exp(uniform(-0.15, 0.15)) for _ in range(ndim)]))
    shear = torch.eye(ndim)
    shear[-1, -2] = uniform(-0.12, 0.12)
    flips = torch.ones(ndim)
    flips[-1] = -1.0 if uniform(0, 1) < 0.5 else 1.0
    if rotate and ndim == 3:
        flips[0] = -1.0 if uniform(0, 1) < 0.5 else 1.0
    matrix[-2:, -2:] = matrix[-2:, -2:] @ plane
    return matrix @ stretch @ shear @ torch.diag(flips)


def _bend(crop: tuple[int, ...], generator: torch.Generator, device: torch.device) -> Tensor:
    """Return a smooth random displacement in pixels, (*crop, ndim), or (ndim,) zeros for every second crop."""
    ndim = len(crop)
    if torch.rand((), generator=generator) < 0.5:
        return torch.zeros(ndim, device=device)
    coarse = torch.randn(1, ndim, *[5] * ndim, generator=generator) * min(crop) * 0.025
    mode = "bicubic" if ndim == 2 else "trilinear"
    return F.interpolate(coarse.to(device), size=crop, mode=mode, align_corners=True)[0].movedim(0, -1)


def recolor(images: Tensor, generator: torch.Generator, restained: float = 0.3) -> Tensor:
    """Change stain, brightness, contrast, sharpness and noise of images (N, C, *S) in 0..1, each image its own way.

    Colour is scaled per channel in optical density, -log(intensity), where stains are additive (Ruifrok & Johnston
    2001); for one channel that is a random gamma. The channels of a share ``restained`` of the images are mixed anew.
    """
    n, channels = images.shape[:2]
    ones = (1,) * (images.ndim - 2)

    def normal(sd: float, *shape: int) -> Tensor:
        return (torch.randn(*shape, generator=generator) * sd).reshape(*shape, *ones).to(images.device)

    density = restain(-torch.log(images.clamp(0.004, 1)), generator, restained)
    density = density * torch.exp(normal(0.15, n, channels) + normal(0.25, n, 1)) + normal(0.03, n, channels)
    out = torch.exp(-density)
    gray = out.mean(dim=1, keepdim=True)
    saturation = torch.exp(normal(0.25, n, 1))
    contrast, brightness = torch.exp(normal(0.15, n, 1)), normal(0.06, n, 1)
    out = gray + (out - gray) * saturation
    mean = out.mean(dim=tuple(range(1, out.ndim)), keepdim=True)
    out = mean + (out - mean) * contrast + brightness
    blurred = torch.rand(n, generator=generator) < 0.2
    if blurred.any():
        out[blurred] = _blur(out[blurred])
    noise = torch.rand(n, 1, *ones, generator=generator) ** 4 * 0.1
    return (out + noise.to(out) * _pixel_noise(out.shape, generator, out.device)).clamp(0, 1)


def _pixel_noise(shape: torch.Size, generator: torch.Generator, device: torch.device) -> Tensor:
    """Return normal noise. On a GPU it is drawn there, since its transfer would take longer than everything else."""
    if device.type == "cpu":
        return torch.randn(shape, generator=generator)
    seed = int(torch.randint(2**62, (), generator=generator))
    return torch.randn(shape, generator=torch.Generator(device).manual_seed(seed), device=device)


def restain(density: Tensor, generator: torch.Generator, share: float = 0.3) -> Tensor:
    """Mix the channels of a share of the images (N, C, *S), as if they were stained in other colours."""
    n, channels = density.shape[:2]
    amount = torch.rand(n, 1, 1, generator=generator) * (torch.rand(n, 1, 1, generator=generator) < share)
    shares = -torch.log(torch.rand(n, channels, channels, generator=generator).clamp_min(1e-6))
    shares = shares / shares.sum(dim=2, keepdim=True)  # each new channel is a weighted mean of the old ones
    mixing = (torch.eye(channels) * (1 - amount) + shares * amount).to(density)
    return torch.einsum("ncd,nd...->nc...", mixing, density)


def _blur(images: Tensor) -> Tensor:
    """Smooth with the binomial kernel (1, 2, 1) / 4 along each axis, twice (sigma 1 pixel)."""
    for _ in range(2):
        for axis in range(2, images.ndim):
            ahead = torch.cat(
                [images.narrow(axis, 1, images.shape[axis] - 1), images.narrow(axis, images.shape[axis] - 1, 1)],
                dim=axis,
            )
            behind = torch.cat([images.narrow(axis, 0, 1), images.narrow(axis, 0, images.shape[axis] - 1)], dim=axis)
            images = (ahead + 2 * images + behind) / 4
    return images
