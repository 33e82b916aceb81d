"""An open Review widget, its list pressed."""

from napari.components import ViewerModel
from pytestqt.qtbot import QtBot

from ..._qt import ReviewWidget


def open_review(qtbot: QtBot, viewer: ViewerModel) -> ReviewWidget:
    widget = ReviewWidget(viewer)
    qtbot.addWidget(widget)
    return widget


def press_list(qtbot: QtBot, widget: ReviewWidget) -> None:
    with qtbot.waitSignal(widget.listed, timeout=20_000):
        widget.page.list_button.click()


def column(widget: ReviewWidget, number: int) -> list[str]:
    model = widget.page.model
    return [model.data(model.index(line, number)) for line in range(model.rowCount())]
