"""Adapt a model to other classes: weights that fit are kept, the others are rebuilt."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor

from ..config import ModelConfig, NetworkConfig
from ..errors import InputError
from ..networks import LDSeg

WIDEST_PROMPT, PROMPT_BLOCKS = 64, 3


def match_classes(old: Sequence[str], new: Sequence[str]) -> list[int | None]:
    """Return the old class that each new one starts from: its namesake, else an unused one, else none.

    The background, which comes first in both, starts from the background.
    """
    found: list[int | None] = [old.index(name) if name in old[1:] else None for name in new]
    found[0] = 0
    free = [index for index in range(1, len(old)) if index not in found]
    return [index if index is not None else (free.pop(0) if free else None) for index in found]


def with_classes(model: LDSeg, class_names: Sequence[str]) -> LDSeg:
    """Return a copy of a model whose classes are called, and are as many as, ``class_names``.

    Layers that do not depend on the classes keep their weights. In those that do, the weights of a class go with its
    name (:func:`match_classes`), and those of a class that has no counterpart are drawn anew.

    Raises
    ------
    InputError
        If there are too few names, or two are equal.
    """
    names = tuple(class_names)
    config, classes = model.config, model.config.network.classes
    if len(names) < 2 or len(set(names)) != len(names):
        raise InputError(f"At least two different class names are needed, the background first; got {names}.")
    if names == config.class_names:
        return copy.deepcopy(model)
    matched = match_classes(config.class_names, names)
    network = config.network.replace(classes=len(names))
    colors = tuple(config.class_colors[i] for i in matched if i is not None) if config.class_colors else ()
    values = config.model_dump() | {"class_names": names, "network": network.model_dump()}
    adapted = LDSeg(ModelConfig.parse(values | {"class_colors": colors if len(colors) == len(names) else ()}))
    before, axes = model.state_dict(), _class_axes(model)
    weights = {
        name: before[name] if (axis := axes[name]) is None else _carried(before[name], value, matched, axis, classes)
        for name, value in adapted.state_dict().items()
    }
    adapted.load_state_dict(weights)
    adapted.card, adapted.sha256 = model.card, model.sha256
    return adapted


def with_prompts(model: LDSeg) -> LDSeg:
    """Return the model, extended to take prompts if needed. Without prompts its results stay the same.

    Raises
    ------
    InputError
        For networks of the authors' release.
    """
    network = model.config.network
    if not isinstance(network, NetworkConfig):
        raise InputError("Networks of the authors' release take no prompts; train one of our own instead.")
    if network.prompt_widths:
        return model
    widths = tuple(min(WIDEST_PROMPT, 16 << n) for n in range(network.downsamplings))
    return _rebuilt(model, prompt_widths=widths, prompt_blocks=PROMPT_BLOCKS if network.guess else 0)


def with_residual(model: LDSeg, sd: float) -> LDSeg:
    """Return a model whose denoiser corrects the first guess; the correction starts at zero.

    Where the model already does so with another SD, or shall no longer do so, it starts from no correction again.

    Raises
    ------
    InputError
        If the model has no first guess.
    """
    network = model.config.network
    if sd == network.residual_sd:
        return model
    if not isinstance(network, NetworkConfig) or not network.guess:
        raise InputError(f"The model {model.config.name!r} makes no first guess that a residual could be added to.")
    changed = _rebuilt(model, residual_sd=sd)
    for name, weight in changed.denoiser.named_parameters():
        if name.startswith("out.2."):
            torch.nn.init.zeros_(weight)
    return changed


def _rebuilt(model: LDSeg, **network: object) -> LDSeg:
    """Return a model with other network settings, and the weights that both share."""
    config = model.config.replace(network=model.config.network.replace(**network).model_dump())
    rebuilt = LDSeg(config).to(next(model.parameters()).device)
    rebuilt.load_state_dict(rebuilt.state_dict() | model.state_dict())
    rebuilt.card, rebuilt.sha256 = model.card, model.sha256
    return rebuilt


def _class_axes(model: LDSeg) -> dict[str, int | None]:
    """Return which axis of each weight depends on the number of classes, by comparing with one class more."""
    config, classes = model.config, model.config.network.classes
    other = classes + 1 if classes < 255 else classes - 1
    names = tuple(f"class {index}" for index in range(other))
    values = config.model_dump() | {"network": config.network.replace(classes=other).model_dump(), "class_colors": ()}
    probe = LDSeg(ModelConfig.parse(values | {"class_names": names})).state_dict()
    return {
        name: next(
            (axis for axis, (a, b) in enumerate(zip(value.shape, probe[name].shape, strict=True)) if a != b), None
        )
        for name, value in model.state_dict().items()
    }


def _carried(old: Tensor, fresh: Tensor, matched: Sequence[int | None], axis: int, classes: int) -> Tensor:
    """Copy an old tensor into a fresh one, class by class along the axis of the classes."""
    before = old.movedim(axis, 0).unflatten(0, (classes, -1))
    after = fresh.movedim(axis, 0).unflatten(0, (len(matched), -1)).clone()
    for index, source in enumerate(matched):
        if source is not None:
            after[index] = before[source]
    carried: Tensor = after.flatten(0, 1).movedim(0, axis).contiguous()
    return carried
