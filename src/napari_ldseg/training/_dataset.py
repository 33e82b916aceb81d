"""Prepare training cases: images and soft masks on the networks' grid, split by group."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..config import ModelConfig, TrainConfig
from ..data import Image, convert_spacing, read_image, read_labels, stem
from ..datasets import UNLABELLED, Pair, check_classes, check_shape, merge_foreground, whole_numbers
from ..errors import InputError
from ..inference import resize_frame
from ..plan import frames, normalize_frame, plan_grid

# Shares that sum to more than this are those of a fully annotated pixel.
WHOLE = 0.999


@dataclass(frozen=True)
class Case:
    """One annotated frame.

    Attributes
    ----------
    image : float32 tensor, shape (image_channels, (Z), Y, X)
        On the networks' grid, intensities 0 to 1.
    masks : float32 tensor, shape (classes, (Z), Y, X)
        Share of each class in each pixel of that grid (labels averaged over the area of the pixel); what is missing to
        1 is the share that nobody annotated.
    source : Image
        The frame as it was read, for validation at full resolution.
    labels : integer array, shape ((Z), Y, X)
        Its class indices; 255 is unlabelled.
    name, group : str
    raters : float32 tensor, shape (raters, classes, (Z), Y, X), optional
        The shares by each of several raters; ``masks`` is then their mean (:mod:`._raters`).
    """

    image: Tensor
    masks: Tensor
    source: Image
    labels: NDArray[Any]
    name: str
    group: str
    raters: Tensor | None = None

    @cached_property
    def partial(self) -> bool:
        """Whether some pixels are unlabelled."""
        if self.raters is not None:
            return bool((self.raters.sum(dim=1) < WHOLE).any())
        return bool((self.labels == UNLABELLED).any())


@dataclass(frozen=True)
class Frame:
    """One annotated frame as read: its image, its labels ((Z), Y, X), its name and group."""

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
    return to_cases(read_frames(pairs, model, config), model)


def read_frames(
    pairs: Sequence[Pair], model: ModelConfig, config: TrainConfig, classes: int | None = None
) -> list[Frame]:
    """Read all annotated frames, and refuse unusable ones before anything is computed.

    Parameters
    ----------
    pairs : sequence of Pair
    model : ModelConfig
        Its dimension says what a frame is.
    config : TrainConfig
    classes : int, optional
        How many classes the labels may have; by default the model's.

    Raises
    ------
    InputError
        Naming the file whose labels have another shape than its image, hold fractions, negative values or further
        classes; and where all labels together are unlabelled or of one class.
    """
    if not pairs:
        raise InputError("There is nothing to train on: no image with a label mask was given.")
    frames_read = [frame for pair in pairs for frame in _read(pair, model, config, classes or model.network.classes)]
    known = [frame for frame in frames_read if np.any(frame.labels != UNLABELLED)]
    found = sorted({int(value) for frame in known for value in np.unique(frame.labels)} - {UNLABELLED})
    if not found:
        raise InputError(f"No pixel of the {len(pairs)} label masks is annotated (all are {UNLABELLED}, unlabelled).")
    if len(found) == 1:
        what = "they are empty: all is background (0)" if found == [0] else f"all pixels are class {found[0]}"
        raise InputError(
            f"The {len(pairs)} label masks hold one class only, {what}; there is nothing to tell apart. Annotate the "
            "objects and what surrounds them."
        )
    return known


def _read(pair: Pair, model: ModelConfig, config: TrainConfig, classes: int) -> list[Frame]:
    image, name = read_image(pair.image), pair.labels.name
    labels = whole_numbers(read_labels(pair.labels).array, name)
    check_shape(labels, image, name, pair.image.name)
    if config.foreground:
        labels = merge_foreground(labels)
    check_classes(labels, classes, name, "the model has" if classes == model.network.classes else "there are")
    ndim = model.network.ndim
    spacing = None if image.spacing is None else image.spacing[-ndim:]
    found = []
    for (index, pixels), mask in zip(
        frames(image, model), labels.astype(np.uint8).reshape(-1, *labels.shape[-ndim:]), strict=True
    ):
        frame = stem(pair.image) + "".join(f"-{i}" for i in index)
        axes = ("c" if len(pixels) > 1 else "") + "zyx"[-ndim:]
        source = Image(pixels if len(pixels) > 1 else pixels[0], axes, spacing, image.unit, frame)
        found.append(Frame(source, mask, frame, pair.group))
    return found


def to_cases(frames_read: Sequence[Frame], model: ModelConfig) -> list[Case]:
    """Resample frames to the networks' grid."""
    cases = []
    for frame in frames_read:
        source = frame.source
        grid = plan_grid(source.shape, convert_spacing(source.spacing, source.unit, model.input.unit), model)
        pixels = source.array if "c" in source.axes else source.array[None]
        values = resize_frame(normalize_frame(pixels, model, frame.name), grid.inner)
        masks = soft_masks(frame.labels, model.network.classes, grid.inner)
        cases.append(Case(torch.from_numpy(values), masks, source, frame.labels, frame.name, frame.group))
    return cases


def soft_masks(labels: NDArray[Any], classes: int, shape: tuple[int, ...]) -> Tensor:
    """Return the share of each class in each pixel of a grid of ``shape``: (classes, *shape).

    The shares sum to 1, or to the annotated share of the pixel where some of it is unlabelled.
    """
    places = torch.from_numpy(np.where(labels == UNLABELLED, classes, labels).astype(np.int64))
    onehot = F.one_hot(places, classes + 1).movedim(-1, 0).float()
    if tuple(labels.shape) == tuple(shape):
        return onehot[:classes]
    coarse = F.interpolate(onehot[None], size=shape, mode="area")[0]
    return (coarse / coarse.sum(dim=0, keepdim=True))[:classes]


def split_groups(cases: Sequence[Case], share: float, seed: int) -> tuple[list[Case], list[Case]]:
    """Hold out whole groups until about ``share`` of the cases is held out: (training, validation).

    With a ``share`` above 0 and two groups or more, at least one group is held out. With a single group nothing can
    be, and the validation list is empty.
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
