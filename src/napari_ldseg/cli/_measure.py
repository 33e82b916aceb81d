"""`napari-ldseg measure` measures objects with error bars."""

from pathlib import Path
from typing import Annotated

import typer

from ..config import MeasureConfig
from ..errors import InputError
from ._common import border, refuse_existing, say
from ._options import Given, options


@border("Interrupted; the files that were finished are written.")
@options(MeasureConfig)
def measure(
    labels: Annotated[
        list[Path], typer.Argument(metavar="LABELS...", help="Label masks, for example those that `segment` wrote.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for <stem>.csv, <stem>.geojson, <stem>.html.")],
    image: Annotated[
        Path | None, typer.Option("--image", help="The image, for intensities and pictures (with one LABELS file).")
    ] = None,
    sd: Annotated[Path | None, typer.Option("--sd", help="SD map. Default: <stem>_sd beside the labels.")] = None,
    samples: Annotated[
        Path | None, typer.Option("--samples", help="The samples. Default: <stem>_samples beside the labels.")
    ] = None,
    cores: Annotated[
        Path | None,
        typer.Option("--cores", help="TMA cores of QuPath (GeoJSON): each object gets the name of its core."),
    ] = None,
    write: Annotated[
        list[str] | None,
        typer.Option(
            "--write",
            "-w",
            help="What to write; may be repeated: csv, html, geojson or geojson.gz (QuPath), zip (ImageJ's ROIs), json "
            "(COCO). Default: csv, geojson and html.",
        ),
    ] = None,
    *,
    given: Given,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing outputs.")] = False,
) -> None:
    """Measure objects, with error bars if their samples were kept: tables, pages, outlines for other programs."""
    from ..annotations import read_drawn
    from ..reports import REPORT_SUFFIXES, name_cores, read_report, write_report

    config = given.config(MeasureConfig)
    if len(labels) > 1 and (image, sd, samples, cores) != (None, None, None, None):
        raise InputError(
            "--image, --sd, --samples and --cores belong to one LABELS file; measure the files one by one."
        )
    from ..data import stem

    suffixes = [f".{each.lower().lstrip('.')}" for each in write or ("csv", "geojson", "html")]
    if unknown := [suffix for suffix in suffixes if suffix not in REPORT_SUFFIXES]:
        known = ", ".join(suffix[1:] for suffix in REPORT_SUFFIXES)
        raise InputError(f"--write {unknown[0][1:]} names nothing that can be written; choose from {known}.")
    outputs = {path: [out / f"{stem(path)}{suffix}" for suffix in suffixes] for path in labels}
    refuse_existing((file for files in outputs.values() for file in files), overwrite)
    if len({files[0].name.casefold() for files in outputs.values()}) < len(set(labels)):
        raise InputError("Two of the LABELS files have one name; measure them into two folders.")
    for path, files in outputs.items():
        report = read_report(path, image=image, sd=sd, samples=samples, config=config)
        report = report if cores is None else name_cores(report, read_drawn(cores))
        for file in files:
            write_report(report, file)
        say(f"{path.name}: {len(report.measurements)} objects measured into {files[0]}.")
