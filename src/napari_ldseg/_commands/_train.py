"""`napari-ldseg train` and `napari-ldseg fine-tune`."""

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import TextColumn

from ..config import Device, ModelConfig, TrainConfig
from ..errors import InputError
from ._common import border, follow, given, progress_bar, read_json, say, setting

if TYPE_CHECKING:
    from ..networks import LDSeg
    from ..training import Epoch


def _settings_file(path: Path | None) -> dict[str, dict[str, Any]]:
    """Read ``{"model": {...}, "train": {...}}``."""
    if path is None:
        return {"model": {}, "train": {}}
    values = read_json(path)
    parts = ("model", "train")
    if not isinstance(values, dict) or not all(key in parts and isinstance(part, dict) for key, part in values.items()):
        raise InputError(f'The settings file {path} must hold {{"model": {{...}}, "train": {{...}}}} and nothing else.')
    return {part: values.get(part, {}) for part in parts}


@border("Interrupted; run the same command again to go on from the last state.")
def train(
    images: Annotated[Path, typer.Option("--images", help="Folder of images.")],
    labels: Annotated[Path, typer.Option("--labels", help="Folder of label masks: 0 background, 1, 2, ... classes.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of this run; one with a state is resumed.")],
    name: Annotated[str | None, typer.Option("--name", help="Name of the model.", show_default="untitled")] = None,
    groups: Annotated[
        Path | None, typer.Option("--groups", help="CSV with image and group (patient); a group is never split.")
    ] = None,
    settings: Annotated[
        Path | None, typer.Option("--config", help='JSON file {"model": {...}, "train": {...}}; flags go first.')
    ] = None,
    minutes: Annotated[float | None, setting(TrainConfig, "minutes", "--minutes")] = None,
    foreground: Annotated[bool | None, setting(TrainConfig, "foreground", "--foreground")] = None,
    validation: Annotated[float | None, setting(TrainConfig, "validation", "--validation")] = None,
    seed: Annotated[int | None, setting(TrainConfig, "seed", "--seed")] = None,
    device: Annotated[Device | None, setting(TrainConfig, "device", "--device")] = None,
) -> None:
    """Train a model from scratch on images and label masks."""
    values = _settings_file(settings)
    model_config = ModelConfig.parse(values["model"] | given(name=name))
    flags = given(minutes=minutes, foreground=foreground, validation=validation, seed=seed, device=device)
    config = TrainConfig.parse(values["train"] | flags)
    from ..data import find_pairs

    pairs = find_pairs(images, labels, groups=groups)

    from ..training import train as run

    _train(run(pairs, model_config, config, out), out)


@border("Interrupted; run the same command again to go on from the last state.")
def fine_tune(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Name of the model to start from, or its file.")],
    images: Annotated[Path, typer.Option("--images", help="Folder of images.")],
    labels: Annotated[Path, typer.Option("--labels", help="Folder of label masks, with the model's classes.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of this run; one with a state is resumed.")],
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the new model.", show_default="MODEL-tuned")
    ] = None,
    groups: Annotated[
        Path | None, typer.Option("--groups", help="CSV with image and group (patient); a group is never split.")
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option("--config", help='JSON file {"model": {"input": ...}, "train": {...}}; flags go first.'),
    ] = None,
    minutes: Annotated[float | None, setting(TrainConfig, "minutes", "--minutes")] = None,
    foreground: Annotated[bool | None, setting(TrainConfig, "foreground", "--foreground")] = None,
    validation: Annotated[float | None, setting(TrainConfig, "validation", "--validation")] = None,
    seed: Annotated[int | None, setting(TrainConfig, "seed", "--seed")] = None,
    device: Annotated[Device | None, setting(TrainConfig, "device", "--device")] = None,
) -> None:
    """Train a model further on other images; its mask autoencoder stays as it is."""
    flags = given(minutes=minutes, foreground=foreground, validation=validation, seed=seed, device=device)
    values = _settings_file(settings)
    config = TrainConfig.for_fine_tuning(**(values["train"] | flags))
    if set(values["model"]) - {"input"}:
        raise InputError(
            "Fine-tuning keeps the model's networks; of its settings only 'input' (how it sees images) can be changed, "
            f"not {', '.join(sorted(set(values['model']) - {'input'}))}."
        )
    from ..data import find_pairs

    pairs = find_pairs(images, labels, groups=groups)

    from ..checkpoints import load_model
    from ..training import fine_tune as run

    parent = load_model(model, config.device)
    seen = parent.config.input.model_dump() | values["model"].get("input", {})
    parent.config = parent.config.replace(input=seen)
    _train(run(parent, pairs, config, out, name=name), out)


def _train(run: "Generator[Epoch, None, LDSeg]", out: Path) -> None:
    """Show a training by a bar for each stage."""
    with progress_bar(TextColumn("{task.fields[numbers]}", markup=False)) as progress:
        bars: dict[str, Any] = {}
        score = ""

        def report(epoch: "Epoch") -> None:
            nonlocal score
            if epoch.stage not in bars:
                bars[epoch.stage] = progress.add_task(epoch.stage, total=epoch.total, numbers="")
            if epoch.validation is not None:
                score = f", validation DSC {epoch.validation:.3f}"
            progress.update(bars[epoch.stage], completed=epoch.step, numbers=f"loss {epoch.loss:.4f}{score}")

        follow(run, report)
    say(f"The model is {out / 'model.safetensors'}; use it with `napari-ldseg segment IN... --model {out}`.")
