"""Plan the stages of a training, and resolve settings that say "auto"."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..config import ModelConfig, TrainConfig
from ..networks import LDSeg
from ._dataset import Case
from ._losses import Batch, autoencoder_loss, denoiser_loss
from ._prompt_loss import prompt_loss
from ._scale import CROP_CELLS

AUTOENCODER_SHARE = 0.12
TUNING_RATE = 0.5
PIXELS_IN_A_BATCH = 8 * 224 * 224
GPU_TIMES = 4

Loss = Callable[[LDSeg, Batch, TrainConfig, torch.Generator], Tensor]


@dataclass
class Stage:
    """One stage of training: which modules learn, from which loss, for how long."""

    name: str
    modules: tuple[str, ...]
    loss: Loss
    steps: int
    minutes: float | None
    learning_rate: float
    step: int = 0
    elapsed: float = 0.0
    best: float = -1.0
    losses: list[float] = field(default_factory=list)

    @property
    def progress(self) -> float:
        """Share of the budget that is spent, of time or of steps, whichever is more."""
        spent = self.elapsed / (60 * self.minutes) if self.minutes else 0.0
        return max(spent, self.step / self.steps)

    @property
    def total(self) -> int:
        """Steps planned; under a time budget, as many as there will be at this pace."""
        return self.steps if not self.minutes else min(self.steps, round(self.step / max(self.progress, 1e-9)))

    @property
    def seconds_left(self) -> float:
        """Estimate at the pace so far."""
        if self.minutes and self.step == 0:
            return 60 * self.minutes
        return self.elapsed * (1 - self.progress) / max(self.progress, 1e-9)


def plan_stages(
    config: TrainConfig, steps: int, *, fresh: bool, masks: bool, prompted: bool = False, corrects: bool = False
) -> list[Stage]:
    """Return the stages to train: the autoencoder, if ``masks`` and it has steps, and the denoiser.

    With ``learn="decoder"`` the mask decoder alone: what the latents mean stays. With ``learn="prompts"`` the denoiser
    and the prompt encoder alone, from embeddings that are computed once.

    Parameters
    ----------
    config : TrainConfig
    steps : int
        Of the denoiser's stage.
    fresh : bool
        Whether the weights are untrained.
    masks : bool
        Whether the autoencoder shall learn.
    prompted : bool
        Whether the model takes prompts.
    corrects : bool
        Whether they correct the first guess: ``learn="prompts"`` then trains them alone, and the denoiser stays.
    """
    if config.learn == "decoder":
        rate = config.autoencoder_learning_rate
        return [Stage("decoder", ("mask_decoder",), autoencoder_loss, config.autoencoder_steps, config.minutes, rate)]
    masks = masks and config.autoencoder_steps > 0 and config.learn != "prompts"
    share = AUTOENCODER_SHARE if masks else 0.0
    rate = config.peak_rate * (TUNING_RATE if config.learning_rate == "auto" and not fresh else 1)

    def minutes(part: float) -> float | None:
        return None if config.minutes is None else part * config.minutes

    telling = ("denoiser", "prompt_encoder") if prompted else ("denoiser",)
    if config.learn == "prompts" and corrects:
        return [Stage("prompts", ("prompt_encoder",), prompt_loss, steps, config.minutes, config.peak_rate)]
    if config.learn == "prompts":
        return [Stage("prompts", telling, denoiser_loss, steps, config.minutes, rate)]
    denoiser = Stage("denoiser", ("image_encoder", *telling), denoiser_loss, steps, minutes(1 - share), rate)
    if not masks:
        return [denoiser]
    modules = ("mask_encoder", "mask_decoder")
    rate = config.autoencoder_learning_rate
    return [Stage("autoencoder", modules, autoencoder_loss, config.autoencoder_steps, minutes(share), rate), denoiser]


def tuning_crop(config: TrainConfig, model: ModelConfig, cases: Sequence[Case]) -> tuple[int, ...]:
    """Return the shape of crops in fine-tuning: the model's, at most 14 cells and the largest image a side."""
    shape, factor = model.input.shape, model.network.factor
    if config.crop is not None or model.input.mode != "spacing":
        return config.crop or shape
    largest = [max(case.image.shape[1 + axis] for case in cases) for axis in range(model.network.ndim)]
    cells = [min(CROP_CELLS, -(-n // factor), most // factor) for n, most in zip(largest, shape, strict=True)]
    return tuple(max(n, 2) * factor for n in cells)


def choose_batch(config: TrainConfig, crop: tuple[int, ...], device: torch.device) -> int:
    """Return the batch of one process: crops of as many pixels as eight of 224 x 224 have, four times that on a GPU."""
    if config.batch != "auto":
        return config.batch
    room = PIXELS_IN_A_BATCH * (GPU_TIMES if device.type == "cuda" else 1)
    most = 8 * (GPU_TIMES if device.type == "cuda" else 1)
    return max(2, min(most, round(room / math.prod(crop))))


def learning_rate_factor(progress: float, step: int, warmup: int) -> float:
    """Return linear warm-up, then half a cosine down to 1 % (Loshchilov & Hutter 2017)."""
    return min(1.0, (step + 1) / max(warmup, 1)) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0))))
