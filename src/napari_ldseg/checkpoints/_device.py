"""Choose the device and the precision."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import get_args

import torch

from ..config import Device, Precision
from ..errors import InputError


def resolve_device(device: Device = "auto") -> torch.device:
    """Return the device of a setting; ``"auto"`` prefers CUDA, then MPS, then the CPU.

    Raises
    ------
    InputError
        If this computer, or this build of PyTorch, lacks the device.
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


def native_bfloat16(device: torch.device) -> bool:
    """Whether the device computes in bfloat16 itself; emulated, it is slower than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu" and hasattr(torch.cpu, "get_capabilities"):  # torch >= 2.9
        return bool(torch.cpu.get_capabilities().get("avx512_bf16"))
    return False


def autocast(device: torch.device, precision: Precision) -> torch.autocast | nullcontext[None]:
    """Return the context in which networks compute in bfloat16, if setting and device allow it."""
    if precision == "bfloat16" or (precision == "auto" and native_bfloat16(device)):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


@contextmanager
def fastest_convolutions() -> Iterator[None]:
    """Let a GPU search for its fastest convolutions. This pays if all inputs have one shape, as training crops do."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before
