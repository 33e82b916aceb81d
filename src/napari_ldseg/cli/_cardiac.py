"""`napari-ldseg cardiac` measures curves, volumes and ejection fraction of an echocardiogram."""

from pathlib import Path
from typing import Annotated

import typer

from ..config import CardiacConfig
from ._common import border, refuse_existing, say
from ._options import Given, options


@border("Interrupted; nothing was written.")
@options(CardiacConfig)
def cardiac(
    labels: Annotated[
        Path, typer.Argument(metavar="LABELS", help="Label mask of a cine, for example one that `segment` wrote.")
    ],
    second: Annotated[
        Path | None, typer.Argument(metavar="LABELS_2CH", help="The two-chamber view of the same heart: biplane.")
    ] = None,
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for <stem>_cardiac.csv and <stem>_cardiac.json.")],
    samples: Annotated[
        Path | None, typer.Option("--samples", help="The samples. Default: <stem>_samples.tif beside the labels.")
    ] = None,
    samples_2ch: Annotated[
        Path | None, typer.Option("--samples-2ch", help="The same for the two-chamber view.")
    ] = None,
    given: Given,
    ed: Annotated[int | None, typer.Option("--ed", help="Frame of end-diastole, from 0. Default: found.")] = None,
    es: Annotated[int | None, typer.Option("--es", help="Frame of end-systole, from 0. Default: found.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing outputs.")] = False,
) -> None:
    """Measure an echocardiogram: areas over the beat, LV volumes and ejection fraction, with intervals over samples."""
    from ..cardiac import cardiac_provenance, cardiac_words, judge, read_cardiac, write_cardiac

    config = given.config(CardiacConfig)
    files = [out / f"{labels.stem}_cardiac{suffix}" for suffix in (".csv", ".json")]
    refuse_existing(files, overwrite)
    found = read_cardiac(labels, second, samples=(samples, samples_2ch), config=config)
    found = found.at(found.ed if ed is None else ed, found.es if es is None else es)
    provenance = cardiac_provenance([path for path in (labels, second) if path is not None])
    for file in files:
        write_cardiac(found, file, provenance)
    say(judge(found, *provenance.values()).words)
    say(f"{', '.join(cardiac_words(found).values())}. Written to {files[0]} and {files[1].name}.")
