"""Measure echocardiograms: areas, volumes and the ejection fraction of a segmented cine."""

from ._measure import Cardiac as Cardiac, Curve as Curve, find_phases as find_phases, measure_cardiac as measure_cardiac
from ._quality import LIGHTS as LIGHTS, Quality as Quality, judge as judge, light_of as light_of
from ._report import (
    cardiac_provenance as cardiac_provenance,
    cardiac_summary as cardiac_summary,
    cardiac_table as cardiac_table,
    cardiac_words as cardiac_words,
    read_cardiac as read_cardiac,
    write_cardiac as write_cardiac,
)
from ._ventricle import (
    Ventricle as Ventricle,
    area_length as area_length,
    disk_summation as disk_summation,
    measure_ventricle as measure_ventricle,
)
