"""`napari-ldseg evaluate` compares masks with references."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn
from rich.table import Table

from .._version import __version__
from ._common import border, progress_bar, refuse_existing, say


@border("Interrupted; nothing was written.")
def evaluate(
    predictions: Annotated[Path, typer.Argument(metavar="PRED", help="Folder of predicted masks, or one file.")],
    references: Annotated[Path, typer.Argument(metavar="GT", help="Folder of reference masks, or one file.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for cases.csv and summary.json; without it, only print.")
    ] = None,
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Take every value above 0 as class 1, in both masks.")
    ] = False,
    objects: Annotated[
        bool, typer.Option("--objects", help="Add object F1, Dice and Hausdorff distance (GlaS challenge).")
    ] = False,
    plot: Annotated[
        bool, typer.Option("--plot", help="Add scores.svg, a plot of all cases; needs matplotlib (extra plots).")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing outputs.")] = False,
) -> None:
    """Compare masks with references: overlap, distances, objects, and whether the SD map finds the errors."""
    from .._util import follow, optional
    from ..datasets import match_masks
    from ..errors import InputError
    from ..reports import evaluate as run, evaluation_files, write_evaluation

    pairs = match_masks(predictions, references)
    if plot:
        if out is None:
            raise InputError("A plot is written into the folder for the results; give one as --out.")
        optional("matplotlib", "A plot", "plots")
    files = [] if out is None else evaluation_files(out, plot=plot)
    refuse_existing(files, overwrite)
    with progress_bar(MofNCompleteColumn()) as progress:
        bar = progress.add_task("", total=len(pairs))
        found = follow(
            run(pairs, foreground=foreground, objects=objects),
            lambda now: progress.update(bar, completed=now.done, description=now.text),
        )
        progress.update(bar, completed=len(pairs), description="Done")
    table = Table("Score", "Mean", "95 % interval", "Cases")
    for key, value in found.summary.items():
        table.add_row(key, f"{value.mean:.4f}", f"{value.low:.4f} to {value.high:.4f}", str(value.cases))
    Console().print(table)
    if out is not None:
        settings = {"foreground": foreground, "objects": objects}
        provenance = {"version": __version__, "predictions": str(predictions), "references": str(references)}
        write_evaluation(found, out, provenance | settings, plot=plot)
        say(f"Written: {', '.join(map(str, files))}.")
