"""Draw samples of embedded images. Only here do networks meet diffusion."""

from collections.abc import Iterator

import torch
from torch import Tensor

from ..checkpoints import autocast
from ..config import Precision, SamplerName
from ..diffusion import Noise, run_sampler
from ..networks import LDSeg


def sample_latents(
    model: LDSeg,
    condition: Tensor,
    noise: Noise,
    *,
    sampler: SamplerName,
    steps: int,
    precision: Precision = "float32",
) -> Iterator[Tensor]:
    """Draw latents, yielding the whole batch after each step (LDSeg, algorithm 2).

    Parameters
    ----------
    model : LDSeg
    condition : tensor, shape (N or 1, W, *cells)
        ``model.condition(embedding)`` of the image, or of the view or tile of it that each sample takes.
    noise : callable
        ``noise(step)`` gives standard normal numbers (N, latent_channels, *cells); step -1 is the start.
    sampler, steps, precision
        See :class:`SegmentConfig`. Only the denoiser computes in bfloat16; the latents stay float32. PyTorch's
        bfloat16 kernels round the last item of an odd batch differently, so an odd batch is padded by one: a
        sample is then the same in any batch.

    Yields
    ------
    tensor, shape (N, latent_channels, *cells)
        The last one is the clean latent m0.
    """

    def draw(step: int) -> Tensor:
        return noise(step).to(condition)

    @torch.inference_mode()
    def call(latent: Tensor, t: float) -> Tensor:
        time = torch.full((1,), t, device=latent.device)
        context = autocast(latent.device, precision)
        with context:
            if not isinstance(context, torch.autocast):
                return model.predict(latent, time, condition)
            return model.predict(_even(latent), time, _even(condition))[: len(latent)].float()

    yield from run_sampler(sampler, steps, call, draw(-1), model.config.diffusion, noise=draw)


@torch.inference_mode()
def decode_probabilities(
    model: LDSeg, latents: Tensor, at_once: int, precision: Precision = "float32", held: Tensor | None = None
) -> Tensor:
    """Decode latents to class probabilities (N, C, *grid), at most ``at_once`` of them together.

    In bfloat16 an odd batch is padded by one, as above, unless all are decoded alone (``at_once`` 1).
    They go into ``held``, what an earlier call returned, if they fit: memory that is new costs as much as the softmax.
    """
    scratch, out = torch.empty(0), torch.empty(0) if held is None else held
    for start in range(0, len(latents), at_once):
        chunk = latents[start : start + at_once]
        context = autocast(latents.device, precision)
        paired = isinstance(context, torch.autocast) and at_once > 1
        with context:
            logits = model.decode(_even(chunk) if paired else chunk)[: len(chunk)]
        if logits.dtype != torch.float32:
            scratch = _fitting(scratch, logits, logits.shape)
            logits = scratch.copy_(logits)
        out = _fitting(out, logits, (len(latents), *logits.shape[1:])) if start == 0 else out
        torch.softmax(logits, dim=1, out=out[start : start + at_once])
    return out


def _fitting(held: Tensor, like: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return ``held`` if it has this shape, else a new float32 tensor where ``like`` is."""
    same = held.shape == shape and held.device == like.device
    return held if same else torch.empty(shape, device=like.device)


def _even(batch: Tensor) -> Tensor:
    """Make the number of items even by repeating the last one."""
    return torch.cat([batch, batch[-1:]]) if len(batch) % 2 else batch
