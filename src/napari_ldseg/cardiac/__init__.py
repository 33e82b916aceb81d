"""Echocardiography: areas, volumes and the ejection fraction of a segmented cine."""

from ._measure import Cardiac, Curve, find_phases, measure_cardiac
from ._report import cardiac_provenance, cardiac_summary, cardiac_table, cardiac_words, read_cardiac, write_cardiac
from ._ventricle import Ventricle, area_length, disk_summation, measure_ventricle

__all__ = [
    "Cardiac",
    "Curve",
    "Ventricle",
    "area_length",
    "cardiac_provenance",
    "cardiac_summary",
    "cardiac_table",
    "cardiac_words",
    "disk_summation",
    "find_phases",
    "measure_cardiac",
    "measure_ventricle",
    "read_cardiac",
    "write_cardiac",
]
