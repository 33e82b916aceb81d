"""train(): the mask autoencoder, then image encoder and denoiser with the autoencoder frozen (LDSeg, section III)."""

import copy
import json
import math
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..checkpoints import autocast, load_model, resolve_device, save_model
from ..config import ModelConfig, SegmentConfig, TrainConfig
from ..data import Pair
from ..errors import EngineError, InputError
from ..inference import segment
from ..measure import dice
from ..networks import LDSeg
from ._augment import draw_batch
from ._cases import Case, load_cases, split_groups
from ._losses import autoencoder_loss, denoiser_loss
from ._state import load_state, save_state

AUTOENCODER_SHARE = 0.12
SAVE_SECONDS = 60.0
REPORT_SECONDS = 0.5

Loss = Callable[[LDSeg, Tensor, Tensor, TrainConfig, torch.Generator], Tensor]


@dataclass(frozen=True)
class Epoch:
    """One report of a training, yielded about twice a second and at every validation.

    Attributes
    ----------
    stage : str
        ``"autoencoder"`` or ``"denoiser"``.
    step, total : int
        Optimiser steps done in this stage, and planned.
    loss : float
        Mean training loss since the last report.
    validation : float or None
        Mean foreground DSC per validation image, where one was just computed.
    seconds_left : float
        Estimate for this stage.
    """

    stage: str
    step: int
    total: int
    loss: float
    validation: float | None
    seconds_left: float


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


class Trainer:
    """The state of one training: the model, its averaged copy, the cases, and where it stands."""

    clock = staticmethod(time.perf_counter)

    def __init__(self, cases: Sequence[Case], model: LDSeg, config: TrainConfig, folder: Path):
        self.config, self.folder = config, folder
        self.device = resolve_device(config.device)
        self.training, self.validation = split_groups(cases, config.validation, config.seed)
        self.model = model.to(self.device)
        self.average = copy.deepcopy(self.model).eval().requires_grad_(False)
        self.generator = torch.Generator().manual_seed(config.seed)
        self.crop = config.crop or model.config.input.shape
        factor = model.config.network.factor
        if any(side % factor for side in self.crop):
            raise InputError(f"Training crops {self.crop} must be multiples of {factor}, the networks' factor.")
        self.stages = self._plan()
        self.optimizers = {stage.name: self._optimizer(stage) for stage in self.stages}
        folder.mkdir(parents=True, exist_ok=True)

    def _plan(self) -> list[Stage]:
        config, minutes = self.config, self.config.minutes
        share = AUTOENCODER_SHARE if config.autoencoder_steps else 0.0
        first = None if minutes is None else share * minutes
        second = None if minutes is None else (1 - share) * minutes
        denoiser = Stage(
            "denoiser",
            ("image_encoder", "denoiser"),
            denoiser_loss,
            config.denoiser_steps,
            second,
            config.learning_rate,
        )
        if not config.autoencoder_steps:
            return [denoiser]
        autoencoder = Stage(
            "autoencoder",
            ("mask_encoder", "mask_decoder"),
            autoencoder_loss,
            config.autoencoder_steps,
            first,
            config.autoencoder_learning_rate,
        )
        return [autoencoder, denoiser]

    def _optimizer(self, stage: Stage) -> torch.optim.AdamW:
        parameters = [p for name in stage.modules for p in self.model.get_submodule(name).parameters()]
        matrices = [p for p in parameters if p.ndim > 1]
        vectors = [p for p in parameters if p.ndim <= 1]
        groups = [
            {"params": matrices, "weight_decay": self.config.weight_decay},
            {"params": vectors, "weight_decay": 0},
        ]
        return torch.optim.AdamW(groups, lr=stage.learning_rate, betas=(0.9, 0.99))

    def run(self, stage: Stage) -> Generator[Epoch, None, None]:
        """Train one stage to the end of its budget, from wherever it stands."""
        for name, module in self.model.named_children():
            module.requires_grad_(name in stage.modules).train(name in stage.modules)
        saved = reported = time.perf_counter()
        while stage.progress < 1:
            started = self.clock()
            stage.losses.append(self.advance(stage))
            stage.elapsed += self.clock() - started
            now = time.perf_counter()
            finished = stage.progress >= 1
            score = self.validate(stage) if finished or stage.step % self.config.validate_every == 0 else None
            if finished or score is not None or now - saved > SAVE_SECONDS:
                save_state(self.folder, self)
                saved = time.perf_counter()
            if score is not None or now - reported > REPORT_SECONDS:
                yield self.report(stage, score)
                reported = time.perf_counter()

    def advance(self, stage: Stage) -> float:
        """Do one optimiser step and update the average."""
        rate = stage.learning_rate * learning_rate_factor(stage.progress, stage.step, self.config.warmup)
        optimizer = self.optimizers[stage.name]
        for group in optimizer.param_groups:
            group["lr"] = rate
        chosen = torch.randint(len(self.training), (self.config.batch,), generator=self.generator).tolist()
        images, masks = draw_batch(
            [self.training[i] for i in chosen],
            self.crop,
            augment=self.config.augment,
            rotate=self.config.rotate,
            generator=self.generator,
        )
        with autocast(self.device, self.config.precision):
            loss = stage.loss(self.model, images.to(self.device), masks.to(self.device), self.config, self.generator)
        if not torch.isfinite(loss):
            raise EngineError(
                f"The loss became {float(loss.detach())} at step {stage.step} of the {stage.name}; "
                "lower the learning rate, or check the images for extreme values."
            )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], 1.0)
        optimizer.step()
        stage.step += 1
        self._update_average(stage)
        return float(loss.detach())

    @torch.no_grad()
    def _update_average(self, stage: Stage) -> None:
        decay = min(self.config.ema, (1 + stage.step) / (10 + stage.step))
        for name in stage.modules:
            for mean, value in zip(
                self.average.get_submodule(name).parameters(),
                self.model.get_submodule(name).parameters(),
                strict=True,
            ):
                mean.lerp_(value, 1 - decay)
            # Statistics of a batch-norm are averages already.
            for kept, now in zip(
                self.average.get_submodule(name).buffers(), self.model.get_submodule(name).buffers(), strict=True
            ):
                kept.copy_(now)

    def validate(self, stage: Stage) -> float | None:
        """Score the averaged weights on the validation cases, keep them if they are the best so far."""
        if not self.validation:
            self._keep(stage, None)
            return None
        self.average.eval()
        scores = [
            reconstruction_dice(self.average, case)
            if stage.name == "autoencoder"
            else segmentation_dice(self.average, case, self.config)
            for case in self.validation
        ]
        known = [score for score in scores if not math.isnan(score)]
        score = math.fsum(known) / len(known) if known else math.nan
        if not score < stage.best:
            stage.best = score
            self._keep(stage, score)
        return score

    def _keep(self, stage: Stage, score: float | None) -> None:
        if stage.name == "denoiser":
            text = f"DSC {score:.3f} on {len(self.validation)} validation images" if score is not None else ""
            self.average.config = self.average.config.replace(score=text)
            save_model(self.average, self.folder / "model.safetensors")

    def report(self, stage: Stage, score: float | None) -> Epoch:
        """Sum up since the last report, and write a line of the log."""
        loss = math.fsum(stage.losses) / max(len(stage.losses), 1)
        stage.losses.clear()
        left = stage.elapsed * (1 - stage.progress) / max(stage.progress, 1e-9)
        epoch = Epoch(stage.name, stage.step, stage.steps, loss, score, left)
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps({**epoch.__dict__, "elapsed": round(stage.elapsed, 1)}) + "\n")
        return epoch


def train(
    pairs: Sequence[Pair], model_config: ModelConfig, config: TrainConfig, folder: Path
) -> Generator[Epoch, None, LDSeg]:
    """Train a model from scratch, in the paper's two stages.

    Parameters
    ----------
    pairs : sequence of Pair
        Images with label masks; groups (patients) are never split between training and validation.
    model_config : ModelConfig
    config : TrainConfig
    folder : Path
        Where ``model.safetensors`` (the best so far), ``log.jsonl``, ``split.json`` and ``state.safetensors`` go.
        A folder with a state is resumed: the run goes on where it was killed.

    Yields
    ------
    Epoch

    Returns
    -------
    LDSeg
        The averaged weights with the best validation DSC (the last ones where there is no validation).

    Raises
    ------
    InputError
        If images, labels or settings do not fit, or if the folder holds a run with other settings.
    EngineError
        If the loss stops being a number.
    """
    if not config.autoencoder_steps:
        raise InputError(
            "autoencoder_steps is 0, but without a mask autoencoder there is nothing to train the denoiser on; "
            "set it to 1500, say, or start from a model that has one (fine-tune)."
        )
    torch.manual_seed(config.seed)
    return (yield from run_trainer(pairs, LDSeg(model_config), config, Path(folder), fresh=True))


def run_trainer(
    pairs: Sequence[Pair], model: LDSeg, config: TrainConfig, folder: Path, *, fresh: bool
) -> Generator[Epoch, None, LDSeg]:
    """Train from these weights, or go on with the run in the folder; unless ``fresh``, they are the best so far."""
    cases = load_cases(pairs, model.config, config)
    trainer = Trainer(cases, model, config, folder)
    resumed = load_state(trainer.folder, trainer)
    split = {
        "seed": config.seed,
        "training": [case.name for case in trainer.training],
        "validation": [case.name for case in trainer.validation],
    }
    (trainer.folder / "split.json").write_text(json.dumps(split, indent=1), encoding="utf-8")
    if not fresh and not resumed:
        stage = trainer.stages[-1]
        yield trainer.report(stage, trainer.validate(stage))
    for stage in trainer.stages:
        if stage.name == "denoiser" and stage.step == 0:
            for name in ("mask_encoder", "mask_decoder"):
                weights = trainer.average.get_submodule(name).state_dict()
                trainer.model.get_submodule(name).load_state_dict(weights)
        yield from trainer.run(stage)
    return load_model(trainer.folder / "model.safetensors", config.device)


def learning_rate_factor(progress: float, step: int, warmup: int) -> float:
    """Return linear warm-up, then half a cosine down to 1 % (Loshchilov & Hutter 2017)."""
    return min(1.0, (step + 1) / max(warmup, 1)) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0))))


@torch.no_grad()
def reconstruction_dice(model: LDSeg, case: Case) -> float:
    """Mean foreground DSC of a mask that went through the latent and back, on the networks' grid."""
    factor = model.config.network.factor
    margins = [(0, 0), *((0, -side % factor) for side in case.masks.shape[1:])]
    masks = torch.from_numpy(np.pad(case.masks.numpy(), margins, mode="symmetric"))[None]
    device = next(model.parameters()).device
    rebuilt = model.decode(model.encode(masks.to(device))).argmax(dim=1).cpu().numpy()
    return mean_dice(rebuilt, masks.argmax(dim=1).numpy(), masks.shape[1])


def segmentation_dice(model: LDSeg, case: Case, config: TrainConfig) -> float:
    """Mean foreground DSC of a segmentation against the labels, at the image's own resolution."""
    settings = SegmentConfig(samples=config.validation_samples, seed=config.seed, device=config.device)
    run = segment(model, case.source, settings)
    while True:
        try:
            next(run)
        except StopIteration as stop:
            return mean_dice(stop.value.labels, case.labels, model.config.network.classes)


def mean_dice(prediction: NDArray[Any], reference: NDArray[Any], classes: int) -> float:
    """Mean DSC over the foreground classes that are in either mask; nan if none is."""
    present = [c for c in range(1, classes) if (prediction == c).any() or (reference == c).any()]
    scores = (
        dice(prediction, reference, classes)[present]
        if len(present) == classes - 1
        else [float(dice(prediction == c, reference == c, 2)[1]) for c in present]
    )
    return float(np.mean(scores)) if present else math.nan
