"""The Review widget: list, navigation, states, edits, samples, and what is kept on disk."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils.shortcuts import default_shortcuts
from napari.viewer import Viewer
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtTest import QTest
from skimage.measure import label

from ..._qt import ReviewWidget
from ..._qt.review._columns import EXISTS, NAME, SCORE, SIZE, STATE
from ..._qt.review._page import KEYS
from ..._qt.viewer._labels_source import labels_layers, match_axes
from ..._qt.viewer._result_layers import HELPER
from ...data import read_labels
from ...datasets import UNLABELLED, TrainingSet
from ...reports._review_store import fingerprint
from ..builders import make_ramp
from ..qt_fixtures import add_result, camera_of, make_three_boxes
from .review_widget import column, open_review, press_list

MakeViewer = Callable[..., Viewer]


@pytest.fixture(autouse=True)
def reviews(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NAPARI_LDSEG_REVIEWS", str(tmp_path / "reviews"))
    return tmp_path / "reviews"


def test_objects_are_listed_the_most_uncertain_first(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    add_result(viewer)
    widget = open_review(qtbot, viewer)
    press_list(qtbot, widget)
    assert column(widget, NAME) == ["gland 2", "gland 3", "gland 1"]
    assert column(widget, SIZE) == ["25", "25", "25"]
    assert widget.page.model.columns[SIZE].title == "µm²"
    assert column(widget, EXISTS) == ["50%", "100%", "100%"]
    assert column(widget, SCORE)[0] == "0.50"
    assert widget.page.counts.text() == "0 of 3 reviewed"
    widget.page.ranking.setCurrentText("mean SD")
    widget.page.ranking.activated.emit(0)
    assert widget.page.model.columns[SCORE].tip.startswith("Mean SD")


def test_a_row_moves_the_viewer_there_and_outlines_the_object(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    layer = add_result(viewer)
    viewer.layers.selection.active = layer
    widget = open_review(qtbot, viewer)
    press_list(qtbot, widget)
    assert camera_of(viewer).center[1:] == pytest.approx((14.5 / 2, 29.5 / 2))
    outline = viewer.layers["Review outline"]
    np.testing.assert_allclose(outline.extent.world.mean(axis=0), (14.5 / 2, 29.5 / 2))
    widget.step(1)
    assert 20 < camera_of(viewer).center[2] <= 49.5 / 2  # as far as the view stays inside the image
    np.testing.assert_allclose(outline.extent.world.mean(axis=0), (14.5 / 2, 49.5 / 2))
    assert viewer.layers.selection.active is layer
    assert widget.page.labels.value() is layer
    assert outline not in labels_layers(viewer)


def test_accepting_goes_on_to_what_is_to_do(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    add_result(viewer)
    widget = open_review(qtbot, viewer)
    press_list(qtbot, widget)
    widget.page.buttons["accept"].click()
    widget.page.buttons["next"].click()
    widget.page.buttons["reject"].click()
    assert column(widget, STATE) == ["accepted", "to do", "rejected"]
    assert widget.page.table.currentIndex().row() == 1
    assert widget.page.counts.text() == "2 of 3 reviewed: 1 accepted, 1 rejected"
    widget.page.buttons["accept"].click()
    assert "Nothing is left" in widget.page.progress.line.text()


def test_painting_makes_an_object_corrected_and_undo_takes_that_back(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    layer = add_result(viewer)
    widget = open_review(qtbot, viewer)
    press_list(qtbot, widget)
    widget.mark("accepted")
    layer.selected_label = 0
    layer.brush_size = 3
    layer.paint((12, 27), 0)
    qtbot.waitUntil(lambda: column(widget, STATE) == ["corrected", "to do", "to do"])
    layer.undo()
    qtbot.waitUntil(lambda: column(widget, STATE) == ["accepted", "to do", "to do"])
    layer.paint((15, 36), 1)  # beside it: at its rim
    qtbot.waitUntil(lambda: column(widget, STATE) == ["corrected", "to do", "to do"])


def test_what_is_added_near_the_selected_object_corrects_it(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    layer = add_result(viewer)
    widget = open_review(qtbot, viewer)
    press_list(qtbot, widget)
    layer.data_setitem((np.array([25]), np.array([30])), 1)
    qtbot.waitUntil(lambda: column(widget, STATE)[0] == "corrected")
    layer.data_setitem((np.array([0]), np.array([0])), 1)  # far from everything
    qtbot.wait(50)
    assert column(widget, STATE) == ["corrected", "to do", "to do"]


def test_a_samples_version_is_pasted_and_undone(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    layer = add_result(viewer)
    widget = open_review(qtbot, viewer)
    press_list(qtbot, widget)
    before = layer.data.copy()
    widget.page.overlays.sample.setValue(1)
    widget.page.overlays.paste_button.click()
    qtbot.waitUntil(lambda: not layer.data[10:20, 25:35].any())
    assert np.count_nonzero(layer.data != before) == 100  # the others are as they were
    qtbot.waitUntil(lambda: column(widget, STATE)[0] == "corrected")
    layer.undo()
    np.testing.assert_array_equal(layer.data, before)
    widget.page.overlays.sample.setValue(4)
    widget.page.overlays.paste_button.click()
    qtbot.waitUntil(lambda: "already hold" in widget.page.progress.line.text())
    widget.page.overlays.sample.setValue(0)
    widget.page.overlays.paste_button.click()
    assert "a sample to take it from" in widget.page.message.text()


def test_samples_flip_as_lines_on_their_own_grid(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    layer = add_result(viewer)
    widget = open_review(qtbot, viewer)
    press_list(qtbot, widget)
    widget.page.overlays.flip(1)
    sample = viewer.layers["Sample 1"]
    assert np.count_nonzero(sample.data) == 150
    np.testing.assert_allclose(sample.extent.world, layer.extent.world)
    widget.page.overlays.flip(-1)
    assert not sample.visible
    widget.page.overlays.flip(-1)
    assert (sample.name, sample.visible) == ("Sample 4", True)
    assert np.count_nonzero(sample.data) == 300


def test_maps_and_contours_follow_their_controls(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    add_result(viewer)
    widget = open_review(qtbot, viewer)
    press_list(qtbot, widget)
    overlays, sd = widget.page.overlays, viewer.layers["slide [fake] SD"]
    overlays.above.setValue(70)  # above an SD of 0.35 nothing is left of 0.3
    assert sd.colormap.map(np.array([0.3 / 0.5]))[0, 3] == 0
    assert sd.colormap.map(np.array([0.4 / 0.5]))[0, 3] > 0.5
    overlays.opacity.setValue(40)
    assert sd.opacity == pytest.approx(0.4)
    overlays.map.setCurrentIndex(1)
    overlays.map.activated.emit(1)
    assert not sd.visible
    assert viewer.layers["Mean probability"].data.max() == pytest.approx(0.9)
    overlays.toggle_map()
    assert not viewer.layers["Mean probability"].visible
    overlays.confidence.setValue(80)
    overlays.contours.setChecked(True)
    assert np.unique(viewer.layers["Confidence contours"].data).tolist() == [0, 3]
    overlays.contours.setChecked(False)
    assert not viewer.layers["Confidence contours"].visible
    assert widget.page.labels.count() == 1


def test_frames_are_listed_and_shown(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    add_result(viewer, leading=3)
    widget = open_review(qtbot, viewer)
    press_list(qtbot, widget)
    assert widget.page.model.rowCount() == 9
    widget.page.select_line(widget.page.model.line_of(7))
    assert viewer.dims.current_step[0] == 2
    widget.page.rows.setCurrentIndex(1)
    press_list(qtbot, widget)
    assert column(widget, NAME) == ["frame 0", "frame 1", "frame 2"]
    widget.step(1)
    assert viewer.dims.current_step[0] == 1


def test_a_review_survives(qtbot: QtBot, reviews: Path) -> None:
    viewer = ViewerModel()
    layer = add_result(viewer)
    widget = open_review(qtbot, viewer)
    press_list(qtbot, widget)
    with qtbot.waitSignal(widget.saved):
        widget.mark("accepted")
    layer.data_setitem((np.array([12]), np.array([7])), 0)
    qtbot.waitUntil(lambda: "corrected" in column(widget, STATE))
    widget.flush()
    assert len(list(reviews.glob("*.json"))) == 1

    again = ViewerModel()  # the same segmentation, run anew
    second = open_review(qtbot, again)
    fresh = add_result(again)
    press_list(qtbot, second)
    assert column(second, STATE) == ["accepted", "to do", "corrected"]
    assert fresh.data[12, 7] == 0
    assert "put back" in second.page.progress.line.text()
    fresh.undo()
    assert fresh.data[12, 7] == 1

    opened = ViewerModel()  # the corrected labels, saved and opened
    third = open_review(qtbot, opened)
    opened.add_labels(layer.data.copy(), name="corrected")
    press_list(qtbot, third)
    assert sorted(column(third, STATE)) == ["accepted", "corrected", "to do"]


def test_frames_and_objects_are_kept_side_by_side(qtbot: QtBot, reviews: Path) -> None:
    viewer = ViewerModel()
    add_result(viewer, leading=2)
    widget = open_review(qtbot, viewer)
    for index, rows in ((0, 6), (1, 2), (0, 6), (1, 2)):
        widget.page.rows.setCurrentIndex(index)
        press_list(qtbot, widget)
        assert widget.page.model.rowCount() == rows
        kept = column(widget, STATE).count("accepted")
        widget.mark("accepted")
        widget.flush()
    assert kept == 1
    assert len(list(reviews.glob("*.json"))) == 1


def test_labels_with_many_numbers_keep_their_states_and_say_that_edits_are_not_kept(
    qtbot: QtBot, reviews: Path
) -> None:
    viewer = ViewerModel()
    labels = make_three_boxes()[0].astype(np.int32) * 70_000
    layer = viewer.add_labels(labels.copy())
    widget = open_review(qtbot, viewer)
    press_list(qtbot, widget)
    widget.mark("accepted")
    layer.data_setitem((np.array([12]), np.array([7])), 0)
    qtbot.waitUntil(lambda: "numbers above 65,535" in widget.page.message.text())
    again = ViewerModel()
    again.add_labels(labels)
    second = open_review(qtbot, again)
    press_list(qtbot, second)
    assert "corrected" in column(second, STATE)


def test_a_new_run_into_the_same_layer_asks_for_a_new_list(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    layer = add_result(viewer)
    widget = open_review(qtbot, viewer)
    press_list(qtbot, widget)
    add_result(viewer)
    assert "press List again" in widget.page.progress.line.text()
    assert widget.page.model.rowCount() == 0
    assert len(viewer.layers) == 3
    layer.data_setitem((np.array([12]), np.array([7])), 0)
    press_list(qtbot, widget)
    assert widget.page.model.rowCount() == 3


def test_a_damaged_review_is_none(qtbot: QtBot, reviews: Path) -> None:
    viewer = ViewerModel()
    layer = add_result(viewer)
    reviews.mkdir()
    name = fingerprint(layer.data)
    (reviews / f"{name}.{name}.json").write_text("{")
    widget = open_review(qtbot, viewer)
    press_list(qtbot, widget)
    assert set(column(widget, STATE)) == {"to do"}


def test_a_disk_that_refuses_is_reported(qtbot: QtBot, reviews: Path) -> None:
    viewer = ViewerModel()
    add_result(viewer)
    widget = open_review(qtbot, viewer)
    press_list(qtbot, widget)
    reviews.write_text("a file, no folder")
    widget.mark("accepted")
    qtbot.waitUntil(lambda: "cannot be written" in widget.page.message.text())


@pytest.mark.parametrize(
    ("shape", "part", "axes"),
    [
        ((8, 9), (8, 9), (0, 1)),
        ((1, 8, 9), (8, 9), (1, 2)),
        ((1, 8, 9), (1, 8, 9), (0, 1, 2)),
        ((5, 1, 8, 9), (5, 8, 9), (0, 2, 3)),
        ((1, 1, 8, 9), (1, 8, 9), (0, 2, 3)),
        ((4, 8, 9), (8, 9), None),
    ],
)
def test_axes_of_a_result_are_found_in_its_layer(shape: Any, part: Any, axes: Any) -> None:
    assert match_axes(shape, part) == axes


def test_keys_take_none_of_napari_s() -> None:
    taken = {str(key).lower() for keys in default_shortcuts.values() for key in keys}
    assert not taken & {key.lower() for key in KEYS.values()}


def test_keys_work_while_the_canvas_has_the_focus(qtbot: QtBot, make_napari_viewer: MakeViewer) -> None:
    viewer = make_napari_viewer(show=True)
    layer = add_result(viewer)
    viewer.layers.selection.active = layer
    layer.mode = "paint"
    widget = ReviewWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Review (LDSeg)", area="right")
    press_list(qtbot, widget)
    for shortcut in widget.page.shortcuts.values():
        assert shortcut.context() == Qt.ShortcutContext.WindowShortcut
        assert widget.window() is not widget
    window = widget.window()
    window.activateWindow()
    canvas = viewer.window._qt_viewer.canvas.native
    canvas.setFocus()
    qtbot.waitUntil(window.isActiveWindow)
    QTest.keyClick(canvas, Qt.Key.Key_G)
    qtbot.waitUntil(lambda: column(widget, STATE)[0] == "accepted")
    QTest.keyClick(canvas, Qt.Key.Key_N, Qt.KeyboardModifier.ShiftModifier)
    assert widget.page.table.currentIndex().row() == 0
    assert layer.mode == "paint"
    assert widget.page.shortcuts["paste"].key() == QKeySequence("U")
    assert [one.metadata[HELPER] for one in viewer.layers if HELPER in one.metadata] == ["outline"]


def test_what_was_accepted_is_handed_to_a_training_set_and_the_rest_is_unlabelled(qtbot: QtBot, tmp_path: Path) -> None:
    viewer = ViewerModel()
    layer = add_result(viewer)
    viewer.add_image(make_ramp((30, 60)), name="slide", scale=layer.scale)
    widget = open_review(qtbot, viewer)
    widget.page.dataset.setValue(tmp_path / "taught")
    widget.page.teach_button.click()
    assert "Press List first" in widget.page.add.message.text()
    press_list(qtbot, widget)
    widget.page.teach_button.click()
    assert "Nothing was accepted" in widget.page.add.message.text()
    widget.page.table.selectRow(0)
    widget.page.buttons["accept"].click()
    before = np.array(layer.data)
    with qtbot.waitSignal(widget.page.add.added, timeout=20_000):
        widget.page.teach_button.click()
    assert widget.page.add.message.text() == ""
    (pair,) = TrainingSet(tmp_path / "taught").pairs()
    taught = read_labels(pair.labels).array
    objects = label(before > 0)
    accepted = [np.unique(taught[objects == number]).tolist() for number in (1, 2, 3)]
    assert sorted(accepted) == [[1], [UNLABELLED], [UNLABELLED]]
    assert (taught == 0).any()
    np.testing.assert_array_equal(layer.data, before)
