"""The part of the Segment widget that says how a layer will be read: region, frames, axes, warnings."""

from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot

from ..._qt import SegmentWidget
from ...config import SegmentConfig
from ..builders import make_ramp
from ..qt_fixtures import camera_of, open_widget, run_to_end


def said(widget: SegmentWidget) -> str:
    """The sentence once all that waits has been taken in."""
    widget.reading.refresh()
    return str(widget.reading.sentence.text())


def choose(widget: SegmentWidget, region: str) -> None:
    index = widget.reading.region.findText(region)
    widget.reading.region.setCurrentIndex(index)
    widget.reading.region.activated.emit(index)


def segmented(qtbot: QtBot, viewer: ViewerModel, widget: SegmentWidget) -> tuple[tuple[int, ...], list[float]]:
    """Shape of the labels of a run, and where their first pixel lies in the world."""
    widget.settings.setValue(SegmentConfig(samples=1))
    assert run_to_end(qtbot, widget).error is None
    labels = viewer.layers["cells [tiny-2d] labels"]
    return labels.data.shape, [float(value) for value in labels.data_to_world((0,) * labels.ndim)]


def test_the_sentence_follows_the_slider_by_itself(qtbot: QtBot, tmp_path: Path) -> None:
    viewer, widget = open_widget(qtbot, tmp_path)
    viewer.add_image(make_ramp((6, 32, 40)), name="cells", axis_labels=("t", "y", "x"))
    viewer.dims.set_point(0, 4)
    qtbot.waitUntil(lambda: "t = 4 of 0 to 5" in widget.reading.sentence.text())
    widget.frames.setCurrentIndex(1)
    assert said(widget) == "6 frames of 32 x 40, seen as 32 x 32, each segmented on its own."


def test_an_axis_that_comes_with_new_data_is_told(qtbot: QtBot, tmp_path: Path) -> None:
    viewer, widget = open_widget(qtbot, tmp_path)
    layer = viewer.add_image(make_ramp((32, 40)), name="cells")
    layer.data = make_ramp((3, 32, 40))
    assert "of 0 to 2" in said(widget)
    assert len(widget.reading.roles) == 3


def test_a_range_of_frames_lands_on_its_frames(qtbot: QtBot, tmp_path: Path) -> None:
    viewer, widget = open_widget(qtbot, tmp_path)
    viewer.add_image(make_ramp((6, 32, 40)), name="cells", scale=(2, 1, 1))
    widget.frames.setCurrentIndex(2)
    first, last = widget.reading.ranges[0]
    first.setValue(3)
    last.setValue(4)
    assert said(widget).startswith("2 frames of 32 x 40")
    assert segmented(qtbot, viewer, widget) == ((2, 32, 40), [6.0, 0.0, 0.0])
    last.setValue(1)
    assert said(widget) == ""
    assert "Frames 3 to 1 hold nothing" in widget.reading.warning.text()


def test_the_displayed_plane_is_segmented(qtbot: QtBot, tmp_path: Path) -> None:
    viewer, widget = open_widget(qtbot, tmp_path)
    viewer.add_image(make_ramp((20, 12, 40)), name="cells")
    viewer.dims.order = (1, 0, 2)
    viewer.dims.set_point(1, 7)
    assert said(widget).startswith("One image 20 x 40 (s = 7 of 0 to 11)")
    assert segmented(qtbot, viewer, widget) == ((20, 1, 40), [0.0, 7.0, 0.0])


def test_axes_can_be_chosen(qtbot: QtBot, tmp_path: Path) -> None:
    viewer, widget = open_widget(qtbot, tmp_path)
    viewer.add_image(make_ramp((20, 3, 40)), name="cells")
    widget.reading.roles[1].setCurrentIndex(3)
    assert "2D images, but 1 of the axes" in widget.reading.warning.text()
    widget.reading.roles[0].setCurrentIndex(1)
    assert said(widget).startswith("An RGB image 20 x 40")
    assert segmented(qtbot, viewer, widget)[0] == (20, 1, 40)


def test_a_drawn_rectangle_is_segmented_where_it_is(qtbot: QtBot, tmp_path: Path) -> None:
    viewer, widget = open_widget(qtbot, tmp_path)
    image = viewer.add_image(make_ramp((32, 40)), name="cells", scale=(0.5, 0.5), translate=(3, 4))
    choose(widget, "Draw a rectangle…")
    assert "draw a rectangle around" in widget.reading.warning.text()
    shapes = viewer.layers["Region"]
    assert shapes.mode == "add_rectangle"
    # From pixel 10 to 21 along y, from 6 to 25 along x, in world coordinates.
    shapes.add_rectangles(np.array([[8, 7], [8, 16.5], [13.5, 16.5], [13.5, 7]]))
    shapes.mode = "pan_zoom"
    viewer.layers.selection.active = image
    assert said(widget).startswith("One image 12 x 20 at 0.5 pixel, a part of 32 x 40 from y 10, x 6 on")
    assert segmented(qtbot, viewer, widget) == ((12, 20), [8.0, 7.0])
    shapes.data = [np.array([[90, 90], [90, 99], [99, 99], [99, 90]])]
    widget.segment_button.click()
    assert not widget.is_running
    assert "region lies outside of 'cells'" in widget.message.text()


@pytest.mark.parametrize("unit", ["um", "nm"])
def test_the_current_view_is_segmented(qtbot: QtBot, tmp_path: Path, unit: str) -> None:
    viewer, widget = open_widget(qtbot, tmp_path)
    viewer.add_image(make_ramp((32, 40)), name="cells", units=(unit, unit))
    viewer.add_image(make_ramp((8, 9)), name="other", units=("nm", "nm"), visible=False)
    widget.image.setValue(viewer.layers["cells"])
    nanometers = {"um": 1000, "nm": 1}[unit]
    # 12 pixels high and 20 wide, around the middle of pixel (10, 15).
    viewer.canvas.size = (120, 200)
    camera_of(viewer).zoom = 10 / nanometers
    camera_of(viewer).center = (0, 10.5 * nanometers, 15.5 * nanometers)
    choose(widget, "Current view")
    assert "One image 12 x 20" in said(widget)
    assert "from y 5, x 6 on" in said(widget)
    viewer.dims.ndisplay = 3
    assert said(widget) == ""
    assert "In 3D the current view is no rectangle" in widget.reading.warning.text()


def test_the_view_of_a_turned_layer_is_its_bounding_box(qtbot: QtBot, tmp_path: Path) -> None:
    viewer, widget = open_widget(qtbot, tmp_path)
    viewer.add_image(make_ramp((64, 64)), name="cells", rotate=90)
    # Turned by 90 degrees, pixel (y, x) lies at (-x, y): 20 high and 10 wide becomes 10 high and 20 wide.
    viewer.canvas.size = (200, 100)
    camera_of(viewer).zoom = 10
    camera_of(viewer).center = (0, -30.5, 20.5)
    choose(widget, "Current view")
    shape = said(widget).split(",")[0]
    assert shape == "One image 10 x 20"
