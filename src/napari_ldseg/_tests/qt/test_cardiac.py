"""The Cardiac widget: numbers, the curve and the time slider, phases, files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QFileDialog

from ..._qt import CardiacWidget
from ..._qt.viewer._from_layers import Source
from ..._qt.viewer._result_layers import ResultLayers
from ...data import Image
from ...inference import Segmentation
from ...measure import SampleMasks

NAMES = ("background", "LV", "myocardium", "LA")
WIDTHS = (25, 22, 18, 15, 20)


def half_ellipse(width: float) -> Any:
    """Half an ellipse of 40 pixels on its mitral plane, the atrium below."""
    y, x = np.mgrid[0:70, 0:70] - np.array([50, 35])[:, None, None]
    labels = np.zeros((70, 70), np.uint8)
    labels[(y <= 0) & ((y / 40) ** 2 + (x / width) ** 2 < 1)] = 1
    labels[(y > 0) & ((y / 15) ** 2 + (x / width) ** 2 < 1)] = 3
    return labels


def add_cine(viewer: ViewerModel, name: str = "echo") -> Labels:
    """A beat as a result with three samples, the first narrower and the last wider throughout."""
    labels = np.stack([half_ellipse(width) for width in WIDTHS])
    samples = np.array([[half_ellipse(width * factor) for factor in (0.9, 1, 1.1)] for width in WIDTHS])
    mean = np.stack([labels == 0, labels > 0], axis=1).astype(np.float32)
    result = Segmentation(
        labels, mean, np.zeros(labels.shape, np.float32), np.ones((5, 3, 4)), "tyx", (2.0, 2.0), "millimeter",
        NAMES, (), 3, {"model": "fake"}, SampleMasks(samples, (70, 70)),
    )  # fmt: skip
    image = Image(labels, "tyx", (2.0, 2.0), "millimeter", name)
    place = {"scale": (1.0, 2.0, 2.0), "translate": (0.0,) * 3, "units": ("pixel", "millimeter", "millimeter")}
    ResultLayers(viewer, Source(image, labels.shape, place), "fake").show(result)
    layer = viewer.layers[f"{name} [fake] labels"]
    assert isinstance(layer, Labels)
    return layer


def press(qtbot: QtBot, viewer: ViewerModel) -> CardiacWidget:
    widget = CardiacWidget(viewer)
    qtbot.addWidget(widget)
    with qtbot.waitSignal(widget.measured, timeout=20_000):
        widget.measure_button.click()
    return widget


def shown_fraction(widget: CardiacWidget) -> int:
    return int(widget.fraction.text().split()[1])


def test_one_frame_has_no_fraction_and_says_what_to_do(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    labels = add_cine(viewer)
    labels.data = labels.data[:1]
    labels.metadata = {}
    widget = press(qtbot, viewer)
    assert widget.fraction.text() == "EF unknown"
    assert "segment all frames" in widget.progress.line.text()


def test_volumes_and_fraction_with_intervals_over_the_samples(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    add_cine(viewer)
    widget = press(qtbot, viewer)
    assert widget.result is not None
    assert shown_fraction(widget) == pytest.approx(64, abs=1)
    assert " to " in widget.fraction.text()
    # Half an ellipsoid, 2/3 pi 50^2 80 mm^3; a pixel of 2 mm is 2 % of the diameter.
    assert widget.result.end_diastolic_volume.value == pytest.approx(419, rel=0.06)
    assert widget.volumes.text().startswith(f"EDV {widget.result.end_diastolic_volume.value:.0f} ml (3")
    assert (widget.ed.value(), widget.es.value()) == (0, 3)
    assert widget.progress.line.text() == "Single plane; 95% interval over 3 samples."
    names = [label.text for _, label in widget.plot.legend.items]
    assert names == ["LV area", "LA area"]
    widget.kind.setCurrentText("Volume")
    assert [label.text for _, label in widget.plot.legend.items] == ["LV volume"]


def test_curve_and_slider_follow_each_other(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    add_cine(viewer)
    viewer.dims.set_current_step(0, 2)
    widget = press(qtbot, viewer)
    assert widget.plot.now.value() == 2
    viewer.dims.set_current_step(0, 4)
    assert widget.plot.now.value() == 4
    widget.plot.click_at(1.3)
    assert viewer.dims.current_step[0] == 1
    widget.plot.click_at(99)
    assert viewer.dims.current_step[0] == 4
    widget.plot.now.setValue(3.2)
    widget.plot.now.sigPositionChangeFinished.emit(widget.plot.now)
    assert viewer.dims.current_step[0] == 3
    assert widget.plot.now.value() == 3


def test_curve_and_slider_follow_each_other_in_other_units(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    viewer.add_image(np.zeros((5, 9, 9)), scale=(50, 1, 1), units=("ms", "um", "um"))
    cine = np.stack([half_ellipse(width) for width in WIDTHS])
    viewer.add_labels(cine, scale=(0.05, 2, 2), units=("s", "mm", "mm"))
    widget = press(qtbot, viewer)
    widget.go_to(4)
    assert viewer.dims.point[0] == pytest.approx(200)
    assert viewer.dims.current_step[0] == 4
    assert widget.plot.now.value() == 4


def test_phases_are_edited_by_number_and_by_hand(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    add_cine(viewer)
    widget = press(qtbot, viewer)
    widget.es.setValue(2)
    assert widget.plot.es.value() == 2
    assert shown_fraction(widget) == pytest.approx(48, abs=1)
    widget.plot.ed.setValue(1.2)
    widget.plot.ed.sigPositionChangeFinished.emit(widget.plot.ed)
    assert (widget.ed.value(), widget.plot.ed.value()) == (1, 1)
    assert shown_fraction(widget) == pytest.approx(33, abs=1)
    widget.ed.setValue(2)
    assert widget.fraction.text() == "EF unknown"


def test_two_views_are_biplane(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    four, two = add_cine(viewer, "four"), add_cine(viewer, "two")
    widget = CardiacWidget(viewer)
    qtbot.addWidget(widget)
    widget.biplane.setChecked(True)
    widget.labels.setValue(four)
    widget.second.setValue(four)
    widget.measure()
    assert "Both views are the same layer" in widget.message.text()
    widget.second.setValue(two)
    with qtbot.waitSignal(widget.measured, timeout=20_000):
        widget.measure()
    assert widget.message.text() == ""
    assert widget.progress.line.text().startswith("Biplane;")
    assert widget.result is not None
    assert widget.result.biplane


def test_curves_and_summary_are_saved(qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    viewer = ViewerModel()
    add_cine(viewer)
    widget = press(qtbot, viewer)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "a"), "Table (*.csv)"))
    widget.save_button.click()
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 6
    widget.save(tmp_path / "a.json")
    notes = json.loads((tmp_path / "a.json").read_text())
    assert notes["provenance"] == {"echo [fake] labels": {"model": "fake"}}
    assert notes["end-systole frame"] == 3
    widget.save(tmp_path / "a.pdf")
    assert "ends in .csv or .json" in widget.message.text()


def test_what_cannot_be_measured_is_said(qtbot: QtBot, tmp_path: Path) -> None:
    viewer = ViewerModel()
    widget = CardiacWidget(viewer)
    qtbot.addWidget(widget)
    widget.measure()
    assert "no labels layer" in widget.message.text()
    widget.save(tmp_path / "a.csv")
    assert "press Measure first" in widget.message.text()
    viewer.add_labels(np.full((3, 20, 20), 2, np.uint8))
    widget.measure()
    qtbot.waitUntil(lambda: "No frame has a left ventricle" in widget.message.text(), timeout=20_000)
    assert widget.found.isHidden()
