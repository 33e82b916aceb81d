"""Write a report to a file."""

from pathlib import Path

from .._util import write_text
from ..errors import InputError
from ._geojson import geojson
from ._page import page
from ._report import Report
from ._table import csv_text, table

MAKERS = {".csv": lambda report: csv_text(table(report)), ".geojson": geojson, ".html": page}


def write_report(report: Report, path: Path) -> None:
    """Write a report in the format of its suffix: .csv, .geojson or .html.

    Raises
    ------
    InputError
        If the suffix is another one, or writing fails.
    """
    maker = MAKERS.get(path.suffix.lower())
    if maker is None:
        raise InputError(f"{path.name} cannot be written: choose a name that ends in .csv, .geojson or .html.")
    write_text(path, maker(report))
