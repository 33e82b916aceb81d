"""Training cases: images and soft masks on the networks' grid, split by group."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..config import ModelConfig, TrainConfig
from ..data import Image, Pair, read_image, read_labels
from ..data._files import stem
from ..errors import InputError
from ..inference import convert_spacing, frames, normalize_frame, plan_grid, resize_frame


@dataclass(frozen=True)
class Case:
    """One annotated frame.

    Attributes
    ----------
    image : float32 tensor, shape (image_channels, (Z), Y, X)
        On the networks' grid, intensities 0 to 1.
    masks : float32 tensor, shape (classes, (Z), Y, X)
        Share of each class in each pixel of that grid (labels averaged over the area of the pixel).
    source : Image
        The frame as it was read, for validation at full resolution.
    labels : integer array, shape ((Z), Y, X)
        Its class indices.
    name, group : str
    """

    image: Tensor
    masks: Tensor
    source: Image
    labels: NDArray[Any]
    name: str
    group: str


def load_cases(pairs: Sequence[Pair], model: ModelConfig, config: TrainConfig) -> list[Case]:
    """Read all pairs into memory, on the networks' grid.

    Raises
    ------
    InputError
        Naming the file whose labels do not fit its image or the model's classes.
    """
    if not pairs:
        raise InputError("There is nothing to train on: no image with a label mask was given.")
    return [case for pair in pairs for case in _load(pair, model, config)]


def _load(pair: Pair, model: ModelConfig, config: TrainConfig) -> list[Case]:
    image, reference = read_image(pair.image), read_labels(pair.labels)
    expected = tuple(n for n, axis in zip(image.array.shape, image.axes, strict=True) if axis != "c")
    if reference.array.shape != expected:
        raise InputError(
            f"{pair.labels.name} has shape {reference.array.shape}, but its image {pair.image.name} has {expected}; "
            "a label mask must lie pixel by pixel on its image."
        )
    labels = reference.array
    if labels.min() < 0:
        raise InputError(f"{pair.labels.name} holds negative labels; classes count from 0, the background.")
    labels = (labels > 0).astype(np.uint8) if config.foreground else labels
    if labels.max() >= model.network.classes:
        raise InputError(
            f"{pair.labels.name} holds label {labels.max()}, but the model has {model.network.classes} classes "
            "(0 is the background). If these are ids of objects, train with 'foreground' (all objects are class 1)."
        )
    found = []
    for (index, pixels), mask in zip(
        frames(image, model), labels.reshape(-1, *expected[-model.network.ndim :]), strict=True
    ):
        spacing = None if image.spacing is None else image.spacing[-model.network.ndim :]
        seen = convert_spacing(spacing, image.unit, model.input.unit)
        grid = plan_grid(pixels.shape[1:], seen, model)
        values = resize_frame(normalize_frame(pixels, model, pair.image.name), grid.inner)
        name = stem(pair.image) + "".join(f"-{i}" for i in index)
        axes = ("c" if len(pixels) > 1 else "") + "zyx"[-model.network.ndim :]
        source = Image(pixels if len(pixels) > 1 else pixels[0], axes, spacing, image.unit, name)
        found.append(
            Case(
                torch.from_numpy(values),
                soft_masks(mask, model.network.classes, grid.inner),
                source,
                mask,
                name,
                pair.group,
            )
        )
    return found


def soft_masks(labels: NDArray[Any], classes: int, shape: tuple[int, ...]) -> Tensor:
    """Return the share of each class in each pixel of a grid of ``shape``: (classes, *shape), summing to 1."""
    onehot = F.one_hot(torch.from_numpy(labels.astype(np.int64)), classes).movedim(-1, 0).float()
    if tuple(labels.shape) == tuple(shape):
        return onehot
    coarse = F.interpolate(onehot[None], size=shape, mode="area")[0]
    return coarse / coarse.sum(dim=0, keepdim=True)


def split_groups(cases: Sequence[Case], share: float, seed: int) -> tuple[list[Case], list[Case]]:
    """Hold out whole groups until at least ``share`` of the cases is held out: (training, validation).

    With a single group nothing can be held out, and the validation list is empty.
    """
    groups = sorted({case.group for case in cases})
    order = np.random.default_rng(seed).permutation(len(groups))
    held: set[str] = set()
    for index in order[: len(groups) - 1]:
        if sum(case.group in held for case in cases) >= share * len(cases):
            break
        held.add(groups[index])
    training = [case for case in cases if case.group not in held]
    return training, [case for case in cases if case.group in held]
