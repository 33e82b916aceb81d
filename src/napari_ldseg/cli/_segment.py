"""`napari-ldseg segment` segments files, folders and cohorts."""

from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import MofNCompleteColumn

from .._util import Progress, follow
from ..config import BatchConfig, PartConfig, SegmentConfig
from ._common import border, progress_bar, say
from ._options import Given, options

if TYPE_CHECKING:
    from ..batch import Batch, BatchReport, Update

# For more images than this, only warnings are shown; report.json has the sentence of each.
SAID = 10


@border("Interrupted; finished images are written. Run the same command again to continue.")
@options(SegmentConfig, PartConfig, BatchConfig)
def segment(
    images: Annotated[list[Path], typer.Argument(metavar="IN...", help="Image files, folders or patterns.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for <stem>_labels.tif and <stem>_sd.tif.")],
    model: Annotated[str, typer.Option("--model", "-m", help="Name of a model (see `models`), or its file.")],
    given: Given,
    prompts: Annotated[
        Path | None,
        typer.Option(
            "--prompts",
            help="What is true of some pixels: napari's CSV of points with a column 'class', GeoJSON with classes, or "
            "a label image where 255 says nothing; a folder holds one for each image, named like it.",
        ),
    ] = None,
) -> None:
    """Segment images: class indices (uint8) and uncertainty (float32) on each image's own grid.

    An OME-Zarr too large for memory is segmented tile by tile into <stem>_ldseg.zarr, and resumed where it stopped.
    Run again, it does only what is not done yet: the same content, model and settings are not segmented twice.
    report.csv and report.json say how each image ended, those that need a look first.
    With --masks (or --keep-mb) each sample's mask is written, too, <stem>_samples.tif, for error bars with `measure`.
    """
    config, part, run = given.config(SegmentConfig), given.config(PartConfig), given.config(BatchConfig)
    if "keep_mb" in given.values:
        run = run.replace(masks=config.keep_mb > 0)
    from ..batch import plan_batch

    comparing = plan_batch(
        images,
        model,
        out,
        config,
        run.kinds,
        part=part,
        written=run.written,
        prompts=prompts,
        server=run.server,
        overwrite=run.overwrite,
    )
    plan = _compare(comparing)
    plan.refuse_blocked()
    _conclude(_run(plan, run), out)


def _compare(comparing: "Generator[Progress, None, Batch]") -> "Batch":
    """Compare images with earlier results, with a progress bar that appears with the first image."""
    progress = progress_bar(MofNCompleteColumn())
    bar = progress.add_task("Comparing with what is done")
    with ExitStack() as shown:

        def report(now: "Progress") -> None:
            if now.done == 1:
                shown.enter_context(progress)
            progress.update(bar, completed=now.done, total=now.total)

        return follow(comparing, report)


def _run(plan: "Batch", config: BatchConfig) -> "BatchReport":
    """Segment the remaining images, with a progress bar and the time left."""
    from ..batch import run_batch

    with progress_bar(MofNCompleteColumn()) as progress:
        bar = progress.add_task("", total=len(plan.waiting))

        def report(update: "Update") -> None:
            if update.index >= 0:
                name = plan.items[update.index].task.image.name
                progress.update(bar, completed=update.done, description=f"{name}: {update.text}")
            elif not update.done:
                progress.update(bar, description=update.text)

        found = follow(run_batch(plan, workers=config.workers, scheduler=config.scheduler), report)
        progress.update(bar, description="Done, with failures" if found.failed else "Done")
    return found


def _conclude(report: "BatchReport", out: Path) -> None:
    """Report how it ended, and which images failed and why."""
    earlier = report.count("earlier")
    text = f"{report.count('done', 'earlier')} of {len(report.rows)} images segmented into {out}"
    say(f"{text} ({earlier} of them earlier)." if earlier else f"{text}.")
    for row in report.rows:
        if row.summary is not None:
            if row.summary.reading and len(report.rows) <= SAID:
                say(f"{row.image.name}: {row.summary.reading}")
            for warning in row.summary.warnings:
                say(f"{row.image.name}: {warning}", "yellow")
    for image, reason in report.failed.items():
        say(f"Failed: {image}: {reason}", "bold red")
    if report.failed:
        raise typer.Exit(1)
