"""The command line: segment files, evaluate masks, train, import and export models, open the demo.

Exit codes: 0 done, 1 some files failed, 2 wrong use, 130 interrupted.
torch and the viewer are imported by the commands that need them, so that ``--help`` is instant.
"""

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from .._version import __version__
from ..config import DemoSample, SegmentConfig
from ..errors import InputError
from ._cardiac import cardiac
from ._common import border
from ._dataset import dataset
from ._evaluate import evaluate
from ._exchange import export, imports, place
from ._measure import measure
from ._models import models
from ._options import Given, options
from ._segment import segment
from ._serve import serve
from ._train import fine_tune, train

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
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Latent diffusion segmentation with uncertainty (LDSeg)."""


for command in (segment, measure, cardiac, evaluate, train, fine_tune, export, place, serve):
    app.command()(command)
app.add_typer(imports, name="import")
app.add_typer(dataset, name="dataset")
app.add_typer(models, name="models")


@app.command()
@border("Interrupted.")
@options(SegmentConfig, only=("samples",))
def demo(
    screenshot: Annotated[
        Path | None, typer.Option("--screenshot", help="Press Segment, save a screenshot of the window, and exit.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Name of a model, or its file. Default: the one for the sample.")
    ] = None,
    *,
    given: Given,
    sample: Annotated[
        DemoSample, typer.Option("--sample", help="Colon glands, an echocardiography phantom, or a knee-like volume.")
    ] = "gland",
) -> None:
    """Open napari with a sample image and the LDSeg widget."""
    config = given.config(SegmentConfig)
    if not any(importlib.util.find_spec(name) for name in QT_BINDINGS):
        raise InputError("No Qt binding is installed, so napari cannot open; run: pip install 'napari-ldseg[all]'")
    from .._qt import demo as run

    run(screenshot, config.samples, model, sample)
