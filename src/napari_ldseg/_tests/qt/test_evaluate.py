"""The Evaluate widget, and work in a thread."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot

from ..._qt import EvaluateWidget
from ..._qt.threads._background import Task
from ...config import SegmentConfig
from ..builders import make_ramp, make_two_boxes
from ..qt_fixtures import open_widget, run_to_end


def open_evaluate(qtbot: QtBot, viewer: ViewerModel) -> EvaluateWidget:
    widget = EvaluateWidget(viewer)
    qtbot.addWidget(widget)
    return widget


def evaluate(qtbot: QtBot, widget: EvaluateWidget) -> dict[str, float]:
    with qtbot.waitSignal(widget.evaluated, timeout=20_000) as done:
        widget.button.click()
    rows: dict[str, float] = done.args[0]
    return rows


def shown(widget: EvaluateWidget) -> list[list[str]]:
    model = widget.model
    return [[model.data(model.index(row, column)) for column in (0, 1)] for row in range(model.rowCount())]


def test_labels_against_a_reference(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    prediction, reference = make_two_boxes(2)
    first = viewer.add_labels(prediction.astype(np.uint8), name="mine", scale=(2, 2))
    second = viewer.add_labels(reference.astype(np.uint8), name="truth", scale=(2, 2))
    widget = open_evaluate(qtbot, viewer)
    widget.prediction.setValue(first)
    widget.reference.setValue(second)
    widget.objects.setChecked(True)
    rows = evaluate(qtbot, widget)
    assert (rows["dsc"], rows["hd95"]) == (0.5, 4)
    assert shown(widget)[0] == ["Dice", "0.5"]
    assert ["Object F1", "1"] in shown(widget)
    assert widget.button.isEnabled()
    assert not widget.found.isVisibleTo(widget)
    # What is missed, what is too much, and other classes get a layer of their own, on the one that was judged.
    widget.show_errors.click()
    errors = viewer.layers["mine errors"]
    assert errors.data.dtype == np.uint8
    assert set(np.unique(errors.data)) == {0, 1, 2}
    assert np.array_equal(errors.data == 1, (prediction == 0) & (reference > 0))
    assert np.array_equal(errors.data == 2, (prediction > 0) & (reference == 0))
    assert np.allclose(errors.scale, 2)
    assert list(errors.features["error"]) == ["none", "missed", "too much", "other class"]


@pytest.mark.parametrize(
    ("place", "distance"),
    [
        ({"scale": (0.5, 0.5), "units": ("um", "um")}, 1.0),
        ({"affine": np.diag([0.5, 0.5, 1]), "units": ("um", "um")}, 1.0),
        ({"scale": (0.0005, 0.5), "units": ("mm", "um")}, 1.0),
        ({}, 2.0),
    ],
)
def test_distances_are_in_the_unit_of_the_layer_whatever_transform_says_it(
    qtbot: QtBot, place: dict[str, Any], distance: float
) -> None:
    viewer = ViewerModel()
    mask = np.zeros((20, 20), np.uint8)
    mask[5:10, 5:10] = 1
    first = viewer.add_labels(mask, **place)
    second = viewer.add_labels(np.roll(mask, 2, axis=0), **place)
    widget = open_evaluate(qtbot, viewer)
    widget.prediction.setValue(first)
    widget.reference.setValue(second)
    assert evaluate(qtbot, widget)["hd95"] == pytest.approx(distance)


def test_a_result_also_says_whether_its_sd_finds_the_errors(qtbot: QtBot, tmp_path: Path) -> None:
    viewer, segment = open_widget(qtbot, tmp_path)
    viewer.add_image(make_ramp((32, 40)), name="cells")
    segment.settings.setValue(SegmentConfig(samples=2))
    run_to_end(qtbot, segment)
    labels = viewer.layers["cells [tiny-2d] labels"]
    truth = labels.data.copy()
    truth[:3] = 1 - truth[:3]
    reference = viewer.add_labels(truth, name="truth")
    widget = open_evaluate(qtbot, viewer)
    widget.prediction.setValue(labels)
    widget.reference.setValue(reference)
    assert evaluate(qtbot, widget)["error_auroc"] == 0.5  # the stand-in engine is equally unsure everywhere
    assert widget.found.isVisibleTo(widget)
    reviewed, found = widget.found.plot.getPlotItem().listDataItems()[0].getData()
    assert np.allclose(reviewed, found)  # and so no better than a random order
    widget.reference.setValue(labels)
    widget.prediction.setValue(reference)
    evaluate(qtbot, widget)
    assert not widget.found.isVisibleTo(widget)  # a layer without an SD map


@pytest.mark.parametrize(
    ("layers", "match"),
    [
        ([], "Two labels layers are needed"),
        ([np.ones((4, 4), int)], "cannot be its own reference"),
        ([np.ones((4, 4), int), np.ones((5, 4), int)], r"'second' has the shape \(5, 4\)"),
        ([np.ones((4, 4), int), np.full((4, 4), 999)], "more than 255 classes"),
    ],
)
def test_what_cannot_be_compared_is_said(qtbot: QtBot, layers: list[Any], match: str) -> None:
    viewer = ViewerModel()
    for data, name in zip(layers, ("first", "second"), strict=False):
        viewer.add_labels(data, name=name)
    widget = open_evaluate(qtbot, viewer)
    if layers:
        widget.prediction.setValue(viewer.layers[-1])
        widget.reference.setValue(viewer.layers[0])
    assert evaluate(qtbot, widget) == {}
    assert re.search(match, widget.message.text())


def test_layers_come_and_go(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    widget = open_evaluate(qtbot, viewer)
    assert widget.prediction.value() is None
    layer = viewer.add_labels(np.ones((4, 4), int))
    assert widget.prediction.value() is layer
    viewer.layers.remove(layer)
    assert widget.prediction.value() is None


def test_an_error_in_the_thread_arrives(qtbot: QtBot) -> None:
    def broken() -> None:
        raise RuntimeError("no memory")

    task = Task(broken)
    with qtbot.waitSignal(task.finished) as done:
        task.start()
    assert str(done.args[0].error) == "no memory"
