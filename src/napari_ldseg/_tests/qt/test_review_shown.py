"""What the Review widget shows and teaches is of the labels that were listed: place, units, maps, image, keys."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from ..._qt import ReviewWidget
from ..._qt.review._columns import STATE
from ..._qt.viewer._from_layers import Source
from ..._qt.viewer._labels_source import sd_layer
from ..._qt.viewer._layer_picker import LayerPicker
from ..._qt.viewer._result_layers import KEY, ResultLayers
from ...data import Image, read_image
from ...datasets import TrainingSet
from ...inference import Segmentation
from ...measure import SampleMasks
from ..builders import make_ramp
from ..qt_fixtures import COLORS, NAMES, add_result, camera_of, make_three_boxes
from .review_widget import column, open_review, press_list
from .test_review import MakeViewer


@pytest.fixture(autouse=True)
def reviews(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NAPARI_LDSEG_REVIEWS", str(tmp_path / "reviews"))
    return tmp_path / "reviews"


def write_shifted(viewer: ViewerModel, shift: int) -> Labels:
    """The three boxes as a result, moved to the right."""
    labels, masks = make_three_boxes()
    labels = np.roll(labels, shift, 1)
    mean = np.stack([1 - labels * 0.8 - 0.1, labels * 0.8 + 0.1]).astype(np.float32)
    result = Segmentation(
        labels, mean, labels * np.float32(0.3), np.ones((4, 2)), "yx", (0.5, 0.5), "micrometer", NAMES, COLORS, 4,
        {"model": "fake"}, SampleMasks(np.roll(masks.array, shift, -1), (30, 60)),
    )  # fmt: skip
    place = {"scale": (0.5, 0.5), "translate": (0.0, 0.0)}
    picture = Image(labels, "yx", (0.5, 0.5), "micrometer", "slide")
    ResultLayers(viewer, Source(picture, labels.shape, place), "fake").show(result)
    layer = viewer.layers["slide [fake] labels"]
    assert isinstance(layer, Labels)
    return layer


def choose_map(widget: ReviewWidget, index: int) -> None:
    widget.page.overlays.map.setCurrentIndex(index)
    widget.page.overlays.map.activated.emit(index)


def test_the_outline_takes_the_whole_place_of_other_labels(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    labels, _ = make_three_boxes()
    first = viewer.add_labels(labels.copy(), scale=(0.5, 0.5))
    second = viewer.add_labels(labels.copy(), scale=(2, 2), rotate=30)
    widget = open_review(qtbot, viewer)
    for layer in (first, second):
        widget.page.labels.setValue(layer)
        press_list(qtbot, widget)
    outline = viewer.layers["Review outline"]
    np.testing.assert_allclose(outline.scale, (2, 2))
    np.testing.assert_allclose(outline.rotate, second.rotate)
    centre = second.data_to_world((14.5, 9.5))  # of the first box, in the middle of the outline and its margin
    np.testing.assert_allclose(outline.data_to_world((np.array(outline.data.shape) - 1) / 2), centre)


def test_maps_and_contours_are_those_of_the_last_run(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    write_shifted(viewer, 0)
    widget = open_review(qtbot, viewer)
    press_list(qtbot, widget)
    choose_map(widget, 1)
    widget.page.overlays.contours.setChecked(True)
    mean, contours = viewer.layers["Mean probability"], viewer.layers["Confidence contours"]
    layer = write_shifted(viewer, 3)
    assert not mean.visible
    assert not contours.visible
    press_list(qtbot, widget)
    np.testing.assert_array_equal(contours.data > 1, layer.data > 0)
    assert contours.visible
    choose_map(widget, 1)
    assert mean.visible
    np.testing.assert_array_equal(mean.data > 0.5, layer.data > 0)


def test_overlays_go_to_a_layer_of_the_same_name(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    layer = add_result(viewer)
    widget = open_review(qtbot, viewer)
    press_list(qtbot, widget)
    overlays = widget.page.overlays
    overlays.contours.setChecked(True)
    overlays.sample.setValue(1)
    viewer.layers.remove(layer)
    viewer.layers.remove("slide [fake] SD")
    moved = add_result(viewer, translate=(100.0, 100.0))
    assert moved is not layer
    press_list(qtbot, widget)
    overlays.sample.setValue(1)
    for name in ("Confidence contours", "Sample 1"):
        assert viewer.layers[name].visible
        np.testing.assert_allclose(viewer.layers[name].extent.world, moved.extent.world)


def test_labels_that_are_removed_are_no_longer_reviewed(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    layer = add_result(viewer)
    viewer.add_labels(np.ones((7, 7), np.uint8), name="by hand")
    widget = open_review(qtbot, viewer)
    press_list(qtbot, widget)
    widget.mark("accepted")
    viewer.layers.remove(layer)
    assert (widget.session, widget.page.model.rowCount(), widget.page.counts.text()) == (None, 0, "")
    assert "were removed; their review is kept" in widget.page.progress.line.text()
    assert widget.page._seen() == (2, ("background", "foreground"))
    press_list(qtbot, widget)
    viewer.layers.remove("Review outline")
    assert widget.page.model.rowCount() == 1


def test_a_new_training_set_has_the_classes_of_what_was_listed(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    add_result(viewer)
    other = viewer.add_labels(np.ones((4, 30, 60), np.uint8))
    widget = open_review(qtbot, viewer)
    press_list(qtbot, widget)
    widget.page.labels.setValue(other)
    assert widget.page._seen() == (2, NAMES)


def test_labels_are_taught_with_the_image_they_were_made_from(qtbot: QtBot, tmp_path: Path) -> None:
    viewer = ViewerModel()
    pixels = make_ramp((30, 60))
    viewer.add_image(pixels, name="slide")
    layer = add_result(viewer)
    layer.metadata[KEY]["image"] = "slide"
    other = viewer.add_image(np.zeros((30, 60), np.uint8), name="other")
    widget = open_review(qtbot, viewer)
    form = widget.page.add
    assert form.image.value() is other
    press_list(qtbot, widget)
    assert form.image.value() is viewer.layers["slide"]
    widget.page.dataset.setValue(tmp_path / "set")
    widget.mark("accepted")
    form.image.setValue(other)
    widget.page.teach_button.click()
    assert "made from the image 'slide', but 'other' is chosen" in form.message.text()
    form.image.setValue(viewer.layers["slide"])
    with qtbot.waitSignal(form.added, timeout=20_000):
        widget.page.teach_button.click()
    (pair,) = TrainingSet(tmp_path / "set").pairs()
    np.testing.assert_array_equal(read_image(pair.image).array.squeeze(), pixels)


def test_a_row_leads_to_its_place_in_a_viewer_of_other_units(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    viewer.add_image(np.zeros((4, 30, 60)), scale=(1000,) * 3, units=("um",) * 3)
    labels, _ = make_three_boxes()
    layer = viewer.add_labels(np.stack([labels * (i == 2) for i in range(4)]), units=("mm",) * 3)
    widget = open_review(qtbot, viewer)
    press_list(qtbot, widget)
    widget.page.select_line(widget.page.model.line_of(1))
    assert viewer.dims.current_step[0] == 2
    assert camera_of(viewer).center[1:] == pytest.approx((14_500, 29_500))
    assert viewer.layers["Review outline"].contour == 1  # pixel: 1 mm, 24 pixels of the screen
    np.testing.assert_allclose(viewer.layers["Review outline"].scale, layer.scale)


def test_the_frame_that_is_shown_is_taught_in_a_viewer_of_other_units(qtbot: QtBot, tmp_path: Path) -> None:
    viewer = ViewerModel()
    viewer.add_image(np.zeros((4, 30, 60)), scale=(1000,) * 3, units=("um",) * 3)
    labels, _ = make_three_boxes()
    viewer.add_labels(labels, name="plane", units=("mm",) * 2)
    frames = np.stack([make_ramp((30, 60)) + i for i in range(4)])
    image = viewer.add_image(frames, name="stack", units=("mm",) * 3)
    viewer.dims.set_point(0, 2000)
    widget = open_review(qtbot, viewer)
    widget.page.dataset.setValue(tmp_path / "set")
    press_list(qtbot, widget)
    viewer.dims.set_point(0, 2000)
    widget.mark("accepted")
    widget.page.add.image.setValue(image)
    with qtbot.waitSignal(widget.page.add.added, timeout=20_000):
        widget.page.teach_button.click()
    (entry,) = TrainingSet(tmp_path / "set").entries()
    assert entry.source == "stack [frame 2]"


def test_the_picker_takes_the_layer_that_was_clicked(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    first = add_result(viewer)
    first.paint((5, 5), 3)
    picker = LayerPicker(viewer, Labels, "")
    qtbot.addWidget(picker)
    second = write_shifted_as_new(viewer)
    index = picker.findText(second.name)
    picker.setCurrentIndex(index)
    picker.activated.emit(index)
    assert picker.value() is second


def write_shifted_as_new(viewer: ViewerModel) -> Labels:
    """A second result beside a painted one; it becomes a result only after it was added."""
    before = set(viewer.layers)
    add_result(viewer)
    (layer,) = set(viewer.layers) - before
    assert isinstance(layer, Labels)
    return layer


def test_the_sd_map_is_that_of_the_run_whatever_the_names(qtbot: QtBot) -> None:
    def finished(layer: Any, date: str) -> Any:
        layer.metadata[KEY]["date"] = date
        return layer

    viewer = ViewerModel()
    first = finished(add_result(viewer), "one")
    sd = finished(viewer.layers["slide [fake] SD"], "one")
    assert sd_layer(viewer, first) is sd
    first.paint((5, 5), 1)
    second = finished(write_shifted_as_new(viewer), "two")
    finished(sd, "two")  # of a second run, which wrote over the map
    second.name = "mine"
    assert sd_layer(viewer, second) is sd
    assert sd_layer(viewer, first) is None
    widget = open_review(qtbot, viewer)
    widget.page.labels.setValue(first)
    press_list(qtbot, widget)
    choose_map(widget, 0)
    np.testing.assert_allclose(viewer.layers["SD"].data.max(), 0.3)  # which the result still knows
    choose_map(widget, 2)
    assert not viewer.layers["SD"].visible


def test_keys_work_in_the_main_window_while_the_dock_floats(qtbot: QtBot, make_napari_viewer: MakeViewer) -> None:
    viewer = make_napari_viewer(show=True)
    add_result(viewer)
    widget = ReviewWidget(viewer)
    dock = viewer.window.add_dock_widget(widget, name="Review (LDSeg)", area="right")
    press_list(qtbot, widget)
    dock.setFloating(True)
    window, canvas = viewer.window._qt_window, viewer.window._qt_viewer.canvas.native
    window.activateWindow()
    canvas.setFocus()
    qtbot.waitUntil(window.isActiveWindow)
    assert widget.window() is not window
    QTest.keyClick(canvas, Qt.Key.Key_G)
    qtbot.waitUntil(lambda: column(widget, STATE)[0] == "accepted")
    dock.hide()
    QTest.keyClick(canvas, Qt.Key.Key_G)
    assert column(widget, STATE) == ["accepted", "to do", "to do"]
