"""`napari-ldseg models`: what is here, what can be downloaded, and the download."""

import sys
import warnings
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from ..errors import CheckpointError, InputError
from ._common import border, progress_bar, say

if TYPE_CHECKING:
    from .._util import Progress
    from ..checkpoints import Offer

models = typer.Typer(help="List the models that can be used by name, and download more.")


@models.callback(invoke_without_command=True)
@border("Interrupted.")
def list_all(context: typer.Context) -> None:
    """List the models that can be used by name, and those that can be downloaded."""
    if context.invoked_subcommand:
        return
    from .._util import user_folder
    from ..checkpoints import list_models, offered_models

    with warnings.catch_warnings(record=True) as refused:
        warnings.simplefilter("always")
        entries = list_models()
    table = Table("Name", "Segments", "Score", "Licence", "From")
    for entry in entries:
        origin = "download" if entry.downloaded else "this package" if entry.bundled else str(entry.path)
        table.add_row(entry.name, entry.title, entry.score, entry.terms, origin)
    try:
        for offer in offered_models(ask=True):
            get = f"{offer.megabytes}: napari-ldseg models fetch {offer.name}"
            table.add_row(offer.name, offer.title, offer.score, offer.terms, get)
    except CheckpointError as error:
        say(str(error), "yellow")
    Console().print(table)
    for warning in refused:
        say(str(warning.message), "yellow")
    say(f"Your own models belong in {user_folder('models')}.")


@models.command()
@border("Interrupted; nothing is left of the download.")
def fetch(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Names of models in the index.")],
    place: Annotated[
        str | None,
        typer.Option("--from", help="A folder with index.json and the files, or the web address of an index."),
    ] = None,
    accept: Annotated[
        bool, typer.Option("--accept-license", help="Do not ask before models that have non-commercial terms.")
    ] = False,
) -> None:
    """Download released models, and check that they are the ones that the index names."""
    from ..checkpoints import fetch_model, offered_models

    offers = {offer.name: offer for offer in offered_models(place, ask=True)}
    for name in names:
        if name in offers:
            _agree(offers[name], accept)
    for name in names:
        with progress_bar() as progress:
            bar = progress.add_task(name, total=None)

            def report(now: "Progress", bar: int = bar, progress: object = progress) -> None:
                progress.update(bar, completed=now.done, total=now.total, description=now.text)  # type: ignore[attr-defined]

            entry = fetch_model(name, place, report)
        say(f"{name}: {entry.path}")


def _agree(offer: "Offer", accepted: bool) -> None:
    """Show the terms of a model; where commerce is excluded, ask whether to go on."""
    say(f"{offer.name}: {offer.terms}")
    if offer.commercial or accepted:
        return
    if not sys.stdin.isatty():
        raise InputError(f"{offer.name!r} is not for commercial use; if you agree, give --accept-license.")
    typer.confirm("Do you agree?", abort=True, err=True)
