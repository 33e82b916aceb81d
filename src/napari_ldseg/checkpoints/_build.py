"""Build a model from settings and stored tensors; shapes are compared before memory is allocated."""

from collections.abc import Mapping
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from ..config import ModelConfig
from ..errors import CheckpointError
from ..networks import LDSeg
from ._header import AGAIN, Tensor

FLOATS = {"F16", "BF16", "F32", "F64"}


class _EmptyOnMeta(TorchFunctionMode):
    """Give weights, which modules make by ``torch.empty``, a shape but no memory and no random numbers.

    Unlike ``torch.device("meta")`` it leaves arithmetic alone: on meta tensors that first imports torch's
    decompositions, which takes two seconds, and it would lose the values of buffers that are not stored.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        return func(*args, **{**kwargs, "device": "meta"}) if func is torch.empty else func(*args, **kwargs)


def empty_model(config: ModelConfig, where: str) -> LDSeg:
    """Return the model of these settings; its weights have no memory yet."""
    try:
        with _EmptyOnMeta():
            return LDSeg(config)
    except (ValueError, RuntimeError) as error:
        raise CheckpointError(f"No network can be built from the settings in {where!r}: {error}. {AGAIN}") from error


def check_tensors(
    found: Mapping[str, Tensor], expected: Mapping[str, torch.Tensor], where: str, shown: int = 3
) -> None:
    """Compare stored tensors with those of the settings, before any of them is allocated.

    Parameters
    ----------
    found : mapping of str to Tensor
    expected : mapping of str to tensor
        The ``state_dict`` of the model.
    where : str
        The file or folder.
    shown : int
        How many names a message lists.
    """
    missing = [name for name in expected if name not in found]
    unknown = [name for name in found if name not in expected]
    problems = [
        f"{problem} {len(names)} tensors ({some(names, shown=shown)})"
        for problem, names in (("lacks", missing), ("has unknown", unknown))
        if names
    ]
    if problems:
        raise CheckpointError(
            f"{where!r} {' and '.join(problems)}: its weights belong to other settings or "
            "another version. Update napari-ldseg, or save the model again."
        )
    wrong = [name for name, tensor in expected.items() if found[name].shape != tensor.shape]
    if wrong:
        shapes = [f"{name} should be {tuple(expected[name].shape)} and is {found[name].shape}" for name in wrong]
        raise CheckpointError(
            f"{where!r} has {len(wrong)} tensors whose shape does not fit its settings: {some(shapes, '; ', shown)}. "
            "Its settings were edited or belong to other weights; save the model again."
        )
    wrong = [name for name in expected if found[name].dtype not in FLOATS]
    if wrong:
        raise CheckpointError(
            f"{where!r} stores {some(wrong, shown=shown)} as {found[wrong[0]].dtype}, and weights must be one of "
            f"{', '.join(sorted(FLOATS))}. Save the model again as float32 or float16."
        )


def fill_model(model: LDSeg, state: Mapping[str, torch.Tensor], where: str) -> LDSeg:
    """Give a model its weights, ready to segment: float32, evaluation mode, no gradients."""
    state = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    if faulty := not_finite(state):
        raise CheckpointError(
            f"{faulty} in {where!r} is not finite: the file is damaged or its training went astray. "
            "Copy the file again or choose another model."
        )
    model.load_state_dict(state, assign=True)
    return model.eval().requires_grad_(False)


def some(words: list[str], between: str = ", ", shown: int = 3) -> str:
    """Join the first words."""
    return between.join(words[:shown]) + (f"{between}..." if len(words) > shown else "")


def not_finite(tensors: Mapping[str, torch.Tensor]) -> str | None:
    """Return the name of the first tensor with a NaN or an infinity."""
    return next((name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()), None)
