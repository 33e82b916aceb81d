"""What the seven widgets share: errors, messages, work in a thread, docks, cards, tooltips."""

import gc
import logging
import threading
import weakref
from collections.abc import Callable, Generator, Iterator

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.viewer import Viewer
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import (
    QAbstractSlider,
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDockWidget,
    QLineEdit,
    QPushButton,
    QScrollBar,
    QToolButton,
    QWidget,
)

from ..._qt import (
    CardiacWidget,
    EvaluateWidget,
    FolderWidget,
    MeasureWidget,
    ReviewWidget,
    SegmentWidget,
    TrainWidget,
)
from ..._qt._tool import ToolWidget
from ..._util import Progress
from ...checkpoints import list_models
from ...errors import InputError

TOOLS = (SegmentWidget, FolderWidget, ReviewWidget, TrainWidget, MeasureWidget, CardiacWidget, EvaluateWidget)
CONTROLS = (QPushButton, QToolButton, QCheckBox, QComboBox, QAbstractSpinBox, QLineEdit, QAbstractSlider)


@pytest.fixture(params=TOOLS, ids=lambda tool: tool.__name__)
def tool(request: pytest.FixtureRequest, qtbot: QtBot) -> ToolWidget:
    """Each of the seven, for a viewer without a window."""
    widget: ToolWidget = request.param(ViewerModel())
    qtbot.addWidget(widget)
    return widget


def test_an_error_that_nobody_expected_is_shown_and_goes_to_the_log(
    tool: ToolWidget, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, logger="napari_ldseg"):
        tool.show_error(InputError("There is no image."))
        assert tool.message.text() == "There is no image."
        assert not caplog.records
        tool.show_error(ZeroDivisionError("by zero"))
    assert tool.message.text() == "ZeroDivisionError: by zero"
    (record,) = caplog.records
    assert record.getMessage() == f"unexpected error while {tool.DOING}"
    assert record.exc_info is not None


def controls(widget: QWidget) -> Iterator[QWidget]:
    """Yield what a person can press, choose or type in, without the parts of which Qt makes these."""
    for kind in CONTROLS:
        for control in widget.findChildren(kind):
            parent = control.parentWidget()
            part = isinstance(parent, QComboBox | QAbstractSpinBox) or isinstance(control, QScrollBar)
            if not part and not (isinstance(control, QToolButton) and control.isCheckable()):  # a section's head
                yield control


def test_every_control_says_what_it_is_for(tool: ToolWidget) -> None:
    found = list(controls(tool))
    assert len(found) > 3
    silent = [(type(one).__name__, getattr(one, "text", one.objectName)()) for one in found if not one.toolTip()]
    assert silent == []


def test_the_page_is_never_narrower_than_what_is_on_it(tool: ToolWidget, qtbot: QtBot) -> None:
    tool.resize(50, 600)
    with qtbot.waitExposed(tool):
        tool.show()
    for control in controls(tool):
        if control.isVisible():
            right = control.mapTo(tool, control.rect().topRight()).x()
            assert right < tool.width(), control.toolTip()


def test_a_page_grows_with_what_appears_on_it(qtbot: QtBot) -> None:
    widget = CardiacWidget(ViewerModel())
    qtbot.addWidget(widget)
    with qtbot.waitExposed(widget):
        widget.show()
    before = widget.minimumSizeHint().width()
    widget.plot.setMinimumWidth(before + 100)
    widget.found.show()
    qtbot.waitUntil(lambda: widget.minimumSizeHint().width() > before + 100)


def test_the_card_of_each_model_is_whole_at_the_default_width(qtbot: QtBot) -> None:
    widget = SegmentWidget(ViewerModel())
    qtbot.addWidget(widget)
    widget.resize(320, 700)
    with qtbot.waitExposed(widget):
        widget.show()
    card, heights = widget.model.card, set()
    for entry in [*list_models(), list_models()[0]]:
        widget.model.setValue(entry.name)
        qtbot.waitUntil(lambda: card.height() == card.heightForWidth(card.width()))
        heights.add(card.height())
    assert len(heights) > 1  # not simply the highest of all


def make_tool(qtbot: QtBot, viewer: ViewerModel | None = None) -> MeasureWidget:
    widget = MeasureWidget(viewer or ViewerModel())
    qtbot.addWidget(widget)
    return widget


def test_messages_about_an_input_go_when_another_one_is_chosen(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    labels = [viewer.add_labels(np.zeros((4, 4), int), name=name) for name in "ab"]
    widget = make_tool(qtbot, viewer)
    widget.labels.setValue(labels[0])
    widget.show_error(InputError("'a' cannot be measured."))
    widget.progress.finish("Saved a.csv.")
    widget.labels.setValue(labels[0])
    assert widget.message.text()
    widget.labels.setValue(labels[1])
    assert widget.message.text() == widget.progress.line.text() == ""


def test_only_what_was_asked_for_last_is_shown(qtbot: QtBot) -> None:
    widget = make_tool(qtbot)
    go_on = threading.Event()
    taken: list[str] = []

    def slow() -> Generator[Progress, None, str]:
        go_on.wait(10)
        yield Progress(1, 1)
        return "first"

    def quick() -> Generator[Progress, None, str]:
        yield Progress(3, 12)
        return "second"

    widget.compute(slow, taken.append, "Working")
    widget.compute(quick, taken.append, "Working")
    qtbot.waitUntil(lambda: taken == ["second"])
    assert widget.progress.line.text() == ""
    go_on.set()
    qtbot.wait(200)
    assert taken == ["second"]


def test_nothing_of_the_work_is_kept(qtbot: QtBot) -> None:
    widget = make_tool(qtbot)
    taken: list[str] = []

    def work() -> Generator[Progress, None, str]:
        yield Progress(0, 1)
        return "done"

    widget.compute(work, taken.append, "Working")
    steps = weakref.ref(widget._steps)
    qtbot.waitUntil(lambda: taken == ["done"])
    gc.collect()
    assert steps() is None


def test_what_raises_is_shown_and_the_progress_goes(qtbot: QtBot) -> None:
    widget = make_tool(qtbot)

    def broken() -> Generator[Progress, None, str]:
        yield Progress(1, 2)
        raise InputError("The disk is full.")

    widget.compute(broken, print, "Working")
    qtbot.waitUntil(lambda: widget.message.text() == "The disk is full.")
    assert not widget.progress.bar.isVisibleTo(widget)


def test_work_of_a_widget_that_is_gone_stops_and_tells_nobody(qtbot: QtBot) -> None:
    widget = MeasureWidget(ViewerModel())
    taken: list[str] = []
    ended = threading.Event()

    def forever() -> Generator[Progress, None, str]:
        try:
            while True:
                yield Progress(0, 1)
        finally:
            ended.set()

    widget.compute(forever, taken.append, "Working")
    widget.deleteLater()
    qtbot.waitUntil(ended.is_set)
    assert taken == []


def test_docks_are_tabs_of_one_another(make_napari_viewer: Callable[..., Viewer], qtbot: QtBot) -> None:
    viewer = make_napari_viewer(show=True)
    window = viewer.window._qt_window
    docks: list[QDockWidget] = []
    for kind in (MeasureWidget, EvaluateWidget, CardiacWidget):
        docks.append(viewer.window.add_dock_widget(kind(viewer), name=kind.__name__, area="right"))
        qtbot.waitUntil(lambda: len(window.tabifiedDockWidgets(docks[0])) == len(docks) - 1)
    # One that was moved away stays there.
    docks[1].setFloating(True)
    docks[1].hide()
    docks[1].show()
    qtbot.wait(50)
    assert docks[1].isFloating()
