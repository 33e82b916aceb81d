"""What a result looks like: outlines above, doubt below, and a row of switches."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels
from napari.utils.colormaps.standardize_color import transform_color
from numpy.typing import NDArray
from pytestqt.qtbot import QtBot
from skimage.color import deltaE_ciede2000, rgb2lab

from ..._qt.viewer._result_layers import (
    SD_RANGE,
    SD_SHOWN,
    labels_layer,
    sd_colormap,
    sd_layer,
    show_filled,
    show_outlined,
)
from ...checkpoints import list_models
from ...inference import Segmentation
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


def test_buttons_follow_the_eye_in_the_list_of_layers(qtbot: QtBot, tmp_path: Path) -> None:
    viewer, widget = open_widget(qtbot, tmp_path)
    picture = viewer.add_image(make_ramp((32, 40)), name="cells")
    run_to_end(qtbot, widget)
    sd, labels = layers_of(viewer)
    switches = widget.switches
    for made, layer in ((switches.image, picture), (switches.labels, labels), (switches.sd, sd)):
        layer.visible = False
        assert not made.isChecked()
        layer.visible = True
        assert made.isChecked()
    viewer.layers.remove(picture)
    other = viewer.add_image(make_ramp((32, 40)), name="others")
    run_to_end(qtbot, widget)
    picture.visible = False
    assert switches.image.isChecked()
    other.visible = False
    assert not switches.image.isChecked()


def test_a_preview_is_shown_as_the_switches_stand(qtbot: QtBot, tmp_path: Path) -> None:
    viewer, widget = open_widget(qtbot, tmp_path)
    viewer.add_image(make_ramp((32, 40)), name="cells")
    widget.switches.outline.setChecked(False)
    widget.switches.sd.setChecked(False)
    seen: set[tuple[int, bool]] = set()
    written = widget._written

    def watched(result: Segmentation | None) -> Iterator[None]:
        for _ in written(result):
            yield
        if len(viewer.layers) == 3:
            sd, labels = layers_of(viewer)
            seen.add((labels.contour, sd.visible))

    widget._written = watched  # type: ignore[method-assign]
    run_to_end(qtbot, widget)
    assert seen == {(0, False)}


def lab(*colors: Any) -> NDArray[np.float64]:
    return np.asarray(rgb2lab(np.array([transform_color(color)[0, :3] for color in colors])))


def test_sd_is_no_colour_of_a_class_or_a_stain() -> None:
    shown = sd_colormap(SD_SHOWN).map(np.linspace(SD_SHOWN + 0.01, SD_RANGE[1], 20) / SD_RANGE[1])[:, :3]
    classes = {color for entry in list_models() for color in entry.config.class_colors[1:]}
    assert len(classes) >= 7
    # Haematoxylin, eosin and white of a slide, and the greys of echo, MRI and CT.
    stains = ["#73409a", "#4c2673", "#ed9ec7", "#d973a6", "#ffffff", "#808080"]
    for other in (*classes, *stains):
        apart = deltaE_ciede2000(lab(*shown), lab(other))
        assert apart.min() > 15, other
