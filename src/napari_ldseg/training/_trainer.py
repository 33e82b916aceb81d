"""The loop that all trainings share: steps, averaged weights, validation, reports, and stopping."""

import copy
import json
import math
import shutil
import time
from collections.abc import Generator, Sequence
from pathlib import Path

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from .._util import write_text
from ..checkpoints import autocast, computing, fastest_convolutions, load_model, resolve_device, save_model, share_cores
from ..config import TrainConfig
from ..errors import EngineError, InputError
from ..networks import LDSeg
from ._augment import draw_rated_batch
from ._dataset import Case, split_groups
from ._distributed import agreed, rank, sum_gradients, world
from ._likelihood import mixture_nll
from ._losses import Batch
from ._partial import fill_nearest, fill_predicted, is_partial
from ._precision import safe_precision
from ._progress import TrainProgress, memory_mb, write_preview
from ._prompt_stage import PromptStage
from ._run_folder import LOG, MODEL, PREVIEW, SPLIT, STATE, STOP
from ._stage import Stage, choose_batch, learning_rate_factor, plan_stages
from ._state import load_state, save_state
from ._validate import mean_score, reconstruction_dice, segmentation_dice

SAVE_SECONDS = 60.0
REPORT_SECONDS = 0.5


class Trainer:
    """The state of one training: the model, its averaged copy, the cases, and the progress.

    Parameters
    ----------
    cases : sequence of Case
    model : LDSeg
        It is changed.
    config : TrainConfig
    folder : Path
    fresh : bool
        Whether its weights are untrained.
    masks : bool
        Whether the autoencoder learns, too.
    """

    clock = staticmethod(time.perf_counter)

    def __init__(
        self,
        cases: Sequence[Case],
        model: LDSeg,
        config: TrainConfig,
        folder: Path,
        *,
        fresh: bool = True,
        masks: bool = True,
    ):
        self.config, self.folder, self.fresh, self.masks = config, folder, fresh, masks
        self.device = resolve_device(config.device)
        if config.rotate is not None:
            upright = model.config.input.replace(upright=not config.rotate)
            model.config = model.config.replace(input=upright.model_dump())
        self.training, self.validation = split_groups(cases, config.validation, config.seed)
        self.model = model.to(self.device)
        self.average = copy.deepcopy(self.model).eval().requires_grad_(False)
        self.generator = torch.Generator().manual_seed(config.seed)
        self.crop, factor = config.crop or model.config.input.shape, model.config.network.factor
        if any(side % factor for side in self.crop):
            raise InputError(f"Training crops {self.crop} must be multiples of {factor}, the networks' factor.")
        self.precision = safe_precision(config.precision, self.device, self.crop, model.config.network)
        self.batch = choose_batch(config, self.crop, self.device)
        self.stages = self._plan()
        self.optimizers = {stage.name: self._optimizer(stage) for stage in self.stages}
        self.before: float | None = None
        self.stopped = False
        self.prompting = self._prompt_stage()
        self._told = ""
        self._make_folder()

    def _plan(self) -> list[Stage]:
        steps = self.config.denoiser_steps
        if self.config.epochs is not None:
            steps = max(1, round(self.config.epochs * len(self.training) / (self.batch * world())))
        prompted = bool(self.model.config.network.prompt_widths)
        return plan_stages(self.config, steps, fresh=self.fresh, masks=self.masks, prompted=prompted)

    def _prompt_stage(self) -> PromptStage | None:
        if self.config.learn != "prompts":
            return None
        rotate = not self.model.config.input.upright
        return PromptStage(self.training, self.validation, self.crop, self.config, rotate=rotate, device=self.device)

    def _make_folder(self) -> None:
        """Create the folder of the run, and refuse a disk with too little room."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            room = shutil.disk_usage(self.folder).free
        except OSError as error:
            raise InputError(f"{self.folder} cannot be written ({error.strerror}); choose another folder.") from error
        if (self.folder / MODEL).exists() and not any((self.folder / name).exists() for name in (STATE, LOG)):
            raise InputError(
                f"{self.folder} holds a model that no training wrote there, which would be replaced; "
                "choose another folder."
            )
        needed = 6 * sum(p.numel() * p.element_size() for p in self.model.parameters())
        if room < needed:
            raise InputError(
                f"The disk of {self.folder} has {room / 2**20:.0f} MB left, and this training needs "
                f"{needed / 2**20:.0f} MB; make room, or choose another folder."
            )

    def _optimizer(self, stage: Stage) -> torch.optim.AdamW:
        # (weight decay, share of the learning rate) of groups of parameters, in the order of their first one
        found: dict[tuple[float, float], list[nn.Parameter]] = {}
        for module in stage.modules:
            for name, parameter in self.model.get_submodule(module).named_parameters():
                decay = self.config.weight_decay if parameter.ndim > 1 else 0.0
                share = self.config.backbone_rate if name.startswith("backbone.") else 1.0
                found.setdefault((decay, share), []).append(parameter)
        groups = [{"params": params, "weight_decay": decay, "share": share} for (decay, share), params in found.items()]
        return torch.optim.AdamW(groups, lr=stage.learning_rate, betas=(0.9, 0.99))

    def run(self, stage: Stage) -> Generator[TrainProgress, None, None]:
        """Train one stage to the end of its budget, or until it is told to stop, from wherever it stands."""
        for name, module in self.model.named_children():
            module.requires_grad_(name in stage.modules).train(name in stage.modules)
        if stage.name == "prompts" and stage.progress < 1:
            yield from self._embed(stage)
        saved = reported = time.perf_counter()
        while stage.progress < 1 and not self.stopped:
            started = self.clock()
            with fastest_convolutions():
                stage.losses.append(self.advance(stage))
            stage.elapsed = agreed(stage.elapsed + self.clock() - started, self.device)
            self.stopped = bool(agreed(float((self.folder / STOP).exists()), self.device))
            now = time.perf_counter()
            finished = stage.progress >= 1 or self.stopped
            validated = finished or stage.step % self.config.validate_every == 0
            score = self.validate(stage) if validated else None
            if validated or now - saved > SAVE_SECONDS:
                save_state(self.folder, self)
                saved = time.perf_counter()
            if validated or now - reported > REPORT_SECONDS:
                try:
                    yield self.report(stage, score)
                except GeneratorExit:
                    save_state(self.folder, self)  # who closes it may want to go on later
                    raise
                reported = time.perf_counter()

    def _embed(self, stage: Stage) -> Generator[TrainProgress, None, None]:
        """Embed the images of the prompts' stage, which its time budget does not include."""
        assert self.prompting is not None
        yield self.report(stage, None, f"{self.prompting.total} views of the images are embedded, once for all steps.")
        reported = time.perf_counter()
        for _ in self.prompting.prepare(self.model):
            if time.perf_counter() - reported > REPORT_SECONDS:
                yield self.report(stage, None)
                reported = time.perf_counter()

    def advance(self, stage: Stage) -> float:
        """Do one optimiser step and update the average."""
        share_cores()
        rate = stage.learning_rate * learning_rate_factor(stage.progress, stage.step, self.config.warmup)
        optimizer = self.optimizers[stage.name]
        for group in optimizer.param_groups:
            group["lr"] = rate * group["share"]
        batch = self.draw(stage)
        with autocast(self.device, self.precision):
            loss = stage.loss(self.model, batch, self.config, self.generator)
        if not torch.isfinite(loss):
            raise EngineError(
                f"The loss became {float(loss.detach())} at step {stage.step} of the {stage.name}; "
                "lower the learning rate, or check the images for extreme values."
            )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        learning = [p for group in optimizer.param_groups for p in group["params"]]
        sum_gradients(learning)
        nn.utils.clip_grad_norm_(learning, 1.0)
        optimizer.step()
        stage.step += 1
        self._update_average(stage)
        return float(loss.detach())

    def draw(self, stage: Stage) -> Batch:
        """Draw a common batch, of which this process makes its share, with what nobody annotated filled in."""
        chosen = torch.randint(len(self.training), (self.batch * world(),), generator=self.generator).tolist()
        if stage.name == "prompts" and self.prompting is not None:
            return self.prompting.draw(chosen, self.model.config.network.factor, self.generator)
        images, masks, means = draw_rated_batch(
            [self.training[i] for i in chosen],
            self.crop,
            augment=self.config.augment,
            rotate=not self.model.config.input.upright,
            generator=self.generator,
            device=self.device,
            config=self.config,
        )
        if not is_partial(masks):
            return Batch(images, masks, masks, means)
        if stage.name != "denoiser":
            return Batch(images, masks, fill_nearest(masks), means)
        with autocast(self.device, self.precision):
            return Batch(images, masks, fill_predicted(self.average, images, masks), means)

    def _update_average(self, stage: Stage) -> None:
        decay = min(self.config.ema, (1 + stage.step) / (10 + stage.step))
        for name in stage.modules:
            blend(self.average.get_submodule(name), self.model.get_submodule(name), decay)

    def validate(self, stage: Stage) -> float | None:
        """Score the averaged weights on the validation cases, keep them if they are the best so far."""
        if rank():
            return None
        self.average.eval()
        if stage.name == "autoencoder":
            return mean_score([reconstruction_dice(self.average, case) for case in self.validation] or [math.nan])
        shown = self.validation or self.training[:1]
        if stage.name == "prompts" and self.validation:
            return self._validate_prompts(stage)
        outcomes = [segmentation_dice(self.average, case, self.config) for case in shown]
        score = mean_score([score for score, _ in outcomes]) if self.validation else None
        if score is None:
            self._keep("")
        else:
            number, told, rank_by = len(self.validation), f"DSC {score:.3f}", score
            if self.config.select == "likelihood":
                found = [
                    mixture_nll(self.average, case, result) for case, (_, result) in zip(shown, outcomes, strict=True)
                ]
                rank_by = math.exp(-mean_score(found))
                self._told = told = f"{told}, NLL {mean_score(found):.4f}"
            if not rank_by < stage.best:
                stage.best = rank_by
                self._keep(f"{told} on {number} validation image{'s' * (number > 1)}")
        write_preview(self.folder, shown[0], outcomes[0][1])
        return score

    def _validate_prompts(self, stage: Stage) -> float:
        """Score the averaged weights without a prompt and with some, keep them if they are the best so far."""
        assert self.prompting is not None
        score, self._told = self.prompting.score(self.average)
        if not score < stage.best:
            stage.best = score
            number = len(self.validation)
            self._keep(f"{self._told} on {number} validation image{'s' * (number > 1)}")
        return score

    def _keep(self, score: str) -> None:
        self.average.config = self.average.config.replace(score=score)
        save_model(self.average, self.folder / MODEL)

    def report(self, stage: Stage, score: float | None, note: str = "") -> TrainProgress:
        """Sum up since the last report, and write a line of the log."""
        loss = math.fsum(stage.losses) / len(stage.losses) if stage.losses else math.nan
        stage.losses.clear()
        note, self._told = note or self._told, ""
        preview = self.folder / PREVIEW
        fresh = score is not None and stage is self.stages[-1] and preview.is_file()
        left = sum(each.seconds_left for each in self.stages[self.stages.index(stage) :])
        progress = TrainProgress(
            stage.step, stage.total, note, stage.name, loss, score, left, memory_mb(), preview if fresh else None
        )
        if rank() == 0:
            self._log(json.dumps(progress.row() | {"elapsed": round(stage.elapsed, 1)}, default=str))
        return progress

    def _log(self, line: str) -> None:
        try:
            with (self.folder / LOG).open("a", encoding="utf-8") as log:
                log.write(line + "\n")
        except OSError as error:
            raise InputError(
                f"{self.folder / LOG} cannot be written ({error.strerror}); make room, and run the same again to go on."
            ) from error


@torch.no_grad()
def blend(average: nn.Module, model: nn.Module, decay: float) -> None:
    """Move the averaged weights towards the model's."""
    get_ema_multi_avg_fn(decay)(list(average.parameters()), list(model.parameters()), 0)
    # Statistics of a batch-norm are averages already.
    for kept, now in zip(average.buffers(), model.buffers(), strict=True):
        kept.copy_(now)


def run_trainer(trainer: Trainer, notes: Sequence[str] = ()) -> Generator[TrainProgress, None, LDSeg]:
    """Train from these weights, or go on with the run in the folder; unless fresh, they are the best so far."""
    resumed = load_state(trainer.folder, trainer)
    last = trainer.stages[-1]
    if rank() == 0:
        write_split(trainer)
    if world() > 1:
        torch.manual_seed(trainer.config.seed + rank())  # what is dropped out in one process is not in the other
    for note in () if resumed else notes:
        yield trainer.report(trainer.stages[0], None, note)
    if not trainer.fresh and not resumed:
        trainer.before = trainer.validate(last)
        yield trainer.report(last, trainer.before)
    for stage in trainer.stages:
        if stage.name == "denoiser" and stage.step == 0:
            for name in ("mask_encoder", "mask_decoder"):
                weights = trainer.average.get_submodule(name).state_dict()
                trainer.model.get_submodule(name).load_state_dict(weights)
        if trainer.stopped and stage.step == 0:
            # Stopped before this stage began: what there is, is scored and kept if it is the best.
            yield trainer.report(stage, trainer.validate(stage))
        with computing(trainer.device):
            yield from trainer.run(stage)
    (trainer.folder / STOP).unlink(missing_ok=True)
    agreed(0.0, trainer.device)  # wait for the first process, which writes
    return load_model(trainer.folder / MODEL, trainer.config.device)


def write_split(trainer: Trainer) -> None:
    """Write which images are trained on and which are held out."""
    split = {
        "seed": trainer.config.seed,
        "training": [case.name for case in trainer.training],
        "validation": [case.name for case in trainer.validation],
    }
    write_text(trainer.folder / SPLIT, json.dumps(split, indent=1))


def stop_training(folder: Path) -> None:
    """Ask the training that writes to this folder to stop; it keeps the best so far and ends as if it were done.

    A training that is still reading its images stops after its first step.
    """
    write_text(Path(folder) / STOP, "")
