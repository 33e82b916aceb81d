"""Steering in the viewer: what is said is true at once, comes with its picture, and goes with it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Points
from napari.viewer import Viewer
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from ..._qt import SegmentWidget
from ..._qt.steer._mouse import Gesture
from ..._qt.steer._steering import Steering
from ..._qt.threads._segmentation import Outcome, engine
from ..._qt.viewer._prompt_layer import is_prompts
from ...checkpoints import save_model
from ...config import SegmentConfig
from ..builders import make_ramp, make_tiny_model
from ..qt_fixtures import camera_of

MakeViewer = Callable[..., Viewer]
CONFIG = SegmentConfig(samples=4, steps=2, device="cpu", precision="float32")


def save_told(folder: Path, ndim: int = 2, **changes: Any) -> Path:
    """The file of a tiny model that takes prompts."""
    model = make_tiny_model(ndim, **{"prompt_widths": (4, 8), **changes})
    return save_model(model, folder / "told.safetensors", "# Told")


def open_steering(qtbot: QtBot, folder: Path, viewer: Any = None, ndim: int = 2) -> tuple[Any, SegmentWidget]:
    """A viewer with the widget; nothing is steered yet."""
    viewer = ViewerModel() if viewer is None else viewer
    widget = SegmentWidget(viewer, engine)
    qtbot.addWidget(widget)
    widget.model.setValue(save_told(folder, ndim))
    widget.settings.setValue(CONFIG)
    widget.more_settings.setValue(CONFIG)
    return viewer, widget


def wait(qtbot: QtBot, widget: SegmentWidget, do: Callable[[], object]) -> Outcome:
    """Do something, and wait for the picture that follows."""
    with qtbot.waitSignal(widget.run_finished, timeout=120_000) as finished:
        do()
    outcome: Outcome = finished.args[0]
    assert outcome.error is None
    return outcome


def steering_of(widget: SegmentWidget) -> Steering:
    assert widget.steer.steering is not None
    return widget.steer.steering


def click(widget: SegmentWidget, *places: Any, background: bool = False, tool: Any = "stroke") -> None:
    """What the mouse does: a click at one place, a drag along several."""
    steering = steering_of(widget)
    data = [np.asarray(place, dtype=float) for place in places]
    for number in range(1, len(data)):
        steering.on_gesture(Gesture(data[: number + 1], tool, background, is_over=False))
    steering.on_gesture(Gesture(data, tool, background, is_over=True))


def picture(viewer: Any) -> list[Any]:
    made = {layer.name.rpartition(" ")[2]: layer for layer in viewer.layers if "[tiny" in layer.name}
    return [np.array(made[kind].data) for kind in ("labels", "SD")]


def prompt_layer(viewer: Any) -> Points:
    (layer,) = filter(is_prompts, viewer.layers)
    assert isinstance(layer, Points)
    return layer


def names(viewer: Any) -> list[str]:
    return [layer.name for layer in viewer.layers if layer.name != "Suggested place"]


def test_a_click_is_true_and_undo_brings_the_picture_back(qtbot: QtBot, tmp_path: Path) -> None:
    viewer, widget = open_steering(qtbot, tmp_path)
    viewer.add_image(make_ramp((32, 40)), name="cells")
    wait(qtbot, widget, widget.steer_button.click)
    assert names(viewer) == [
        "cells", "cells [tiny-2d] SD", "cells [tiny-2d] labels", "cells prompts",
    ]  # fmt: skip
    assert viewer.layers.selection.active is prompt_layer(viewer)
    before = picture(viewer)
    wait(qtbot, widget, lambda: click(widget, (10, 20)))
    after = picture(viewer)
    assert after[0][10, 20] == 1
    assert after[1][10, 20] == 0
    wait(qtbot, widget, lambda: click(widget, (10, 30), background=True))
    labels, sd = picture(viewer)
    assert (labels[10, 20], labels[10, 30], sd[10, 30]) == (1, 0, 0)
    assert list(prompt_layer(viewer).features["class"]) == ["foreground", "background"]
    np.testing.assert_array_equal(prompt_layer(viewer).data, [[10, 20], [10, 30]])
    for action, pictures, number in (
        (widget.steer.undo.click, after, 1),
        (widget.steer.undo.click, before, 0),
        (widget.steer.redo.click, after, 1),
        (widget.steer.clear.click, before, 0),
        (widget.steer.undo.click, after, 1),
    ):
        wait(qtbot, widget, action)
        for one, other in zip(picture(viewer), pictures, strict=True):
            np.testing.assert_array_equal(one, other)
        assert len(prompt_layer(viewer).data) == number
    assert widget.steer.redo.isEnabled()


def test_a_new_click_takes_the_place_of_the_draw_that_goes_on(qtbot: QtBot, tmp_path: Path) -> None:
    viewer, widget = open_steering(qtbot, tmp_path)
    viewer.add_image(make_ramp((32, 40)), name="cells")
    ended: list[Outcome] = []
    widget.run_finished.connect(ended.append)
    widget.steer_button.click()
    for column in (5, 15, 25):
        click(widget, (10, column))
    qtbot.waitUntil(lambda: bool(ended), timeout=120_000)
    labels, _ = picture(viewer)
    assert labels[10, [5, 15, 25]].tolist() == [1, 1, 1]
    assert len(ended[0].result.provenance["prompts"]) == 3
    qtbot.wait(100)
    assert len(ended) == 1


def test_points_that_napari_s_own_tools_add_move_or_delete_count(qtbot: QtBot, tmp_path: Path) -> None:
    viewer, widget = open_steering(qtbot, tmp_path)
    viewer.add_image(make_ramp((32, 40)), name="cells")
    wait(qtbot, widget, widget.steer_button.click)
    layer = prompt_layer(viewer)
    wait(qtbot, widget, lambda: layer.add([[8, 9]]))
    assert picture(viewer)[0][8, 9] == 1
    wait(qtbot, widget, lambda: setattr(layer, "data", np.array([[20.0, 30.0]])))
    assert picture(viewer)[0][20, 30] == 1
    assert len(steering_of(widget).history.present) == 1
    layer.selected_data = {0}
    wait(qtbot, widget, layer.remove_selected)
    assert steering_of(widget).history.present == ()
    wait(qtbot, widget, widget.steer.undo.click)
    np.testing.assert_array_equal(layer.data, [[20, 30]])


def test_keys_choose_the_class_and_take_back(qtbot: QtBot, make_napari_viewer: MakeViewer, tmp_path: Path) -> None:
    viewer = make_napari_viewer(show=True)
    _, widget = open_steering(qtbot, tmp_path, viewer)
    viewer.window.add_dock_widget(widget, name="Segment (LDSeg)", area="right")
    image = viewer.add_image(make_ramp((32, 40)), name="cells")
    wait(qtbot, widget, widget.steer_button.click)
    canvas = viewer.window._qt_viewer.canvas.native
    widget.window().activateWindow()
    canvas.setFocus()
    qtbot.waitUntil(widget.window().isActiveWindow)
    steering = steering_of(widget)
    QTest.keyClick(canvas, Qt.Key.Key_0)
    assert steering.label == 0
    QTest.keyClick(canvas, Qt.Key.Key_1)
    assert steering.label == 1
    assert prompt_layer(viewer).mode == "pan_zoom"  # in napari these keys choose modes
    wait(qtbot, widget, lambda: click(widget, (10, 20)))
    wait(qtbot, widget, lambda: QTest.keyClick(canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier))
    assert steering.history.present == ()
    viewer.layers.selection.active = image  # whose keys are its own
    QTest.keyClick(canvas, Qt.Key.Key_0)
    assert steering.label == 1


@pytest.mark.parametrize("kind", ["rgb", "turned", "stack", "channels", "pyramid"])
def test_a_click_lands_where_the_layer_lies(qtbot: QtBot, tmp_path: Path, kind: str) -> None:
    viewer, widget = open_steering(qtbot, tmp_path)
    kinds: dict[str, tuple[Any, dict[str, Any], tuple[int, ...]]] = {
        "rgb": (make_ramp((32, 40, 3)), {"rgb": True}, (10, 20)),
        "turned": (make_ramp((32, 40)), {"scale": (0.5, 2), "rotate": 40, "translate": (9, -4)}, (10, 20)),
        "stack": (make_ramp((3, 32, 40)), {"scale": (4, 1, 1)}, (1, 10, 20)),
        "channels": (make_ramp((3, 32, 40)), {"axis_labels": ("c", "y", "x")}, (2, 10, 20)),
        "pyramid": ([make_ramp((64, 80)), make_ramp((32, 40))], {"multiscale": True}, (20, 40)),
    }
    array, options, place = kinds[kind]
    layer = viewer.add_image(array, name="cells", **options)
    viewer.dims.set_point(0, 4.0 if kind == "stack" else 2.0 if kind == "channels" else 0)
    wait(qtbot, widget, widget.steer_button.click)
    prompts = prompt_layer(viewer)
    world = layer.data_to_world(place)
    wait(qtbot, widget, lambda: click(widget, prompts.world_to_data(world)))
    labels = next(one for one in viewer.layers if one.name == "cells [tiny-2d] labels")
    at = tuple(np.round(labels.world_to_data(world)).astype(int))
    if kind == "channels":
        at = (0, *at[1:])
    assert labels.data[at] == 1
    assert next(one for one in viewer.layers if one.name == "cells [tiny-2d] SD").data[at] == 0
    # The dot is shown where the image is on screen.
    assert len(prompts._view_data) == 1


def test_what_cannot_be_said_is_refused_in_words(qtbot: QtBot, tmp_path: Path) -> None:
    viewer, widget = open_steering(qtbot, tmp_path)
    viewer.add_image(make_ramp((3, 32, 40)), name="stack")
    viewer.dims.set_point(0, 0)
    widget.frames.setCurrentIndex(2)
    widget.reading.ranges[0][1].setValue(1)
    wait(qtbot, widget, widget.steer_button.click)
    click(widget, (0, 50, 20))
    assert "lies outside of 'stack'" in widget.steer.message.text()
    click(widget, (2, 10, 20))
    assert "This is no part of what is steered" in widget.steer.message.text()
    assert not len(prompt_layer(viewer).data)
    viewer.dims.ndisplay = 3
    click(widget, (0, 10, 20))
    assert "switch to 2D" in widget.steer.message.text()
    viewer.dims.ndisplay = 2
    wait(qtbot, widget, lambda: click(widget, (0, 10, 20)))
    assert not widget.steer.message.text()
    layer = prompt_layer(viewer)
    wait(qtbot, widget, lambda: setattr(layer, "data", np.array([[0.0, 99.0, 20.0]])))
    assert "The point at 0, 99, 20 lies outside of 'stack'" in widget.steer.message.text()
    layer.features = {"class": ["cat"], "kind": ["point"], "prompt": [0], "radius": [1.0]}
    wait(qtbot, widget, lambda: setattr(layer, "data", np.array([[0.0, 9.0, 20.0]])))
    assert (
        "of the class 'cat'; the model knows 0 background, 1 foreground. It is left out" in widget.steer.message.text()
    )


@pytest.mark.parametrize("gone", ["cells", "cells prompts"])
def test_a_removed_layer_ends_it_in_words(qtbot: QtBot, tmp_path: Path, gone: str) -> None:
    viewer, widget = open_steering(qtbot, tmp_path)
    viewer.add_image(make_ramp((32, 40)), name="cells")
    wait(qtbot, widget, widget.steer_button.click)
    wait(qtbot, widget, lambda: click(widget, (10, 20)))
    click(widget, (12, 20))
    del viewer.layers[gone]
    assert "removed, so steering has ended" in widget.progress.line.text()
    assert not widget.steer_button.isChecked()
    assert len(names(viewer)) == 3


def test_what_was_said_is_there_when_it_is_steered_again(qtbot: QtBot, tmp_path: Path) -> None:
    viewer, widget = open_steering(qtbot, tmp_path)
    viewer.add_image(make_ramp((32, 40)), name="cells")
    wait(qtbot, widget, widget.steer_button.click)
    wait(qtbot, widget, lambda: click(widget, (10, 20)))
    widget.steer_button.click()
    assert not widget.steer.is_on
    assert prompt_layer(viewer).mouse_pan
    outcome = wait(qtbot, widget, widget.steer_button.click)
    assert len(outcome.result.provenance["prompts"]) == 1
    assert picture(viewer)[0][10, 20] == 1
    assert len(names(viewer)) == 4


def test_a_model_that_takes_no_prompts_says_how_to_teach_it(qtbot: QtBot, tmp_path: Path) -> None:
    viewer, widget = open_steering(qtbot, tmp_path)
    widget.model.setValue(save_told(tmp_path / "other", prompt_widths=()))
    viewer.add_image(make_ramp((32, 40)), name="cells")
    wait(qtbot, widget, widget.steer_button.click)
    assert "fine-tune tiny-2d --learn prompts" in widget.steer.warning.text()
    wait(qtbot, widget, lambda: click(widget, (10, 20)))
    assert picture(viewer)[0][10, 20] == 1


def test_a_drag_says_a_stroke_or_a_box(qtbot: QtBot, tmp_path: Path) -> None:
    viewer, widget = open_steering(qtbot, tmp_path)
    viewer.add_image(make_ramp((32, 40)), name="cells")
    wait(qtbot, widget, widget.steer_button.click)
    wait(qtbot, widget, lambda: click(widget, (5, 5), (5, 20), (15, 20)))
    labels, sd = picture(viewer)
    assert (labels[5, 5:21] == 1).all()
    assert (labels[5:16, 20] == 1).all()
    assert (sd[5, 5:21] == 0).all()
    widget.steer.box.click()
    wait(qtbot, widget, lambda: click(widget, (28, 30), (20, 36), background=True, tool=steering_of(widget).tool))
    labels, sd = picture(viewer)
    assert (labels[20:29, 30:37] == 0).all()
    assert (sd[20:29, 30:37] == 0).all()
    kinds = list(prompt_layer(viewer).features["kind"])
    assert set(kinds) == {"line", "box"}
    # napari's own tool moves the dots around the box, and thus the box.
    layer = prompt_layer(viewer)
    moved = np.where((np.array(kinds) == "box")[:, None], layer.data - (10, 0), layer.data)
    wait(qtbot, widget, lambda: setattr(layer, "data", moved))
    labels, _ = picture(viewer)
    assert (labels[10:19, 30:37] == 0).all()


def test_the_ring_shows_what_the_session_suggests_and_keys_answer(qtbot: QtBot, tmp_path: Path) -> None:
    viewer, widget = open_steering(qtbot, tmp_path)
    viewer.add_image(make_ramp((3, 32, 40)), name="stack")
    widget.frames.setCurrentIndex(1)
    wait(qtbot, widget, widget.steer_button.click)
    steering = steering_of(widget)
    qtbot.waitUntil(lambda: steering.asking.is_asked)
    asked = steering.asking.question
    assert asked is not None
    (ring,) = [layer for layer in viewer.layers if layer.name == "Suggested place"]
    np.testing.assert_allclose(ring.data, [asked.position])
    assert viewer.layers.selection.active is prompt_layer(viewer)
    viewer.dims.set_point(0, (asked.position[0] + 1) % 3)
    camera_of(viewer).center = (0, 1e4, 1e4)
    widget.steer.go.click()
    assert viewer.dims.point[0] == asked.position[0]
    np.testing.assert_allclose(camera_of(viewer).center[1:], asked.position[1:])
    assert widget.steer.yes.text() == f"Y  {('background', 'foreground')[asked.label]}"
    for click, label in ((widget.steer.yes.click, asked.label), (widget.steer.no.click, None)):
        qtbot.waitUntil(lambda: steering.asking.question is not None)
        asked = steering.asking.question
        assert asked is not None
        wait(qtbot, widget, click)
        said = steering.history.present[-1]
        np.testing.assert_allclose(said.rings[0], [asked.position])
        assert said.label == ("background", "foreground")[asked.other if label is None else asked.label]
        at = tuple(np.round(asked.position).astype(int))
        assert picture(viewer)[1][at] == 0
    widget.steer_button.click()
    assert ring not in viewer.layers


def test_a_click_in_another_frame_steers_that_frame_and_the_first_is_not_embedded_again(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer, widget = open_steering(qtbot, tmp_path)
    viewer.add_image(make_ramp((3, 32, 40)), name="stack")
    viewer.dims.set_point(0, 0)
    wait(qtbot, widget, widget.steer_button.click)
    wait(qtbot, widget, lambda: click(widget, (0, 10, 20)))
    viewer.dims.set_point(0, 2)
    wait(qtbot, widget, lambda: click(widget, (2, 15, 30)))
    first, second = (layer for layer in viewer.layers if "labels" in layer.name)
    assert first.data[0, 10, 20] == second.data[0, 15, 30] == 1
    assert second.data_to_world((0, 15, 30))[0] == 2
    assert len(steering_of(widget).history.present) == 2
    texts: list[str] = []
    widget.steer.progressed.connect(lambda progress: texts.append(progress.text))
    viewer.dims.set_point(0, 0)
    wait(qtbot, widget, lambda: click(widget, (0, 12, 20)))
    assert first.data[0, 12, 20] == 1
    assert texts
    assert not [text for text in texts if "mbed" in text or "model" in text]
    wait(qtbot, widget, widget.steer.undo.click)
    assert len(steering_of(widget).history.present) == 2


def test_an_image_that_is_moved_or_changed_takes_what_was_said_along(qtbot: QtBot, tmp_path: Path) -> None:
    viewer, widget = open_steering(qtbot, tmp_path)
    layer = viewer.add_image(make_ramp((32, 40)), name="cells")
    wait(qtbot, widget, widget.steer_button.click)
    wait(qtbot, widget, lambda: click(widget, (10, 20)))
    layer.name = "renamed"
    wait(qtbot, widget, lambda: setattr(layer, "translate", (100, 50)))
    prompts = prompt_layer(viewer)
    np.testing.assert_allclose(prompts.data_to_world((10, 20)), (110, 70))
    labels = viewer.layers["renamed [tiny-2d] labels"]
    assert labels.data[tuple(np.round(labels.world_to_data((110, 70))).astype(int))] == 1
    wait(qtbot, widget, lambda: setattr(layer, "data", make_ramp((24, 18))))
    assert prompt_layer(viewer) is prompts
    assert len(prompts.data) == 1
    assert "The point at 10, 20 lies outside of 'renamed'" in widget.steer.message.text()
