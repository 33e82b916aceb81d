"""`napari-ldseg dataset import`, `list` and `remove` manage training sets."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ..config import TrainConfig
from ._common import border, say
from ._options import Given, options
from ._train import ClassNames, Groups, names_of

dataset = typer.Typer(no_args_is_help=True, help="Make and change training sets.")

SetFolder = Annotated[Path, typer.Argument(metavar="SET", help="Folder of the training set.")]


@dataset.command("import")
@border("Interrupted; what was added so far is in the set.")
@options(TrainConfig, only=("foreground",))
def import_masks(
    images: Annotated[Path, typer.Option("--images", help="Folder of images.")],
    labels: Annotated[Path, typer.Option("--labels", help="Folder of label masks; 255 means unlabelled.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the set; images are added to an existing one.")],
    groups: Groups = None,
    class_names: ClassNames = None,
    refer: Annotated[
        bool, typer.Option("--refer/--copy", help="Leave the files where they are, or copy them.")
    ] = False,
    *,
    given: Given,
) -> None:
    """Add images and label masks to a training set; create it if needed."""
    from ..datasets import DuplicateError, Entry, find_pairs, import_pairs, open_or_create

    foreground = given.config(TrainConfig).foreground
    pairs = find_pairs(images, labels, groups=groups)
    target = open_or_create(out, pairs, foreground=foreground, class_names=names_of(class_names))
    added, known, failed = 0, 0, 0
    for pair, outcome in import_pairs(target, pairs, refer=refer, foreground=foreground):
        if isinstance(outcome, Entry):
            added += 1
        elif isinstance(outcome, DuplicateError):
            known += 1
            say(f"Left out: {outcome}", "yellow")
        else:
            failed += 1
            say(f"Failed: {pair.image.name}: {outcome}", "bold red")
    say(f"{added} images added to {out}, {known} left out, {failed} failed; classes: {', '.join(target.class_names)}.")
    if failed:
        raise typer.Exit(1)


@dataset.command("list")
@border("Interrupted.")
def list_entries(folder: SetFolder) -> None:
    """List the images of a training set."""
    from ..datasets import TrainingSet

    found = TrainingSet(folder)
    table = Table("Id", "Source", "Group", "Shape", "Annotated", "Touched", "Model", "Added")
    entries = found.entries()
    for entry in entries:
        shape = " x ".join(map(str, entry.shape)) + f" {entry.axes}"
        touched = "" if entry.touched is None else f"{entry.touched:.0%}"
        row = (entry.id, entry.source, entry.group, shape, f"{1 - entry.unlabelled:.0%}", touched, entry.model)
        table.add_row(*row, entry.added[:10])
    Console().print(table)
    say(f"{len(entries)} images; classes: {', '.join(found.class_names)}.")


@dataset.command("remove")
@border("Interrupted.")
def remove_entries(
    folder: SetFolder,
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids from `dataset list`.")],
) -> None:
    """Remove images from a training set. Files that were only referred to stay."""
    from ..datasets import TrainingSet

    found = TrainingSet(folder)
    for entry_id in ids:
        found.remove(entry_id)
    say(f"{len(ids)} images removed; {len(found.entries())} left.")
