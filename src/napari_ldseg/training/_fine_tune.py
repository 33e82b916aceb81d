"""fine_tune() trains a model further on other images."""

import math
from collections.abc import Generator, Sequence
from pathlib import Path

import torch

from ..checkpoints import resolve_device
from ..config import TrainConfig
from ..datasets import Pair
from ..errors import InputError
from ..networks import LDSeg
from ._adapt import with_classes, with_prompts, with_residual
from ._card import finished
from ._dataset import Case, read_frames, to_cases
from ._distributed import joined
from ._progress import TrainProgress
from ._scale import fit_scale
from ._stage import tuning_crop
from ._trainer import Trainer, run_trainer
from ._validate import mean_score, reconstruction_dice

# If masks that are encoded and decoded score below this DSC, the autoencoder is trained, too.
REBUILT = 0.97


def fine_tune(
    model: LDSeg,
    pairs: Sequence[Pair],
    config: TrainConfig,
    folder: Path,
    *,
    name: str | None = None,
    class_names: Sequence[str] | None = None,
) -> Generator[TrainProgress, None, LDSeg]:
    """Train a model further, from its weights, with other images and, if need be, other classes.

    Image encoder and denoiser learn. The mask autoencoder stays as it is, unless ``config.learn`` says so, or it is
    "auto" and there are more or fewer classes, or the masks do not survive the way through its latent (DSC below 0.97).
    Where there are validation images, the model is scored on them before anything else, and is the best so far:
    what comes out is never worse on them than what went in (except with ``learn="scratch"``). With one source image
    nothing is held out: the last weights are kept, without a score.

    With ``learn="prompts"`` the model learns to take prompts, or to take them better: the images are embedded once, and
    denoiser and prompt encoder learn from that. What is best is then judged without a prompt and after some.

    Parameters
    ----------
    model : LDSeg
        The parent; it is not changed.
    pairs : sequence of Pair
        Images with label masks. Groups are never split between training and validation. Pixels with the label 255 are
        not learnt from.
    config : TrainConfig
        ``TrainConfig.for_fine_tuning()`` has defaults that suit.
    folder : Path
        As for :func:`train`.
    name : str, optional
        Name of the new model; by default that of the parent with ``-tuned``.
    class_names : sequence of str, optional
        What the labels 0, 1, 2, ... mean; by default the parent's classes. Classes keep what the parent knows of the
        class of that name; further names take the parent's other classes, then start anew.

    Yields
    ------
    TrainProgress
        The first ones say in words what was chosen; then comes the parent's validation score, at step 0. As for
        :func:`train`, closing the generator cancels and :func:`stop_training` stops with the best so far.

    Returns
    -------
    LDSeg
        The new model. Its card names the parent, the data, the split, the settings, the curve, and the scores before
        and after.

    Raises
    ------
    InputError, EngineError
        As :func:`train`.
    """
    with joined():
        torch.manual_seed(config.seed)
        start = with_classes(model, class_names or model.config.class_names).to(resolve_device(config.device))
        if config.learn == "prompts":
            start = with_prompts(start)
        if config.residual_sd is not None:
            start = with_residual(start, config.residual_sd)
        frames = read_frames(pairs, start.config, config)
        seen, scaled = (
            fit_scale(frames, start.config) if config.scale == "auto" else (start.config, "as the model's own")
        )
        start.config = seen.replace(name=name or f"{model.config.name}-tuned", score="")
        cases = to_cases(frames, start.config)
        config = config.replace(crop=tuning_crop(config, start.config, cases))
        fresh = config.learn == "scratch"
        masks, why = _autoencoder_learns(model, start, cases, config)
        trainer = Trainer(
            cases, LDSeg(start.config) if fresh else start, config, Path(folder), fresh=fresh, masks=masks
        )
        notes = [f"Scale: {scaled}.", why, _split_in_words(trainer), _settings_in_words(trainer)]
        best = yield from run_trainer(trainer, notes)
        return finished(trainer, best, _parent(model, fresh=fresh))


def _autoencoder_learns(parent: LDSeg, start: LDSeg, cases: Sequence[Case], config: TrainConfig) -> tuple[bool, str]:
    """Return whether the autoencoder must learn, and why."""
    if config.learn == "scratch":
        return True, "Everything is trained from scratch; of the parent, only its networks' shape is kept."
    new = start.config.network.classes != parent.config.network.classes
    frozen = config.learn in ("denoiser", "decoder", "prompts") or not config.autoencoder_steps
    if new and frozen:
        raise InputError(
            f"The labels have {start.config.network.classes} classes and the model {parent.config.network.classes}, so "
            "its mask autoencoder must learn, too; choose learn 'auto' or 'all', and autoencoder_steps above 0."
        )
    if config.learn == "decoder":
        before = mean_score([reconstruction_dice(start, case) for case in cases])
        return False, f"The mask decoder alone learns; it rebuilds these masks with DSC {before:.3f} now."
    if config.learn == "prompts":
        return False, "Denoiser and prompt encoder learn; image encoder and mask autoencoder stay as they are."
    if frozen:
        return False, "Image encoder and denoiser learn; the mask autoencoder stays as it is."
    if new or config.learn == "all":
        return True, f"The mask autoencoder learns, too ({'the classes are new' if new else 'as asked for'})."
    score = mean_score([reconstruction_dice(start, case) for case in cases])
    if math.isnan(score) or score >= REBUILT:
        return False, f"The mask autoencoder stays as it is: it rebuilds these masks with DSC {score:.3f}."
    return True, f"The mask autoencoder learns, too: it rebuilds these masks with DSC {score:.3f} only."


def _split_in_words(trainer: Trainer) -> str:
    trained, held = trainer.training, trainer.validation
    groups = len({case.group for case in trained})
    if held:
        return (
            f"{len(trained)} images of {groups} groups are trained on, {len(held)} of "
            f"{len({case.group for case in held})} other groups are held out for validation."
        )
    reason = "there is only one source image" if groups == 1 else "as asked for"
    return f"Nothing is held out ({reason}): all is trained on, the last weights are kept, and there is no score."


def _settings_in_words(trainer: Trainer) -> str:
    crop = " x ".join(map(str, trainer.crop))
    rate = trainer.stages[-1].learning_rate
    return f"Crops of {crop} pixels, {trainer.batch} in a batch, learning rate {rate:g}, on {trainer.device}."


def _parent(model: LDSeg, *, fresh: bool) -> str:
    """Return a line on the parent, and its card below a rule."""
    known = f"`{model.config.name}` (SHA-256 {model.sha256 or 'unknown'})"
    line = f"Trained from scratch with the networks of {known}." if fresh else f"Fine-tuned from {known}."
    return line if fresh else f"{line}\n\n---\n\n{model.card}"
