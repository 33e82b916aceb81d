"""A class has one colour everywhere: in its layer, its legend, the lists, the reports."""

import numpy as np
import pytest
from napari.components import ViewerModel

from ..._qt.measure._widget import make_report
from ..._qt.viewer._labels_source import Subject, read_subject
from ..._qt.viewer._result_layers import class_colors
from ..._util import follow
from ...config import MeasureConfig, class_color
from ...measure import Measured
from ...reports import Report


def report_of(subject: Subject) -> Report:
    return follow(make_report(subject, MeasureConfig(smallest=1, shapes=False), "cells"))[0]


@pytest.mark.parametrize(
    ("label", "colors", "expected"),
    [
        (0, (), "#000000"),
        (1, (), "#009e73"),
        (7, (), "#cc79a7"),
        (8, (), "#009e73"),
        (1, ("#000000", "#123456"), "#123456"),
        (2, ("#000000", "#123456"), "#56b4e9"),
    ],
)
def test_the_colour_is_that_of_the_model_or_the_next_of_the_palette(
    label: int, colors: tuple[str, ...], expected: str
) -> None:
    assert class_color(label, colors) == expected


def test_the_layer_the_list_and_the_report_agree() -> None:
    names = ("background", "left", "right")
    assert class_colors(names, ()) == ["transparent", "#009e73", "#56b4e9"]
    report = Report(Measured(np.zeros((1, 1), int), 2), [], MeasureConfig(), "")
    assert report.class_color(1) == (0x00, 0x9E, 0x73)


def test_labels_that_are_not_ours_have_the_colours_that_their_layer_shows() -> None:
    viewer = ViewerModel()
    data = np.zeros((12, 12), int)
    data[1:4, 1:4], data[6:9, 6:9] = 5, 300
    layer = viewer.add_labels(data, colormap={5: "#ff8000", 300: "#0080ff", None: "#000000"})
    subject = read_subject(viewer, layer, volume=False)
    assert (subject.class_color(5), subject.class_color(300)) == ("#ff8000", "#0080ff")
    report = report_of(subject)
    assert (report.class_color(5), report.class_color(300)) == ((255, 128, 0), (0, 128, 255))


def test_napari_s_own_colours_are_taken_too() -> None:
    viewer = ViewerModel()
    layer = viewer.add_labels(np.arange(4).reshape(2, 2))
    red, green, blue, _ = (round(255 * float(part)) for part in layer.get_color(2))
    assert read_subject(viewer, layer, volume=False).class_color(2) == f"#{red:02x}{green:02x}{blue:02x}"
