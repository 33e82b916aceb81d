"""Write measurements and scores to files: CSV, GeoJSON for QuPath, and an illustrated page (no torch)."""

from ._cores import name_cores as name_cores
from ._display import to_display as to_display
from ._evaluation import (
    ERRORS as ERRORS,
    Comparison as Comparison,
    compare as compare,
    evaluate as evaluate,
    evaluation_files as evaluation_files,
    write_evaluation as write_evaluation,
)
from ._geojson import geojson as geojson, report_coco as report_coco, report_shapes as report_shapes
from ._page import page as page
from ._plot import plot_scores as plot_scores
from ._report import Report as Report
from ._review_store import (
    STATES as STATES,
    Found as Found,
    Review as Review,
    State as State,
    UnkeptError as UnkeptError,
    find_review as find_review,
    fingerprint as fingerprint,
    match_entries as match_entries,
    save_review as save_review,
)
from ._source import read_report as read_report, read_samples as read_samples, samples_beside as samples_beside
from ._table import Cell as Cell, Table as Table, csv_text as csv_text, table as table, unit_symbol as unit_symbol
from ._write import REPORT_SUFFIXES as REPORT_SUFFIXES, report_suffix as report_suffix, write_report as write_report
