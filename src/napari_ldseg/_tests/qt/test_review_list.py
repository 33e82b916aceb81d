"""The list of a review: labels of others, empty and long lists, the order of rows."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt

from ..._qt.controls._table import Column, RowModel, RowView
from ..._qt.review._columns import SCORE, SIZE
from ..._qt.viewer._labels_source import read_subject
from ...errors import InputError
from ..qt_fixtures import make_three_boxes
from .review_widget import column, open_review, press_list


@pytest.fixture(autouse=True)
def reviews(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NAPARI_LDSEG_REVIEWS", str(tmp_path / "reviews"))
    return tmp_path / "reviews"


def test_labels_of_others_are_listed_by_size_alone_or_by_an_sd_of_like_name(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    labels, _ = make_three_boxes()
    viewer.add_labels(np.stack([labels] * 2), name="a_labels")
    widget = open_review(qtbot, viewer)
    assert not widget.page.volume.isHidden()
    press_list(qtbot, widget)
    assert widget.page.model.rowCount() == 6
    assert not widget.page.overlays.sample.isEnabled()
    viewer.add_image(np.stack([labels * 0.1] * 2), name="a_sd")
    widget.page.volume.setChecked(True)
    press_list(qtbot, widget)
    assert widget.page.model.rowCount() == 3
    assert widget.page.model.columns[SIZE].title == "px³"
    assert column(widget, SCORE)[0] != ""


def test_without_labels_and_with_lazy_ones_it_says_what_to_do(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    widget = open_review(qtbot, viewer)
    widget.page.list_button.click()
    assert "press Segment first" in widget.page.message.text()
    layer = viewer.add_labels([np.zeros((40, 40), np.uint8), np.zeros((20, 20), np.uint8)])
    with pytest.raises(InputError, match="multiscale and cannot be edited"):
        read_subject(viewer, layer, volume=False)


def test_an_image_without_objects_has_an_empty_list(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    viewer.add_labels(np.zeros((20, 20), np.uint8))
    widget = open_review(qtbot, viewer)
    press_list(qtbot, widget)
    assert widget.page.counts.text() == "0 of 0 reviewed"
    widget.step(1)
    widget.mark("accepted")


def test_ten_thousand_rows_sort_and_scroll_at_once(qtbot: QtBot) -> None:
    model = RowModel()
    view = RowView(model)
    qtbot.addWidget(view)
    view.resize(400, 600)
    view.show()
    values = np.random.default_rng(0).permutation(10_000)
    model.set_columns(
        [
            Column("", [1] * 10_000, swatch=lambda _: "#ff0000"),
            Column("Size", values.astype(float).tolist(), "{:.0f}".format),
            Column("State", ["to do", "accepted"] * 5_000),
        ]
    )
    view.fit()
    view.setCurrentIndex(model.index(7, 0))

    def milliseconds(do: Callable[[], object]) -> float:
        best = float("inf")
        for _ in range(5):
            start = time.perf_counter()
            do()
            best = min(best, 1000 * (time.perf_counter() - start))
        return best

    assert milliseconds(lambda: model.sort(1, Qt.SortOrder.DescendingOrder)) < 50
    assert [model.data(model.index(line, 1)) for line in (0, 1, 9_999)] == ["9999", "9998", "0"]
    assert model.row_at(view.currentIndex().row()) == 7  # the selected row is still selected
    assert milliseconds(lambda: model.sort(2)) < 50

    def scroll() -> None:
        bar = view.verticalScrollBar()
        bar.setValue((bar.value() + bar.maximum() // 3) % bar.maximum())
        view.viewport().repaint()

    assert milliseconds(scroll) < 50


def test_nan_comes_last_either_way() -> None:
    model = RowModel()
    model.set_columns([Column("Score", [0.2, float("nan"), 0.7])])
    for order, rows in ((Qt.SortOrder.AscendingOrder, [0, 2, 1]), (Qt.SortOrder.DescendingOrder, [2, 0, 1])):
        model.sort(0, order)
        assert [model.row_at(line) for line in range(3)] == rows
