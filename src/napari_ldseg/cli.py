"""The command line: segment files, train, list the models, open the demo.

Exit codes: 0 done, 1 some files failed, 2 wrong use, 130 interrupted.
torch and the viewer are imported by the commands that need them, so that ``--help`` is instant.
"""

import importlib.util
import json
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from . import __version__
from .config import Config, Device, MeasureConfig, ModelConfig, SamplerName, SegmentConfig, TrainConfig
from .errors import InputError, LDSegError

if TYPE_CHECKING:
    from ._outputs import Task
    from .inference import Progress as Step
    from .networks import LDSeg
    from .training import Epoch

QT_BINDINGS = ("PySide6", "PyQt6", "PyQt5")

Update = TypeVar("Update")
Result = TypeVar("Result")

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Latent diffusion segmentation with uncertainty (LDSeg).",
)


def main() -> None:
    """Run the command line (the entry point ``napari-ldseg``)."""
    app()


def _say(text: str, style: str | None = None) -> None:
    """Print one line on the error stream, as it is: paths and ``[all]`` are no markup."""
    Console(stderr=True).print(text, style=style, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _border(interrupted: str) -> Iterator[None]:
    """Turn our own errors and Ctrl-C into one line and an exit code."""
    try:
        yield
    except LDSegError as error:
        _say(str(error), "bold red")
        raise typer.Exit(2) from error
    except KeyboardInterrupt as error:
        _say(interrupted, "bold red")
        raise typer.Exit(130) from error


def _setting(config: type[Config], name: str, *flags: str) -> Any:
    """Return the option for one field: help and default are written once, in ``config.py``."""
    field = config.model_fields[name]
    default = "" if field.default is None else f" Default: {field.default}."
    return typer.Option(*flags, help=f"{field.description}{default}", show_default=False)


def _given(**values: object) -> dict[str, object]:
    """Return the flags that were given."""
    return {name: value for name, value in values.items() if value is not None}


def _number(samples: str | None) -> int | str | None:
    """Return ``--samples`` as a number where it is one; what else is allowed, the settings decide."""
    return int(samples) if samples is not None and samples.isdecimal() else samples


def _follow(run: Generator[Update, None, Result], report: Callable[[Update], None]) -> Result:
    """Report every update of an engine generator; return its result."""
    try:
        while True:
            report(next(run))
    except StopIteration as end:
        result: Result = end.value
        return result
    finally:
        run.close()


def _progress(*columns: TextColumn | MofNCompleteColumn) -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        *columns,
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"napari-ldseg {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Latent diffusion segmentation with uncertainty (LDSeg)."""


def _segment_all(model: "LDSeg", tasks: "list[Task]", config: SegmentConfig) -> dict[Path, str]:
    """Segment one image after another; return the reasons of those that failed."""
    from ._outputs import write_outputs
    from .data import read_image
    from .inference import segment as run

    failed: dict[Path, str] = {}
    with _progress(MofNCompleteColumn()) as progress:
        bar = progress.add_task("", total=len(tasks))
        for index, task in enumerate(tasks):

            def report(step: "Step", index: int = index, name: str = task.image.name) -> None:
                done = index + min(step.done / max(step.total, 1), 1.0)
                progress.update(bar, completed=done, description=f"{name}: {step.stage}")

            progress.update(bar, completed=index, description=task.image.name)
            try:
                write_outputs(_follow(run(model, read_image(task.image), config), report), task)
            except LDSegError as error:
                failed[task.image] = str(error)
        progress.update(bar, completed=len(tasks), description="Done" if not failed else "Done, with failures")
    return failed


@app.command()
@_border("Interrupted; the images that were finished are written.")
def segment(
    images: Annotated[list[Path], typer.Argument(metavar="IN...", help="Image files, folders or patterns.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for <stem>_labels.tif and <stem>_sd.tif.")],
    model: Annotated[str, typer.Option("--model", "-m", help="Name of a model (see `models`), or its file.")],
    samples: Annotated[str | None, _setting(SegmentConfig, "samples", "--samples", "-n")] = None,
    steps: Annotated[int | None, _setting(SegmentConfig, "steps", "--steps")] = None,
    sampler: Annotated[SamplerName | None, _setting(SegmentConfig, "sampler", "--sampler")] = None,
    seed: Annotated[int | None, _setting(SegmentConfig, "seed", "--seed")] = None,
    device: Annotated[Device | None, _setting(SegmentConfig, "device", "--device")] = None,
    batch: Annotated[int | None, _setting(SegmentConfig, "batch", "--batch")] = None,
    keep_mb: Annotated[int | None, _setting(SegmentConfig, "keep_mb", "--keep-mb")] = None,
    mean: Annotated[bool, typer.Option("--mean", help="Also write <stem>_mean.tif, a channel for each class.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")] = False,
) -> None:
    """Segment images: class indices (uint8) and uncertainty (float32) on each image's own grid.

    With --keep-mb each sample's mask is written, too (<stem>_samples.tif), for error bars with `measure`.
    """
    flags = _given(steps=steps, sampler=sampler, seed=seed, device=device, batch=batch, keep_mb=keep_mb)
    config = SegmentConfig.parse(flags | _given(samples=_number(samples)))
    from ._outputs import plan_outputs
    from .data import find_images

    kinds = ("labels", "sd", *["mean"] * mean, *["samples"] * (config.keep_mb > 0))
    tasks = plan_outputs(find_images(images), out, kinds, overwrite)

    from .checkpoints import load_model

    failed = _segment_all(load_model(model, config.device), tasks, config)
    _say(f"{len(tasks) - len(failed)} of {len(tasks)} images segmented into {out}.")
    for image, reason in failed.items():
        _say(f"Failed: {image}: {reason}", "bold red")
    if failed:
        raise typer.Exit(1)


@app.command()
@_border("Interrupted; the files that were finished are written.")
def measure(
    labels: Annotated[
        list[Path], typer.Argument(metavar="LABELS...", help="Label masks, for example those that `segment` wrote.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for <stem>.csv, <stem>.geojson and <stem>.html.")],
    image: Annotated[
        Path | None, typer.Option("--image", help="The image, for intensities and pictures (with one LABELS file).")
    ] = None,
    sd: Annotated[Path | None, typer.Option("--sd", help="SD map. Default: <stem>_sd.tif beside the labels.")] = None,
    samples: Annotated[
        Path | None, typer.Option("--samples", help="The samples. Default: <stem>_samples.tif beside the labels.")
    ] = None,
    smallest: Annotated[int | None, _setting(MeasureConfig, "smallest", "--smallest")] = None,
    interval: Annotated[float | None, _setting(MeasureConfig, "interval", "--interval")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")] = False,
) -> None:
    """Measure objects, with error bars where their samples were kept: CSV, GeoJSON (QuPath) and a page."""
    from .reports import read_report, write_report

    config = MeasureConfig.parse(_given(smallest=smallest, interval=interval))
    if len(labels) > 1 and (image, sd, samples) != (None, None, None):
        raise InputError("--image, --sd and --samples belong to one LABELS file; measure the files one by one.")
    outputs = {path: [out / f"{path.stem}{suffix}" for suffix in (".csv", ".geojson", ".html")] for path in labels}
    for files in outputs.values():
        for file in files:
            if file.exists() and not overwrite:
                raise InputError(f"{file} exists already; give --overwrite to replace it, or another folder as --out.")
    if len({files[0].name.casefold() for files in outputs.values()}) < len(set(labels)):
        raise InputError("Two of the LABELS files have one name; measure them into two folders.")
    for path, files in outputs.items():
        report = read_report(path, image=image, sd=sd, samples=samples, config=config)
        for file in files:
            write_report(report, file)
        _say(f"{path.name}: {len(report.measurements)} objects measured into {files[0]}.")


def _settings_file(path: Path | None) -> dict[str, dict[str, Any]]:
    """Read ``{"model": {...}, "train": {...}}``."""
    if path is None:
        return {"model": {}, "train": {}}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"The settings file {path} cannot be read ({error}); it must be JSON in UTF-8.") from error
    parts = ("model", "train")
    if not isinstance(values, dict) or not all(key in parts and isinstance(part, dict) for key, part in values.items()):
        raise InputError(f'The settings file {path} must hold {{"model": {{...}}, "train": {{...}}}} and nothing else.')
    return {part: values.get(part, {}) for part in parts}


@app.command()
@_border("Interrupted; run the same command again to go on from the last state.")
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
    minutes: Annotated[float | None, _setting(TrainConfig, "minutes", "--minutes")] = None,
    foreground: Annotated[bool | None, _setting(TrainConfig, "foreground", "--foreground")] = None,
    validation: Annotated[float | None, _setting(TrainConfig, "validation", "--validation")] = None,
    seed: Annotated[int | None, _setting(TrainConfig, "seed", "--seed")] = None,
    device: Annotated[Device | None, _setting(TrainConfig, "device", "--device")] = None,
) -> None:
    """Train a model from scratch on images and label masks."""
    values = _settings_file(settings)
    model_config = ModelConfig.parse(values["model"] | _given(name=name))
    flags = _given(minutes=minutes, foreground=foreground, validation=validation, seed=seed, device=device)
    config = TrainConfig.parse(values["train"] | flags)
    from .data import find_pairs

    pairs = find_pairs(images, labels, groups=groups)

    from .training import train as run

    with _progress(TextColumn("{task.fields[numbers]}", markup=False)) as progress:
        bars: dict[str, Any] = {}
        score = ""

        def report(epoch: "Epoch") -> None:
            nonlocal score
            if epoch.stage not in bars:
                bars[epoch.stage] = progress.add_task(epoch.stage, total=epoch.total, numbers="")
            if epoch.validation is not None:
                score = f", validation DSC {epoch.validation:.3f}"
            progress.update(bars[epoch.stage], completed=epoch.step, numbers=f"loss {epoch.loss:.4f}{score}")

        _follow(run(pairs, model_config, config, out), report)
    _say(f"The model is {out / 'model.safetensors'}; use it with `napari-ldseg segment IN... --model {out}`.")


@app.command()
@_border("Interrupted.")
def models() -> None:
    """List the models that can be used by name."""
    from .checkpoints import list_models, user_folder

    with warnings.catch_warnings(record=True) as refused:
        warnings.simplefilter("always")
        entries = list_models()
    table = Table("Name", "Segments", "Score", "From")
    for entry in entries:
        table.add_row(entry.name, entry.title, entry.score, "this package" if entry.bundled else str(entry.path))
    Console().print(table)
    for warning in refused:
        _say(str(warning.message), "yellow")
    _say(f"Your own models belong in {user_folder()}.")


@app.command()
@_border("Interrupted.")
def demo(
    screenshot: Annotated[
        Path | None, typer.Option("--screenshot", help="Press Segment, save a picture of the window, and exit.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Name of a model, or its file. Default: the first released one.")
    ] = None,
    samples: Annotated[str | None, _setting(SegmentConfig, "samples", "--samples", "-n")] = None,
) -> None:
    """Open napari with a histology image and the LDSeg widget."""
    config = SegmentConfig.parse(_given(samples=_number(samples)))
    if not any(importlib.util.find_spec(name) for name in QT_BINDINGS):
        raise InputError("No Qt binding is installed, so napari cannot open; run: pip install 'napari-ldseg[all]'")
    from ._qt import demo as run

    run(screenshot, config.samples, model)
