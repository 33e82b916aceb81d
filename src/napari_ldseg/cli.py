"""The command line: segment files, evaluate masks, train, import and export models, open the demo.

Exit codes: 0 done, 1 some files failed, 2 wrong use, 130 interrupted.
torch and the viewer are imported by the commands that need them, so that ``--help`` is instant.
"""

import importlib.util
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn
from rich.table import Table

from . import __version__
from ._commands._common import border, follow, given, number, progress_bar, say, setting
from ._commands._dataset import dataset
from ._commands._evaluate import evaluate
from ._commands._exchange import export, imports
from ._commands._measure import measure
from ._commands._train import fine_tune, train
from .config import Device, Precision, SamplerName, SegmentConfig
from .errors import InputError, LDSegError

if TYPE_CHECKING:
    from ._outputs import Task
    from .inference import Progress as Step
    from .networks import LDSeg

QT_BINDINGS = ("PySide6", "PyQt6", "PyQt5")

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Latent diffusion segmentation with uncertainty (LDSeg).",
)


def main() -> None:
    """Run the command line (the entry point ``napari-ldseg``)."""
    app()


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
    with progress_bar(MofNCompleteColumn()) as progress:
        bar = progress.add_task("", total=len(tasks))
        for index, task in enumerate(tasks):

            def report(step: "Step", index: int = index, name: str = task.image.name) -> None:
                done = index + min(step.done / max(step.total, 1), 1.0)
                progress.update(bar, completed=done, description=f"{name}: {step.stage}")

            progress.update(bar, completed=index, description=task.image.name)
            try:
                write_outputs(follow(run(model, read_image(task.image), config), report), task)
            except LDSegError as error:
                failed[task.image] = str(error)
        progress.update(bar, completed=len(tasks), description="Done" if not failed else "Done, with failures")
    return failed


@app.command()
@border("Interrupted; the images that were finished are written.")
def segment(
    images: Annotated[list[Path], typer.Argument(metavar="IN...", help="Image files, folders or patterns.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for <stem>_labels.tif and <stem>_sd.tif.")],
    model: Annotated[str, typer.Option("--model", "-m", help="Name of a model (see `models`), or its file.")],
    samples: Annotated[str | None, setting(SegmentConfig, "samples", "--samples", "-n")] = None,
    steps: Annotated[int | None, setting(SegmentConfig, "steps", "--steps")] = None,
    sampler: Annotated[SamplerName | None, setting(SegmentConfig, "sampler", "--sampler")] = None,
    seed: Annotated[int | None, setting(SegmentConfig, "seed", "--seed")] = None,
    device: Annotated[Device | None, setting(SegmentConfig, "device", "--device")] = None,
    precision: Annotated[Precision | None, setting(SegmentConfig, "precision", "--precision")] = None,
    batch: Annotated[int | None, setting(SegmentConfig, "batch", "--batch")] = None,
    keep_mb: Annotated[int | None, setting(SegmentConfig, "keep_mb", "--keep-mb")] = None,
    mean: Annotated[bool, typer.Option("--mean", help="Also write <stem>_mean.tif, a channel for each class.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")] = False,
) -> None:
    """Segment images: class indices (uint8) and uncertainty (float32) on each image's own grid.

    With --keep-mb each sample's mask is written, too (<stem>_samples.tif), for error bars with `measure`.
    """
    config = SegmentConfig.parse(
        given(
            samples=number(samples),
            steps=steps,
            sampler=sampler,
            seed=seed,
            device=device,
            precision=precision,
            batch=batch,
            keep_mb=keep_mb,
        )
    )
    from ._outputs import plan_outputs
    from .data import find_images

    kinds = ("labels", "sd", *["mean"] * mean, *["samples"] * (config.keep_mb > 0))
    tasks = plan_outputs(find_images(images), out, kinds, overwrite)

    from .checkpoints import load_model

    failed = _segment_all(load_model(model, config.device), tasks, config)
    say(f"{len(tasks) - len(failed)} of {len(tasks)} images segmented into {out}.")
    for image, reason in failed.items():
        say(f"Failed: {image}: {reason}", "bold red")
    if failed:
        raise typer.Exit(1)


for command in (measure, evaluate, train, fine_tune, export):
    app.command()(command)
app.add_typer(imports, name="import")
app.add_typer(dataset, name="dataset")


@app.command()
@border("Interrupted.")
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
        say(str(warning.message), "yellow")
    say(f"Your own models belong in {user_folder()}.")


@app.command()
@border("Interrupted.")
def demo(
    screenshot: Annotated[
        Path | None, typer.Option("--screenshot", help="Press Segment, save a picture of the window, and exit.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Name of a model, or its file. Default: the first released one.")
    ] = None,
    samples: Annotated[str | None, setting(SegmentConfig, "samples", "--samples", "-n")] = None,
) -> None:
    """Open napari with a histology image and the LDSeg widget."""
    config = SegmentConfig.parse(given(samples=number(samples)))
    if not any(importlib.util.find_spec(name) for name in QT_BINDINGS):
        raise InputError("No Qt binding is installed, so napari cannot open; run: pip install 'napari-ldseg[all]'")
    from ._qt import demo as run

    run(screenshot, config.samples, model)
