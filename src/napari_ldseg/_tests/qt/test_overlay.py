"""What a result looks like: outlines above, doubt below, and a row of switches."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels
from pytestqt.qtbot import QtBot

from ..._qt.viewer._result_layers import SD_RANGE, labels_layer, sd_colormap, sd_layer, show_filled, show_outlined
from ..builders import make_ramp
from ..qt_fixtures import open_widget, run_to_end


def layers_of(viewer: ViewerModel) -> tuple[Image, Labels]:
    sd, labels = viewer.layers[1:]
    assert isinstance(sd, Image)
    assert isinstance(labels, Labels)
    return sd, labels


def test_small_differences_between_samples_do_not_cover_the_image() -> None:
    layer = sd_layer(np.zeros((8, 9)), 2)
    alpha = layer.colormap.map(np.array([0.0, 0.14, 0.16, 0.5]) / SD_RANGE[1])[:, 3]
    assert alpha[:2].tolist() == [0, 0]
    assert (alpha[2:] > 0.4).all()
    assert sd_colormap(0.0).map(np.array([0.25]))[0, 3] > 0.3


@pytest.mark.parametrize(("side", "width"), [(100, 1), (522, 2), (4000, 4)])
def test_outlines_are_as_wide_as_they_can_be_seen(side: int, width: int) -> None:
    layer = labels_layer(np.broadcast_to(np.uint8(1), (side, side + 10)), ["background", "gland"], ["", "#ff0000"])
    assert layer.contour == width
    show_filled(layer)
    assert (layer.contour, layer.opacity) == (0, 0.5)
    show_outlined(layer)
    assert layer.contour == width


def test_in_3d_labels_are_filled_without_a_warning() -> None:
    viewer = ViewerModel()
    viewer.add_layer(labels_layer(np.ones((4, 8, 9), np.uint8), ["background", "bone"], ["", "#ff0000"]))
    with warnings.catch_warnings(record=True) as said:
        viewer.dims.ndisplay = 3
    assert not [one for one in said if "Contours" in str(one.message)]


def test_labels_lie_above_the_sd_and_switches_show_and_hide(qtbot: QtBot, tmp_path: Path) -> None:
    viewer, widget = open_widget(qtbot, tmp_path)
    picture = viewer.add_image(make_ramp((32, 40)), name="cells")
    assert not widget.switches.isVisibleTo(widget)
    run_to_end(qtbot, widget)
    sd, labels = layers_of(viewer)
    switches = widget.switches
    assert switches.isVisibleTo(widget)
    for button, layer in ((switches.image, picture), (switches.labels, labels), (switches.sd, sd)):
        assert layer.visible
        button.click()
        assert not layer.visible
        button.click()
        assert layer.visible
    assert labels.contour == 1
    switches.outline.click()
    assert (labels.contour, labels.opacity) == (0, 0.5)
    assert all(button.accessibleName() for button in (switches.image, switches.labels, switches.outline, switches.sd))


def test_the_next_result_is_shown_as_the_switches_stand(qtbot: QtBot, tmp_path: Path) -> None:
    viewer, widget = open_widget(qtbot, tmp_path)
    first = viewer.add_image(make_ramp((32, 40)), name="cells")
    run_to_end(qtbot, widget)
    widget.switches.outline.click()
    widget.switches.sd.click()
    viewer.layers.clear()
    second = viewer.add_image(make_ramp((32, 40)), name="others")
    run_to_end(qtbot, widget)
    sd, labels = layers_of(viewer)
    assert (labels.contour, sd.visible) == (0, False)
    widget.switches.image.click()
    assert (first.visible, second.visible) == (True, False)
