"""Write a report to a file."""

from collections.abc import Callable
from pathlib import Path

from .._util import replacing, write_text
from ..errors import InputError
from ._geojson import geojson, packed_geojson, report_coco, write_rois
from ._page import page
from ._report import Report
from ._table import csv_text, table


def _text(make: Callable[[Report], str]) -> Callable[[Report, Path], None]:
    return lambda report, path: write_text(path, make(report))


def _packed(report: Report, path: Path) -> None:
    with replacing(path) as partial:
        partial.write_bytes(packed_geojson(report))


def _rois(report: Report, path: Path) -> None:
    with replacing(path) as partial:
        write_rois(report, partial)


# By suffix; longer ones come before those that they end in.
WRITERS: dict[str, Callable[[Report, Path], None]] = {
    ".csv": _text(lambda report: csv_text(table(report))),
    ".geojson.gz": _packed,
    ".geojson": _text(geojson),
    ".html": _text(page),
    ".json": _text(report_coco),
    ".zip": _rois,
}
REPORT_SUFFIXES = tuple(WRITERS)


def report_suffix(path: Path) -> str | None:
    """Return which kind of report a file's name asks for; None if it names none."""
    return next((suffix for suffix in WRITERS if path.name.lower().endswith(suffix)), None)


def write_report(report: Report, path: Path) -> None:
    """Write a report in the format of its suffix.

    ``.csv`` is a table, ``.html`` a page, ``.geojson`` and ``.geojson.gz`` are for QuPath, ``.zip`` is for ImageJ's ROI
    Manager, and ``.json`` is COCO.

    Raises
    ------
    InputError
        If the suffix is another one, or writing fails.
    """
    suffix = report_suffix(path)
    if suffix is None:
        raise InputError(f"{path.name} cannot be written: choose a name that ends in one of {', '.join(WRITERS)}.")
    WRITERS[suffix](report, path)
