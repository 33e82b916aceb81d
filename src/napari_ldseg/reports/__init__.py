"""Write measurements and scores to files: CSV, GeoJSON for QuPath, and an illustrated page (no torch)."""

from ._display import to_display
from ._evaluation import ERRORS, Comparison, compare, evaluate, evaluation_files, write_evaluation
from ._geojson import geojson
from ._page import page
from ._plot import plot_scores
from ._report import Report
from ._review_store import (
    STATES,
    Found,
    Review,
    State,
    UnkeptError,
    find_review,
    fingerprint,
    match_entries,
    save_review,
)
from ._source import read_report, read_samples, samples_beside
from ._table import Cell, Table, csv_text, table, unit_symbol
from ._write import write_report

__all__ = [
    "ERRORS",
    "STATES",
    "Cell",
    "Comparison",
    "Found",
    "Report",
    "Review",
    "State",
    "Table",
    "UnkeptError",
    "compare",
    "csv_text",
    "evaluate",
    "evaluation_files",
    "find_review",
    "fingerprint",
    "geojson",
    "match_entries",
    "page",
    "plot_scores",
    "read_report",
    "read_samples",
    "samples_beside",
    "save_review",
    "table",
    "to_display",
    "unit_symbol",
    "write_evaluation",
    "write_report",
]
