"""The state of an unfinished training in one file, so that a killed run goes on where it was."""

import json
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from .._util import replacing
from ..config import ModelConfig, TrainConfig
from ..errors import CheckpointError, InputError
from ..networks import LDSeg
from ._dataset import Case
from ._distributed import rank
from ._run_folder import STATE
from ._stage import Stage


class Training(Protocol):
    """What is kept of a training, or compared when it goes on."""

    config: TrainConfig
    model: LDSeg
    average: LDSeg
    generator: torch.Generator
    optimizers: dict[str, torch.optim.AdamW]
    stages: list[Stage]
    before: float | None
    training: list[Case]
    validation: list[Case]


def save_state(folder: Path, trainer: Training) -> None:
    """Write weights, averages, optimisers and random state beside, then rename; the first of several processes does.

    Raises
    ------
    InputError
        If the disk refuses; the state before stays whole.
    """
    if rank():
        return
    tensors = {f"model.{k}": v for k, v in trainer.model.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in trainer.average.state_dict().items()}
    tensors["generator"] = trainer.generator.get_state()
    for name, optimizer in trainer.optimizers.items():
        for index, moments in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{name}.{index}.{key}": torch.as_tensor(value) for key, value in moments.items()}
    meta = {
        "stages": json.dumps({s.name: [s.step, s.elapsed, s.best] for s in trainer.stages}),
        "config": trainer.config.model_dump_json(),
        "before": json.dumps(trainer.before),
        "model": trainer.model.config.replace(score="").model_dump_json(),
        "images": json.dumps(_split_of(trainer)),
    }
    stored = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
    try:
        with replacing(folder / STATE) as partial:
            save_file(stored, partial, metadata=meta)
    except SafetensorError as error:
        raise InputError(
            f"{folder / STATE} cannot be written ({error}); make room, and run the same again to go on."
        ) from error


def load_state(folder: Path, trainer: Training) -> bool:
    """Resume from the folder's state if there is one; return whether there was."""
    path = folder / STATE
    if not path.exists():
        return False
    try:
        with safe_open(path, framework="pt") as file:
            meta: dict[str, str] = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"The unfinished training in {path} cannot be read ({error}); delete it to start again."
        ) from error
    _check_same(folder, meta, trainer)
    trainer.model.load_state_dict(_below(tensors, "model."))
    trainer.average.load_state_dict(_below(tensors, "average."))
    trainer.generator.set_state(tensors["generator"])
    for name, optimizer in trainer.optimizers.items():
        state: dict[int, dict[str, Any]] = {}
        for key, value in _below(tensors, f"optimizer.{name}.").items():
            index, moment = key.split(".")
            state.setdefault(int(index), {})[moment] = value
        optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    trainer.before = json.loads(meta.get("before", "null"))
    if {stage.name for stage in trainer.stages} != set(json.loads(meta["stages"])):
        raise InputError(f"{folder} holds a training of other stages; choose another folder.")
    for stage in trainer.stages:
        stage.step, stage.elapsed, stage.best = json.loads(meta["stages"])[stage.name]
    return True


def _check_same(folder: Path, meta: dict[str, str], trainer: Training) -> None:
    """Refuse to go on with another model or other settings (a longer budget is welcome)."""
    budget = {"minutes", "epochs", "autoencoder_steps", "denoiser_steps", "device", "validate_every", "precision"}
    # Settings that are newer than the state had their default.
    before = TrainConfig.parse(json.loads(meta["config"])).model_dump(mode="json")
    now = trainer.config.model_dump(mode="json")
    changed = sorted(key for key in now if key not in budget and before.get(key) != now[key])
    if ModelConfig.parse(json.loads(meta["model"])) != trainer.model.config.replace(score=""):
        changed.append("the model's configuration")
    if json.loads(meta.get("images", "null")) not in (None, _split_of(trainer)):
        changed.append("the images, or which of them are held out")
    if changed:
        raise InputError(
            f"{folder} holds an unfinished training with other settings ({', '.join(changed)}); "
            f"choose another folder, or delete its {STATE} to start again."
        )


def _split_of(trainer: Training) -> list[list[str]]:
    """Return the names of the images that are trained on, and of those that are held out."""
    return [sorted(case.name for case in part) for part in (trainer.training, trainer.validation)]


def _below(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
