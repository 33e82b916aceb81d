"""Simulate prompts: points, strokes and boxes, mostly where the model's own estimate is wrong."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from skimage.morphology import skeletonize
from torch import Tensor

from ..config import TrainConfig
from ._annotator import Component, innermost, room_at, wrong_components
from ._distributed import own, world

Labels = NDArray[np.int64]
Mask = NDArray[np.bool_]
Rng = np.random.Generator

# Of the prompts: at errors; of those, at the largest one. Of the points: in the middle of the error.
AT_ERRORS, AT_LARGEST, CENTRAL = 0.8, 0.6, 0.7
# Points, strokes along the skeleton, strokes along the border, boxes.
KINDS = (0.55, 0.2, 0.1, 0.15)
# A stroke or box reaches at most so many radii of a point.
REACH = 6.0


def prompt_maps(
    estimate: Tensor,
    masks: Tensor,
    config: TrainConfig,
    radius: float,
    generator: torch.Generator,
    before: Tensor | None = None,
) -> Tensor:
    """Return prompt maps (N, classes, *S) for a batch: none for some of the crops, true ones for the others.

    Parameters
    ----------
    estimate : integer tensor, shape (N, *S)
        The classes that the model sees.
    masks : tensor, shape (N, classes, *S)
        The annotated share of each class; nobody says anything about pixels that are not annotated.
    config : TrainConfig
        ``prompt_share`` of the crops have 1 to ``prompt_count`` prompts.
    radius : float
        Of the largest points, in pixels.
    generator : torch.Generator
    before : tensor, shape (N, classes, *S), optional
        Earlier prompts, which stay; crops that have none get none.
    """
    seeds = own(torch.randint(2**62, (len(masks) * world(),), generator=generator))
    labels, known = masks.argmax(dim=1).cpu().numpy(), (masks.sum(dim=1) > 0.5).cpu().numpy()
    seen, maps = estimate.cpu().numpy(), np.zeros(masks.shape, np.float32)
    for index, seed in enumerate(seeds.tolist()):
        rng = np.random.default_rng(seed)
        asked = rng.random() < config.prompt_share if before is None else bool(before[index].any())
        if asked and known[index].any():
            count = int(rng.integers(1, config.prompt_count + 1))
            maps[index] = say(seen[index], labels[index], known[index], masks.shape[1], count, radius, rng)
    found = torch.from_numpy(maps).to(masks)
    return found if before is None else torch.maximum(found, before)


def say(
    estimate: Labels, reference: Labels, known: Mask, classes: int, count: int, radius: float, rng: Rng
) -> NDArray[np.float32]:
    """Return the map (classes, *S) of ``count`` prompts on one image, all of them true."""
    said = np.zeros((classes, *reference.shape), np.float32)
    parts = wrong_components(estimate, reference, known)
    for _ in range(count):
        if parts and rng.random() < AT_ERRORS:
            index = 0 if rng.random() < AT_LARGEST else int(rng.integers(len(parts)))
            part = parts.pop(index)
        else:
            part = _anywhere(reference, known, radius, rng)
        true = (reference == part.label) & known
        said[part.label][_draw(part, true, radius, rng)] = 1
    return said


def _anywhere(reference: Labels, known: Mask, radius: float, rng: Rng) -> Component:
    """Return what surrounds a random known pixel and is of its class."""
    while True:
        place = tuple(int(rng.integers(n)) for n in reference.shape)
        if known[place]:
            break
    reach = int(2 * radius) + 1
    box = tuple(slice(max(0, p - reach), min(n, p + reach + 1)) for p, n in zip(place, reference.shape, strict=True))
    inside = (reference[box] == reference[place]) & known[box]
    return Component(int(reference[place]), box, inside, int(inside.sum()))


def _draw(part: Component, true: Mask, radius: float, rng: Rng) -> tuple[NDArray[np.intp], ...]:
    """Return the pixels of one prompt of a random kind in a component; ``true`` is where its class really is."""
    kinds: tuple[Callable[..., tuple[NDArray[np.intp], ...]], ...] = (_point, _stroke, _along_border, _box)
    kind = kinds[int(rng.choice(len(kinds), p=KINDS))]
    return kind(part, true, radius, rng)


def _point(part: Component, true: Mask, radius: float, rng: Rng) -> tuple[NDArray[np.intp], ...]:
    """A disk around the middle of the component, or around one of its pixels, that stays in the class."""
    centre = _middle(part) if rng.random() < CENTRAL else _some_pixel(part, part.inside, rng)
    size = room_at(true, centre, radius * float(rng.random()))
    return _near(true, centre, size)


def _stroke(part: Component, true: Mask, radius: float, rng: Rng) -> tuple[NDArray[np.intp], ...]:
    """A piece of the component's skeleton, one to a few pixels wide."""
    line = skeletonize(part.inside) > 0
    if not line.any():
        return _point(part, true, radius, rng)
    return _widened(part, line, true, radius, rng)


def _along_border(part: Component, true: Mask, radius: float, rng: Rng) -> tuple[NDArray[np.intp], ...]:
    """A piece of the component's rim, one to a few pixels wide."""
    rim = part.inside & ~ndimage.binary_erosion(part.inside)
    return _widened(part, rim, true, radius, rng)


def _box(part: Component, true: Mask, radius: float, rng: Rng) -> tuple[NDArray[np.intp], ...]:
    """A box around the middle of the component, without what is of another class."""
    centre = _middle(part)
    _, depth = innermost(part.inside)
    most = min(depth, REACH * radius)
    window = tuple(
        slice(max(0, c - round(most * float(rng.random()))), c + round(most * float(rng.random())) + 1) for c in centre
    )
    inside = np.argwhere(true[window])
    return tuple(inside[:, axis] + window[axis].start for axis in range(true.ndim))


def _widened(part: Component, line: Mask, true: Mask, radius: float, rng: Rng) -> tuple[NDArray[np.intp], ...]:
    """The part of a line near one of its pixels, widened, without what is of another class."""
    centre = _some_pixel(part, line, rng)
    width = radius / 2 * float(rng.random())
    shown = np.zeros(true.shape, bool)
    shown[part.box] = line
    near = np.zeros(true.shape, bool)
    near[_near(shown, centre, radius * float(rng.uniform(1, REACH)))] = True
    if width >= 1:
        near = ndimage.distance_transform_edt(~near) <= width
    return np.nonzero(near & true)


def _middle(part: Component) -> tuple[int, ...]:
    centre, _ = innermost(part.inside)
    return tuple(c + s.start for c, s in zip(centre, part.box, strict=True))


def _some_pixel(part: Component, inside: Mask, rng: Rng) -> tuple[int, ...]:
    places = np.argwhere(inside)
    chosen = places[int(rng.integers(len(places)))]
    return tuple(int(c) + s.start for c, s in zip(chosen, part.box, strict=True))


def _near(inside: Mask, centre: tuple[int, ...], radius: float) -> tuple[NDArray[np.intp], ...]:
    """The pixels of a region at most ``radius`` from a pixel."""
    reach = int(radius)
    window = tuple(slice(max(0, c - reach), c + reach + 1) for c in centre)
    places = np.argwhere(inside[window]) + [s.start for s in window]
    near = places[((places - np.array(centre)) ** 2).sum(axis=1) <= radius**2]
    return tuple(near.T)
