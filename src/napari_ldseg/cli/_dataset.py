"""`napari-ldseg dataset` makes, changes and exchanges training sets."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from ..config import TrainConfig
from ..errors import InputError
from ._common import border, say
from ._options import Given, options
from ._train import ClassNames, Groups, names_of

if TYPE_CHECKING:
    from ..datasets import Pair

dataset = typer.Typer(no_args_is_help=True, help="Make and change training sets.")

SetFolder = Annotated[Path, typer.Argument(metavar="SET", help="Folder of the training set.")]


@dataset.command("import")
@border("Interrupted; what was added so far is in the set.")
@options(TrainConfig, only=("foreground",))
def import_masks(
    images: Annotated[Path, typer.Option("--images", help="Folder of images.")],
    labels: Annotated[
        Path,
        typer.Option(
            "--labels", help="Folder of label masks, where 255 means unlabelled; or annotations: GeoJSON, ROIs, COCO."
        ),
    ],
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
    from ..datasets import drawn_pairs, find_pairs, is_annotated

    foreground, names = given.config(TrainConfig).foreground, names_of(class_names)
    if not is_annotated(labels):
        _import(find_pairs(images, labels, groups=groups), out, names, foreground=foreground, refer=refer)
        return
    if refer or foreground:
        raise InputError("Annotations have classes and are painted into new masks: leave out --foreground and --refer.")
    with tempfile.TemporaryDirectory() as masks:
        pairs, found = drawn_pairs(images, labels, Path(masks), groups=groups, class_names=names)
        _import(pairs, out, found, foreground=foreground, refer=False)


def _import(pairs: "list[Pair]", out: Path, names: tuple[str, ...] | None, *, foreground: bool, refer: bool) -> None:
    from ..datasets import DuplicateError, Entry, import_pairs, open_or_create

    target = open_or_create(out, pairs, foreground=foreground, class_names=names)
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


@dataset.command("from-nnunet")
@border("Interrupted; what was added so far is in the set.")
def from_nnunet(
    folder: Annotated[Path, typer.Argument(metavar="DATASET", help="Folder with dataset.json, imagesTr, labelsTr.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the set; cases are added to an existing one.")],
) -> None:
    """Add a data set of nnU-Net to a training set; its label 'ignore' becomes 255."""
    from ..datasets import DuplicateError, read_nnunet

    outcomes = []
    for case, outcome in read_nnunet(folder, out):
        outcomes.append(outcome)
        if isinstance(outcome, InputError):
            known = isinstance(outcome, DuplicateError)
            say(f"{'Left out' if known else 'Failed'}: {case}: {outcome}", "yellow" if known else "bold red")
    failed = [each for each in outcomes if isinstance(each, InputError) and not isinstance(each, DuplicateError)]
    say(f"{sum(not isinstance(each, InputError) for each in outcomes)} of {len(outcomes)} cases added to {out}.")
    if failed:
        raise typer.Exit(1)


@dataset.command("to-nnunet")
@border("Interrupted; the data set is not complete.")
def to_nnunet(
    folder: SetFolder,
    out: Annotated[Path, typer.Option("--out", "-o", help="A new folder, named as nnU-Net wants: Dataset001_Glands.")],
) -> None:
    """Write a training set as a data set of nnU-Net (version 2)."""
    from ..datasets import TrainingSet, write_nnunet

    cases = write_nnunet(TrainingSet(folder), out, out.name.split("_", 1)[-1])
    say(f"{len(cases)} cases are in {out}.")


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
