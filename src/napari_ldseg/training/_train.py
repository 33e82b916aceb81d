"""train() fits the mask autoencoder, then image encoder and denoiser with it frozen (LDSeg, section III)."""

from collections.abc import Generator, Sequence
from pathlib import Path

import torch

from ..config import ModelConfig, TrainConfig
from ..datasets import Pair
from ..errors import InputError
from ..exchange import load_backbone
from ..networks import LDSeg
from ._card import finished
from ._dataset import load_cases
from ._distributed import joined
from ._progress import TrainProgress
from ._trainer import Trainer, run_trainer


def train(
    pairs: Sequence[Pair],
    model_config: ModelConfig,
    config: TrainConfig,
    folder: Path,
    *,
    pretrained: str | Path | None = None,
) -> Generator[TrainProgress, None, LDSeg]:
    """Train a model from scratch, in the paper's two stages.

    Parameters
    ----------
    pairs : sequence of Pair
        Images with label masks; groups (patients) are never split between training and validation. Pixels with the
        label 255 are not learnt from.
    model_config : ModelConfig
    config : TrainConfig
    folder : Path
        Where ``model.safetensors`` (the best so far), ``log.jsonl``, ``split.json``, ``preview.npz`` and
        ``state.safetensors`` go. A folder with a state is resumed: the run goes on where it was killed.
    pretrained : str or Path, optional
        Weights that the image encoder's backbone starts from (:func:`napari_ldseg.checkpoints.load_backbone`).

    Yields
    ------
    TrainProgress
        Whoever does not ask for the next one pauses the training; closing the generator ends it at once, and
        :func:`stop_training` at the next step, with the best so far kept.

    Returns
    -------
    LDSeg
        The averaged weights with the best validation DSC (the last ones where there is no validation).

    Raises
    ------
    CheckpointError
        If the pretrained weights cannot be read, or do not fit.
    InputError
        If images, labels or settings do not fit, if the folder holds a run with other settings, or the disk refuses.
    EngineError
        If the loss stops being a number.
    """
    if config.learn in ("decoder", "prompts"):
        raise InputError(
            f"learn {config.learn!r} goes on from a trained model; fine-tune one, or choose another setting."
        )
    if not config.autoencoder_steps:
        raise InputError(
            "autoencoder_steps is 0, but without a mask autoencoder there is nothing to train the denoiser on; "
            "set it to 1500, say, or start from a model that has one (fine-tune)."
        )
    with joined():
        torch.manual_seed(config.seed)
        cases = load_cases(pairs, model_config, config)
        model = LDSeg(model_config)
        if pretrained is not None:
            load_backbone(model, pretrained)
        trainer = Trainer(cases, model, config, Path(folder))
        best = yield from run_trainer(trainer)
        return finished(trainer, best, "")
