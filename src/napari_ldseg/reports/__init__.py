"""Measurements into files: CSV, GeoJSON for QuPath, and a page with pictures (no torch)."""

from ._cardiac import (
    cardiac_provenance,
    cardiac_summary,
    cardiac_table,
    cardiac_words,
    read_cardiac,
    write_cardiac,
)
from ._geojson import geojson
from ._page import page
from ._plot import plot_scores
from ._report import Report
from ._source import read_report, samples_beside
from ._table import Table, csv_text, table, unit_symbol
from ._write import write_report

__all__ = [
    "Report",
    "Table",
    "cardiac_provenance",
    "cardiac_summary",
    "cardiac_table",
    "cardiac_words",
    "csv_text",
    "geojson",
    "page",
    "plot_scores",
    "read_cardiac",
    "read_report",
    "samples_beside",
    "table",
    "unit_symbol",
    "write_cardiac",
    "write_report",
]
