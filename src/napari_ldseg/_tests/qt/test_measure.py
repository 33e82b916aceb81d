"""The Measure widget: table, features, and files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QFileDialog

from ..._qt import MeasureWidget
from ...config import MeasureConfig
from ...measure import find_regions
from ...reports._review_store import Review, fingerprint, save_review
from ..qt_fixtures import add_result, camera_of, make_three_boxes


@pytest.fixture(autouse=True)
def reviews(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NAPARI_LDSEG_REVIEWS", str(tmp_path / "reviews"))
    return tmp_path / "reviews"


def open_measure(qtbot: QtBot, viewer: ViewerModel) -> MeasureWidget:
    widget = MeasureWidget(viewer)
    qtbot.addWidget(widget)
    return widget


def press_measure(qtbot: QtBot, widget: MeasureWidget) -> dict[str, list[str]]:
    with qtbot.waitSignal(widget.measured, timeout=20_000):
        widget.measure_button.click()
    model = widget.model
    lines = range(model.rowCount())
    return {one.title: [model.data(model.index(line, i)) for line in lines] for i, one in enumerate(model.columns)}


def test_objects_are_measured_with_error_bars(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    labels = add_result(viewer)
    viewer.add_image(np.full((30, 60), 7, np.uint8), name="slide", scale=(0.5, 0.5))
    widget = open_measure(qtbot, viewer)
    found = press_measure(qtbot, widget)
    assert found["Object"] == ["1", "2", "3"]
    assert found["Area (µm²)"] == ["25", "25", "25"]
    assert found["Area low"][0] == "25"
    assert float(found["Area low"][1]) < 25
    assert found["Existence"] == ["1", "0.5", "1"]
    assert found["Intensity"] == ["7"] * 3
    assert "95% interval over 4 samples" in widget.progress.line.text()
    assert labels in viewer.layers


@pytest.mark.parametrize(
    "place",
    [
        {"scale": (0.5, 0.5), "units": ("um", "um")},
        {"affine": np.diag([0.5, 0.5, 1]), "units": ("um", "um")},
        {"scale": (0.0005, 0.5), "units": ("mm", "um")},
    ],
)
def test_the_pixel_size_is_that_of_all_transforms(qtbot: QtBot, place: dict[str, Any]) -> None:
    viewer = ViewerModel()
    viewer.add_labels(make_three_boxes()[0], **place)
    assert press_measure(qtbot, open_measure(qtbot, viewer))["Area (µm²)"] == ["25"] * 3


def test_without_shapes_it_measures_sizes_alone(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    add_result(viewer)
    widget = open_measure(qtbot, viewer)
    widget.settings.setValue(MeasureConfig(shapes=False))
    found = press_measure(qtbot, widget)
    assert "Perimeter (µm)" not in found
    assert found["Area SD"][0] == "0"


def test_a_row_moves_the_viewer_to_its_object(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    add_result(viewer)
    widget = open_measure(qtbot, viewer)
    press_measure(qtbot, widget)
    widget.table.setCurrentIndex(widget.model.index(2, 0))
    assert 20 < camera_of(viewer).center[2] <= 49.5 / 2
    assert viewer.layers["Review outline"].visible


def test_the_table_becomes_features_of_a_layer_with_a_number_for_each_object(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    layer = add_result(viewer, leading=2)
    widget = open_measure(qtbot, viewer)
    press_measure(qtbot, widget)
    widget.layer_button.click()
    objects = viewer.layers[f"{layer.name} objects"]
    assert np.unique(objects.data).tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert objects.features["Area (µm²)".lower()].tolist() == [25.0] * 6
    assert objects.features["index"].tolist() == [1, 2, 3, 4, 5, 6]
    np.testing.assert_allclose(objects.extent.world, layer.extent.world)


def test_files_are_saved_and_carry_the_review(
    qtbot: QtBot, tmp_path: Path, reviews: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = ViewerModel()
    layer = add_result(viewer)
    review = Review({2: "accepted"})
    save_review(review, find_regions(layer.data, 2), fingerprint(layer.data), layer.data, "yx", reviews)
    widget = open_measure(qtbot, viewer)
    press_measure(qtbot, widget)
    for suffix in ("csv", "geojson", "html"):
        with qtbot.waitSignal(widget.saved):
            widget.save(tmp_path / f"a.{suffix}")
    assert "accepted" in (tmp_path / "a.csv").read_text()
    features = json.loads((tmp_path / "a.geojson").read_text())["features"]
    assert features[1]["properties"]["metadata"]["review"] == "accepted"
    chosen = (str(tmp_path / "b"), "QuPath objects (*.geojson)")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: chosen)
    with qtbot.waitSignal(widget.saved):
        widget.save_button.click()
    assert (tmp_path / "b.geojson").exists()


def test_what_cannot_be_done_is_said(qtbot: QtBot, tmp_path: Path) -> None:
    viewer = ViewerModel()
    widget = open_measure(qtbot, viewer)
    widget.measure_button.click()
    assert "no labels layer" in widget.message.text()
    widget.layer_button.click()
    assert "press Measure first" in widget.message.text()
    widget.save(tmp_path / "a.csv")
    assert "nothing to save" in widget.message.text()
    viewer.add_labels(np.pad(np.ones((8, 8), np.uint8), 4))
    press_measure(qtbot, widget)
    assert "no error bars: press Segment" in widget.progress.line.text()
    with qtbot.waitSignal(widget.saved):
        widget.save(tmp_path / "a.pdf")
    assert "ends in one of .csv" in widget.message.text()


def test_objects_get_the_names_of_their_cores(qtbot: QtBot, tmp_path: Path) -> None:
    viewer = ViewerModel()
    add_result(viewer)
    widget = open_measure(qtbot, viewer)
    press_measure(qtbot, widget)
    path = tmp_path / "cores.geojson"
    box = {"type": "Polygon", "coordinates": [[[0, 0], [99, 0], [99, 99], [0, 99], [0, 0]]]}
    feature = {"type": "Feature", "geometry": box, "properties": {"objectType": "tma_core", "name": "B-3"}}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    with qtbot.waitSignal(widget.measured):
        widget.read_cores(path)
    assert widget.report is not None
    assert set(widget.report.cores.values()) == {"B-3"}
    assert "Core" in [column.title for column in widget.model.columns]
