"""`napari-ldseg train` and `napari-ldseg fine-tune`."""

import os
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import TextColumn

from .._util import follow
from ..config import ModelConfig, TrainConfig
from ..errors import InputError
from ._common import border, not_none, progress_bar, read_json, say
from ._options import Given, options

if TYPE_CHECKING:
    from ..datasets import Pair
    from ..networks import LDSeg
    from ..training import TrainProgress

# A training from scratch has no model whose parts or pixel size could be kept.
FINE_TUNING = ("learn", "scale")


def _settings_file(path: Path | None) -> dict[str, dict[str, Any]]:
    """Read ``{"model": {...}, "train": {...}}``."""
    if path is None:
        return {"model": {}, "train": {}}
    values = read_json(path)
    parts = ("model", "train")
    if not isinstance(values, dict) or not all(key in parts and isinstance(part, dict) for key, part in values.items()):
        raise InputError(f'The settings file {path} must hold {{"model": {{...}}, "train": {{...}}}} and nothing else.')
    return {part: values.get(part, {}) for part in parts}


Images = Annotated[Path | None, typer.Option("--images", help="Folder of images.")]
Labels = Annotated[
    Path | None,
    typer.Option("--labels", help="Folder of label masks: 0 background, 1, 2, ... classes, 255 unlabelled."),
]
Groups = Annotated[
    Path | None, typer.Option("--groups", help="CSV with image and group (patient); a group is never split.")
]
Set = Annotated[Path | None, typer.Option("--set", help="Folder of a training set, instead of --images and --labels.")]
ClassNames = Annotated[
    str | None, typer.Option("--class-names", help="What labels 0, 1, 2, ... mean: background,nucleus,stroma")
]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder of this run; one with a state is resumed.")]


def names_of(text: str | None) -> tuple[str, ...] | None:
    """Split a list of names at its commas."""
    return None if text is None else tuple(name.strip() for name in text.split(","))


def _pairs(
    images: Path | None, labels: Path | None, groups: Path | None, folder: Path | None, foreground: bool
) -> "tuple[list[Pair], tuple[str, ...] | None]":
    """Return the training pairs, and the class names if a training set knows them."""
    from ..datasets import TrainingSet, find_pairs

    if folder is not None:
        if images is not None or labels is not None or groups is not None or foreground:
            raise InputError(
                "A training set (--set) knows its images, labels, groups and classes; leave --images, --labels, "
                "--groups and --foreground out."
            )
        found = TrainingSet(folder)
        return found.pairs(), found.class_names
    if images is None or labels is None:
        raise InputError("Say what to learn from: --images DIR and --labels DIR, or a training set (--set DIR).")
    return find_pairs(images, labels, groups=groups), None


@border("Interrupted; run the same command again to go on from the last state.")
@options(TrainConfig, without=FINE_TUNING)
def train(
    out: Out,
    images: Images = None,
    labels: Labels = None,
    training_set: Set = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of the model.", show_default="untitled")] = None,
    groups: Groups = None,
    class_names: ClassNames = None,
    settings: Annotated[
        Path | None, typer.Option("--config", help='JSON file {"model": {...}, "train": {...}}; flags go first.')
    ] = None,
    pretrained: Annotated[
        Path | None, typer.Option("--pretrained", help="Weights (.pth) for the image encoder's backbone to start from.")
    ] = None,
    *,
    given: Given,
) -> None:
    """Train a model from scratch on images and label masks."""
    values = _settings_file(settings)
    config = TrainConfig.parse(values["train"] | given.of(TrainConfig))
    pairs, names = _pairs(images, labels, groups, training_set, "foreground" in given.values)
    names = names_of(class_names) or names
    model = values["model"] | not_none(name=name, class_names=names)
    if names:
        network = model.get("network", {})
        model["network"] = {**(network if isinstance(network, dict) else {}), "classes": len(names)}
    model_config = ModelConfig.parse(model)

    from ..training import train as run

    _train(run(pairs, model_config, config, out, pretrained=pretrained), out)


@border("Interrupted; run the same command again to go on from the last state.")
@options(TrainConfig.for_fine_tuning())
def fine_tune(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Name of the model to start from, or its file.")],
    out: Out,
    images: Images = None,
    labels: Labels = None,
    training_set: Set = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the new model.", show_default="MODEL-tuned")
    ] = None,
    groups: Groups = None,
    class_names: ClassNames = None,
    settings: Annotated[
        Path | None,
        typer.Option("--config", help='JSON file {"model": {"input": ...}, "train": {...}}; flags go first.'),
    ] = None,
    *,
    given: Given,
) -> None:
    """Train a model further on other images, with its own classes or others."""
    values = _settings_file(settings)
    if set(values["model"]) - {"input"}:
        raise InputError(
            "Fine-tuning keeps the model's networks; of its settings only 'input' (how it sees images) can be changed, "
            f"not {', '.join(sorted(set(values['model']) - {'input'}))}."
        )
    scale = {"scale": "model"} if values["model"] else {}
    config = TrainConfig.for_fine_tuning(**(scale | values["train"] | given.of(TrainConfig)))
    pairs, names = _pairs(images, labels, groups, training_set, "foreground" in given.values)

    from ..checkpoints import load_model
    from ..training import fine_tune as run

    parent = load_model(model, config.device)
    seen = parent.config.input.model_dump() | values["model"].get("input", {})
    parent.config = parent.config.replace(input=seen)
    _train(run(parent, pairs, config, out, name=name, class_names=names_of(class_names) or names), out)


def _train(run: "Generator[TrainProgress, None, LDSeg]", out: Path) -> None:
    """Show a training with a progress bar for each stage. Of several processes only the first one prints."""
    if os.environ.get("RANK", "0") != "0":
        follow(run)
        return
    with progress_bar(TextColumn("{task.fields[numbers]}", markup=False)) as progress:
        bars: dict[str, Any] = {}
        score = ""

        def report(now: "TrainProgress") -> None:
            nonlocal score
            if now.text:
                progress.console.print(now.text, markup=False, highlight=False)
            if now.stage not in bars:
                bars[now.stage] = progress.add_task(now.stage, total=now.total, numbers="")
            if now.validation is not None:
                score = f", validation DSC {now.validation:.3f}"
            progress.update(bars[now.stage], completed=now.done, total=now.total, numbers=f"loss {now.loss:.4f}{score}")

        follow(run, report)
    say(f"The model is {out / 'model.safetensors'}; use it with `napari-ldseg segment IN... --model {out}`.")
