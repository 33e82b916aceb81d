"""fine_tune(): go on from a trained model with other images."""

import copy
from collections.abc import Generator, Sequence
from pathlib import Path

from ..config import TrainConfig
from ..data import Pair
from ..networks import LDSeg
from ._loop import Epoch, run_trainer


def fine_tune(
    model: LDSeg, pairs: Sequence[Pair], config: TrainConfig, folder: Path, *, name: str | None = None
) -> Generator[Epoch, None, LDSeg]:
    """Train image encoder and denoiser further, from a model's weights; its mask autoencoder stays as it is.

    The autoencoder is only trained, too, if ``config.autoencoder_steps`` is above 0.
    Where there are validation images, the model is scored on them before anything else, and is the best so far:
    what comes out is never worse on them than what went in.

    Parameters
    ----------
    model : LDSeg
        The parent; it is not changed. The classes of the labels must be its classes.
    pairs : sequence of Pair
        Images with label masks. Groups are never split between training and validation.
    config : TrainConfig
        ``TrainConfig.for_fine_tuning()`` has defaults that suit.
    folder : Path
        As for :func:`train`.
    name : str, optional
        Name of the new model; by default that of the parent with ``-tuned``.

    Yields
    ------
    Epoch
        The first one holds the parent's validation score, at step 0.

    Returns
    -------
    LDSeg
        The new model, whose card names its parent.

    Raises
    ------
    InputError, EngineError
        As :func:`train`.
    """
    start = copy.deepcopy(model)
    start.config = start.config.replace(name=name or f"{model.config.name}-tuned", score="")
    start.card = _card(model, start.config.name, len(pairs), config)
    return (yield from run_trainer(pairs, start, config, Path(folder), fresh=False))


def _card(parent: LDSeg, name: str, images: int, config: TrainConfig) -> str:
    held = f"a share of {config.validation:g} of their groups held out for validation" if config.validation else "all"
    return (
        f"# {name}\n\n"
        f"Fine-tuned from `{parent.config.name}` (SHA-256 {parent.sha256 or 'unknown'}) on {images} annotated images "
        f"({held}, seed {config.seed}).\n\n"
        f"Settings: `{config.model_dump_json()}`\n\n"
        f"The parent's card follows; its scores are the parent's.\n\n---\n\n{parent.card}"
    )
