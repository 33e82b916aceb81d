"""Where to compute."""

from typing import get_args

import torch

from ..config import Device
from ..errors import InputError


def resolve_device(device: Device = "auto") -> torch.device:
    """Return the device that a setting means; ``"auto"`` prefers CUDA, then MPS, then the CPU.

    Raises
    ------
    InputError
        A device was named that this computer, or this build of PyTorch, does not have.
    """
    if device not in get_args(Device):
        raise InputError(f"There is no device {device!r}; choose one of {', '.join(get_args(Device))}.")
    usable = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        return torch.device(next(name for name, present in usable.items() if present))
    if not usable[device]:
        raise InputError(
            f"The device {device!r} is not available here (PyTorch {torch.__version__}). Choose 'auto' or 'cpu', "
            "or install a build of PyTorch and a driver that support it."
        )
    return torch.device(device)
