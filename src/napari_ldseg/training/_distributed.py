"""Train on several GPUs, launched by `torchrun`. Each process takes its share of a common batch.

Losses are functions of sums over the whole batch (:func:`pooled`), and gradients are summed over the processes, so that
N processes with a batch of B compute what one process computes with a batch of N x B.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


@contextmanager
def joined() -> Iterator[None]:
    """Join the process group if `torchrun` started one, and leave it at the end."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2 or "RANK" not in os.environ or dist.is_initialized():
        yield
        return
    gpu = torch.cuda.is_available()
    if gpu:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    dist.init_process_group("nccl" if gpu else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def world() -> int:
    """Return how many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Return the number of this process; 0 is the one that validates and writes."""
    return dist.get_rank() if world() > 1 else 0


def own(common: Any) -> Any:
    """Return this process's share of a common sequence or tensor."""
    share = len(common) // world()
    return common[rank() * share : (rank() + 1) * share]


def pooled(value: Tensor) -> Tensor:
    """Return the sum over all processes; gradients flow into this process's own part."""
    if world() == 1:
        return value
    total = value.detach().clone()
    dist.all_reduce(total)
    return value + (total - value.detach())


def sum_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Add up the gradients of all processes."""
    if world() == 1:
        return
    learning = [p for p in parameters if p.requires_grad]
    flat = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in learning])
    dist.all_reduce(flat)
    for parameter, gradient in zip(learning, flat.split([p.numel() for p in learning]), strict=True):
        parameter.grad = gradient.view_as(parameter)


def agreed(value: float, device: torch.device) -> float:
    """Return the first process's value."""
    if world() == 1:
        return value
    told = torch.tensor([value], device=device)
    dist.broadcast(told, 0)
    return float(told)
