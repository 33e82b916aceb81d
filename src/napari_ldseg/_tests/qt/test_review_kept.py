"""What the Review widget keeps on disk is what the layer shows: undo, redo, empty labels, a disk that refuses."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels
from numpy.typing import NDArray
from pytestqt.qtbot import QtBot

from ..._qt import ReviewWidget
from ..._qt.review import _session as session_module, _widget as review_module
from ..._qt.review._columns import STATE
from ..._qt.review._session import reviewed_labels
from ...datasets import UNLABELLED
from ...errors import InputError
from ...reports._review_store import find_review, save_review
from ..qt_fixtures import add_result
from .review_widget import column, open_review, press_list

FAR = (28, 58)  # from every object
BOX = (12, 27)  # in the object that is listed first


@pytest.fixture(autouse=True)
def reviews(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NAPARI_LDSEG_REVIEWS", str(tmp_path / "reviews"))
    monkeypatch.setattr(review_module, "AUTOSAVE", 20)
    monkeypatch.setattr(review_module, "RETRY", 100)
    return tmp_path / "reviews"


def open_listed(qtbot: QtBot) -> tuple[ReviewWidget, Labels, NDArray[Any]]:
    """The widget, the labels, and what they were."""
    viewer = ViewerModel()
    layer = add_result(viewer)
    widget = open_review(qtbot, viewer)
    press_list(qtbot, widget)
    return widget, layer, layer.data.copy()


def edit(qtbot: QtBot, widget: ReviewWidget, do: Callable[[], object]) -> None:
    """Edit, and wait until it is on disk."""
    with qtbot.waitSignal(widget.saved, timeout=20_000):
        do()


def kept(original: NDArray[Any]) -> NDArray[Any]:
    """The labels that come back where those of the model are listed anew."""
    found = find_review(original)
    return original if found is None or found.labels is None else found.labels


def slow_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Listing takes half a second after the labels were copied."""
    real = session_module.list_rows

    def slow(*args: Any, **options: Any) -> Any:
        listed = yield from real(*args, **options)
        time.sleep(0.5)
        return listed

    monkeypatch.setattr(review_module, "list_rows", slow)


def test_a_stroke_far_from_all_objects_is_undone_on_disk(qtbot: QtBot) -> None:
    widget, layer, original = open_listed(qtbot)
    edit(qtbot, widget, lambda: layer.paint(FAR, 1))
    assert (kept(original) != original).any()
    edit(qtbot, widget, layer.undo)
    np.testing.assert_array_equal(kept(original), original)
    layer.data = original.copy()  # a new run
    press_list(qtbot, widget)
    np.testing.assert_array_equal(layer.data, original)


def test_a_stroke_is_undone_on_disk_after_another_list(qtbot: QtBot) -> None:
    widget, layer, original = open_listed(qtbot)
    edit(qtbot, widget, lambda: layer.paint(FAR, 1))
    press_list(qtbot, widget)
    edit(qtbot, widget, layer.undo)
    np.testing.assert_array_equal(kept(original), original)


def test_the_second_of_two_strokes_is_undone_on_disk(qtbot: QtBot) -> None:
    widget, layer, original = open_listed(qtbot)
    edit(qtbot, widget, lambda: layer.paint(BOX, 0))
    one = layer.data.copy()
    edit(qtbot, widget, lambda: layer.paint((16, 30), 0))
    edit(qtbot, widget, layer.undo)
    np.testing.assert_array_equal(layer.data, one)
    np.testing.assert_array_equal(kept(original), one)
    assert column(widget, STATE)[0] == "corrected"


def test_what_was_accepted_after_painting_is_undone_on_disk(qtbot: QtBot) -> None:
    widget, layer, original = open_listed(qtbot)
    edit(qtbot, widget, lambda: layer.paint(BOX, 0))
    edit(qtbot, widget, lambda: widget.mark("accepted"))
    edit(qtbot, widget, layer.undo)
    np.testing.assert_array_equal(kept(original), original)
    assert column(widget, STATE)[0] == "accepted"


def test_what_is_redone_is_corrected_again_and_taught(qtbot: QtBot) -> None:
    widget, layer, original = open_listed(qtbot)
    edit(qtbot, widget, lambda: layer.paint(BOX, 0))
    edit(qtbot, widget, layer.undo)
    assert column(widget, STATE) == ["to do"] * 3
    edit(qtbot, widget, layer.redo)
    assert column(widget, STATE) == ["corrected", "to do", "to do"]
    np.testing.assert_array_equal(kept(original), layer.data)
    assert widget.session is not None
    taught, _ = reviewed_labels(widget.session)
    assert taught[BOX] == 0
    assert (taught == UNLABELLED).any()


def test_what_was_put_back_and_undone_is_not_put_back_again(qtbot: QtBot) -> None:
    widget, layer, original = open_listed(qtbot)
    edit(qtbot, widget, lambda: layer.paint(BOX, 0))
    layer.data = original.copy()
    press_list(qtbot, widget)
    assert "put back" in widget.page.progress.line.text()
    assert (layer.data != original).any()
    assert widget._viewer.layers.selection.active is layer  # in which Ctrl+Z works
    edit(qtbot, widget, layer.undo)
    np.testing.assert_array_equal(layer.data, original)
    assert column(widget, STATE) == ["to do"] * 3
    press_list(qtbot, widget)
    np.testing.assert_array_equal(layer.data, original)


def test_an_undo_of_hidden_labels_is_kept_with_the_next_list(qtbot: QtBot) -> None:
    widget, layer, original = open_listed(qtbot)
    edit(qtbot, widget, lambda: layer.paint(FAR, 1))
    layer.visible = False
    layer.undo()
    widget.flush()
    np.testing.assert_array_equal(kept(original), original)


def test_empty_labels_are_those_of_their_own_image_only(qtbot: QtBot) -> None:
    def draw(name: str) -> tuple[ReviewWidget, Labels]:
        viewer = ViewerModel()
        viewer.add_image(np.zeros((40, 60)), name=name)
        layer = viewer.add_labels(np.zeros((40, 60), np.uint8))
        widget = open_review(qtbot, viewer)
        press_list(qtbot, widget)
        return widget, layer

    widget, layer = draw("first")
    edit(qtbot, widget, lambda: layer.data_setitem((np.array([5]), np.array([6])), 1))
    assert not draw("second")[1].data.any()
    assert np.argwhere(draw("first")[1].data).tolist() == [[5, 6]]


def test_what_is_painted_while_rows_are_listed_is_noticed(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    slow_list(monkeypatch)
    viewer = ViewerModel()
    layer = add_result(viewer)
    original = layer.data.copy()
    widget = open_review(qtbot, viewer)
    with qtbot.waitSignals([widget.listed, widget.saved], timeout=20_000):
        widget.page.list_button.click()
        qtbot.wait(250)
        layer.paint(BOX, 0)
    assert column(widget, STATE) == ["corrected", "to do", "to do"]
    np.testing.assert_array_equal(kept(original), layer.data)


def test_what_is_put_back_spares_what_was_painted_meanwhile(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    widget, layer, original = open_listed(qtbot)
    edit(qtbot, widget, lambda: layer.paint(BOX, 0))
    layer.data = original.copy()
    slow_list(monkeypatch)
    layer.brush_size = 1
    with qtbot.waitSignals([widget.listed, widget.saved], timeout=20_000):
        widget.page.list_button.click()
        qtbot.wait(250)
        layer.paint(BOX, 3)
    assert layer.data[BOX] == 3
    assert layer.data[BOX[0], BOX[1] + 1] == 0  # the rest was put back
    np.testing.assert_array_equal(kept(original), layer.data)


def test_labels_that_go_while_rows_are_listed_have_no_review(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    slow_list(monkeypatch)
    viewer = ViewerModel()
    layer = add_result(viewer)
    widget = open_review(qtbot, viewer)
    with qtbot.waitSignal(widget.listed, timeout=20_000):
        widget.page.list_button.click()
        layer.data = layer.data.copy()
    assert widget.session is None
    assert "press List again" in widget.page.progress.line.text()


def test_a_save_that_failed_once_is_made_again(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    widget, layer, original = open_listed(qtbot)
    real = save_review

    def refuse(*args: Any, **options: Any) -> None:
        raise InputError("The disk is full.")

    monkeypatch.setattr(session_module, "save_review", refuse)
    edit(qtbot, widget, lambda: layer.paint(BOX, 0))
    assert widget.page.message.text() == "The disk is full."
    monkeypatch.setattr(session_module, "save_review", real)
    qtbot.waitUntil(lambda: widget.page.message.text() == "", timeout=20_000)
    np.testing.assert_array_equal(kept(original), layer.data)
