"""`napari-ldseg segment`: files, folders, cohorts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import MofNCompleteColumn

from .._util import follow
from ..config import BatchConfig, Device, Precision, SamplerName, SegmentConfig, Tiling
from ._common import border, given, number, progress_bar, say, setting

if TYPE_CHECKING:
    from ..batch import Batch, BatchReport, Update


@border("Interrupted; the images that were finished are written. Run the same command again to go on.")
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
    tiles: Annotated[Tiling | None, setting(SegmentConfig, "tiles", "--tiles")] = None,
    smoothing: Annotated[float | None, setting(SegmentConfig, "smoothing", "--smoothing")] = None,
    axes: Annotated[str | None, setting(SegmentConfig, "axes", "--axes")] = None,
    frames: Annotated[str | None, setting(SegmentConfig, "frames", "--frames")] = None,
    region: Annotated[str | None, setting(SegmentConfig, "region", "--region")] = None,
    written: Annotated[str | None, setting(BatchConfig, "written", "--format")] = None,
    mean: Annotated[bool, typer.Option("--mean", help="Also write <stem>_mean.tif, a channel for each class.")] = False,
    workers: Annotated[int | None, setting(BatchConfig, "workers", "--workers")] = None,
    scheduler: Annotated[str | None, setting(BatchConfig, "scheduler", "--scheduler")] = None,
    overwrite: Annotated[bool, setting(BatchConfig, "overwrite", "--overwrite")] = False,
) -> None:
    """Segment images: class indices (uint8) and uncertainty (float32) on each image's own grid.

    An OME-Zarr too large for memory is segmented tile by tile into <stem>_ldseg.zarr, and resumed where it stopped.
    Run again, it does only what is not done yet: the same content, model and settings are not segmented twice.
    report.csv and report.json say how each image ended, those that need a look first.
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
            tiles=tiles,
            smoothing=smoothing,
            axes=axes,
            frames=frames,
            region=region,
        )
    )
    run = BatchConfig.parse(given(workers=workers, scheduler=scheduler, overwrite=overwrite, written=written))
    from ..batch import plan_batch

    kinds = ("labels", "sd", *["mean"] * mean, *["samples"] * (config.keep_mb > 0))
    comparing = plan_batch(images, model, out, config, kinds, written=run.written, overwrite=run.overwrite)
    with progress_bar(MofNCompleteColumn()) as progress:
        bar = progress.add_task("Comparing with what is done", visible=False)
        plan = follow(comparing, lambda now: progress.update(bar, completed=now.done, total=now.total, visible=True))
    plan.refuse_blocked()
    _conclude(_run(plan, run), out)


def _run(plan: "Batch", config: BatchConfig) -> "BatchReport":
    """Segment what is to do, behind a bar with the time that is left for it."""
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
    """Say how it ended, and what failed and why."""
    earlier = report.count("earlier")
    text = f"{report.count('done', 'earlier')} of {len(report.rows)} images segmented into {out}"
    say(f"{text} ({earlier} of them earlier)." if earlier else f"{text}.")
    for row in report.rows:
        if row.summary is not None:
            for style, text in [("", row.summary.reading), *(("yellow", warning) for warning in row.summary.warnings)]:
                if text:
                    say(f"{row.image.name}: {text}", style)
    for image, reason in report.failed.items():
        say(f"Failed: {image}: {reason}", "bold red")
    if report.failed:
        raise typer.Exit(1)
