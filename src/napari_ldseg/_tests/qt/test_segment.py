"""The widget in a real viewer, with a stand-in engine and with the real one."""

import time
from collections.abc import Callable, Generator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils.notifications import notification_manager
from napari.viewer import Viewer
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QTimer

from ..._qt import SegmentWidget
from ..._qt.threads._segmentation import Job, Run, engine
from ...config import SegmentConfig
from ...data import Image as Picture
from ...errors import EngineError
from ...inference import Segmentation, SegmentProgress
from ...plan import plan_image
from ..builders import make_ramp, make_tiny_config
from ..qt_fixtures import dock_widget, fake_engine, open_widget, run_to_end, save_tiny

MakeViewer = Callable[..., Viewer]


def slow_engine(job: Job) -> Generator[SegmentProgress, None, Segmentation]:
    return (yield from fake_engine(job, pause=0.01))


def choices(widget: SegmentWidget) -> list[str]:
    return [widget.image.itemText(i) for i in range(widget.image.count())]


def names(viewer: ViewerModel) -> list[str]:
    return [layer.name for layer in viewer.layers]


def test_image_choice_follows_the_viewer(qtbot: QtBot, tmp_path: Path) -> None:
    viewer, widget = open_widget(qtbot, tmp_path)
    assert choices(widget) == ["No image layer"]
    assert not widget.image.isEnabled()
    first = viewer.add_image(make_ramp((8, 9)), name="first")
    second = viewer.add_image(make_ramp((8, 9)), name="second")
    viewer.add_points([[1, 2]])
    assert choices(widget) == ["second", "first"]
    viewer.layers.selection.active = first
    assert widget.image.value() is first
    viewer.layers["first"].name = "renamed"
    assert choices(widget) == ["second", "renamed"]
    assert widget.image.currentText() == "renamed"
    viewer.layers.remove(first)
    assert widget.image.value() is second


def test_one_press_gives_labels_and_sd(qtbot: QtBot, tmp_path: Path) -> None:
    viewer, widget = open_widget(qtbot, tmp_path)
    viewer.add_image(make_ramp((32, 40)), name="cells")
    widget.settings.setValue(SegmentConfig(samples=3, seed=7))
    run_to_end(qtbot, widget)
    assert names(viewer) == ["cells", "cells [tiny-2d] SD", "cells [tiny-2d] labels"]
    assert widget.progress.line.text() == "Done: 3 samples, 0.5 s on CPU, seed 7."
    assert widget.segment_button.isEnabled()
    assert not widget.cancel_button.isEnabled()
    assert widget.image.value() is viewer.layers[0]
    run_to_end(qtbot, widget)
    assert len(viewer.layers) == 3


def test_mean_map_is_added_on_request(qtbot: QtBot, tmp_path: Path) -> None:
    viewer, widget = open_widget(qtbot, tmp_path)
    viewer.add_image(make_ramp((32, 40)), name="cells")
    widget.mean.setChecked(True)
    run_to_end(qtbot, widget)
    assert names(viewer)[1:] == [f"cells [tiny-2d] {kind}" for kind in ("SD", "labels", "mean")]


def test_without_an_image_it_says_so(qtbot: QtBot, tmp_path: Path) -> None:
    _, widget = open_widget(qtbot, tmp_path)
    widget.segment_button.click()
    assert not widget.is_running
    assert "no image layer; open an image" in widget.message.text()


def test_without_a_model_it_says_so(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_ldseg._qt.models._picker.list_models", list)
    viewer = ViewerModel()
    viewer.add_image(make_ramp((8, 9)))
    widget = SegmentWidget(viewer)
    qtbot.addWidget(widget)
    widget.segment_button.click()
    assert "There is no model; choose one" in widget.message.text()


def test_pressed_twice_it_goes_on_with_the_first(qtbot: QtBot, tmp_path: Path) -> None:
    viewer, widget = open_widget(qtbot, tmp_path, slow_engine)
    viewer.add_image(make_ramp((32, 40)), name="cells")
    widget.settings.setValue(SegmentConfig(samples=2))
    with qtbot.waitSignal(widget.run_finished):
        widget.segment()
        widget.segment()
        assert "cancel it before you start another" in widget.progress.line.text()
    assert len(viewer.layers) == 3


def test_first_result_comes_before_the_end_and_cancel_keeps_it(qtbot: QtBot, tmp_path: Path) -> None:
    viewer, widget = open_widget(qtbot, tmp_path, slow_engine)
    viewer.add_image(make_ramp((32, 40)), name="cells")
    widget.settings.setValue(SegmentConfig(samples=1000))
    widget.segment_button.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 3)
    assert widget.is_running
    with qtbot.waitSignal(widget.run_finished) as finished:
        widget.cancel_button.click()
    samples = finished.args[0].result.samples
    assert widget.progress.line.text().startswith(f"Stopped after {samples} sample")
    assert np.all(viewer.layers[1].data == np.float32(1 / (samples + 1)))


@pytest.mark.parametrize(
    ("error", "text"),
    [(EngineError("Not enough memory"), "Not enough memory"), (RuntimeError("CUDA died"), "RuntimeError: CUDA died")],
)
def test_errors_in_the_thread_reach_the_user(qtbot: QtBot, tmp_path: Path, error: Exception, text: str) -> None:
    viewer, widget = open_widget(qtbot, tmp_path, lambda job: fake_engine(job, error=error))
    viewer.add_image(make_ramp((32, 40)), name="cells")
    before = len(notification_manager.records)
    run_to_end(qtbot, widget)
    assert widget.message.text() == text
    assert [record.message for record in notification_manager.records[before:]] == [text]
    assert widget.segment_button.isEnabled()
    assert len(viewer.layers) == 3


@pytest.mark.parametrize("index", [0, 1, 2])
def test_deleting_a_layer_during_a_run_is_safe(qtbot: QtBot, tmp_path: Path, index: int) -> None:
    viewer, widget = open_widget(qtbot, tmp_path, slow_engine)
    viewer.add_image(make_ramp((32, 40)), name="cells")
    widget.settings.setValue(SegmentConfig(samples=20))
    widget.segment_button.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 3)
    del viewer.layers[index]
    with qtbot.waitSignal(widget.run_finished) as finished:
        pass
    assert finished.args[0].error is None
    assert len(viewer.layers) == 2


def test_closing_the_dock_during_a_run_stops_it(qtbot: QtBot, make_napari_viewer: MakeViewer, tmp_path: Path) -> None:
    closed: list[bool] = []

    def watched(job: Job) -> Generator[SegmentProgress, None, Segmentation]:
        try:
            return (yield from slow_engine(job))
        finally:
            closed.append(True)

    viewer, widget = dock_widget(make_napari_viewer, tmp_path, watched)
    viewer.add_image(make_ramp((32, 40)), name="cells")
    widget.settings.setValue(SegmentConfig(samples=1000))
    widget.segment_button.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 3)
    viewer.window.remove_dock_widget(widget)
    widget.deleteLater()
    del widget
    qtbot.waitUntil(lambda: closed == [True])
    viewer.add_image(make_ramp((8, 9)))
    viewer.layers.selection.active = viewer.layers[0]


def test_frames_are_asked_for_only_where_there_are_some(qtbot: QtBot, tmp_path: Path) -> None:
    viewer, widget = open_widget(qtbot, tmp_path)
    flat = viewer.add_image(make_ramp((32, 40)), name="flat")
    assert widget.frames.isHidden()
    viewer.add_image(make_ramp((6, 32, 40)), name="stack")
    assert not widget.frames.isHidden()
    assert widget.frames.itemText(1) == "All 6 frames"
    widget.settings.setValue(SegmentConfig(samples=1))
    run_to_end(qtbot, widget)
    assert viewer.layers["stack [tiny-2d] labels"].data.shape == (1, 32, 40)
    widget.frames.setCurrentIndex(1)
    run_to_end(qtbot, widget)
    assert viewer.layers["stack [tiny-2d] labels [1]"].data.shape == (6, 32, 40)
    viewer.layers.selection.active = flat
    assert widget.frames.isHidden()


def nan_float() -> Any:
    array = make_ramp((32, 40), np.float32) / 251
    array[:3] = np.nan
    return array


KINDS: dict[str, tuple[Any, dict[str, Any]]] = {
    "gray": (make_ramp((32, 40)), {}),
    "uint16": (make_ramp((32, 40), np.uint16), {}),
    "rgb": (make_ramp((32, 40, 3)), {"rgb": True}),
    "rgba": (make_ramp((32, 40, 4)), {"rgb": True}),
    "stack": (make_ramp((3, 32, 40)), {"scale": (4, 1, 1)}),
    "nan": (nan_float(), {}),
    "constant": (np.full((32, 40), 7, np.uint8), {}),
    "turned": (make_ramp((32, 40, 3)), {"rgb": True, "scale": (0.5, 2), "rotate": 40, "translate": (9, -4)}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_real_engine_segments_layers_of_each_kind(qtbot: QtBot, tmp_path: Path, kind: str) -> None:
    viewer, widget = open_widget(qtbot, tmp_path, engine)
    array, options = KINDS[kind]
    layer = viewer.add_image(array, name="cells", **options)
    widget.frames.setCurrentIndex(1)
    widget.settings.setValue(SegmentConfig(samples=2, steps=2))
    outcome = run_to_end(qtbot, widget)
    assert outcome.error is None
    sd, labels = viewer.layers[1:]
    for result in (labels, sd):
        assert result.data.shape == array.shape[: layer.ndim]
        np.testing.assert_allclose(result.extent.world, layer.extent.world)
        np.testing.assert_allclose(result.rotate, layer.rotate)
    assert np.isfinite(sd.data).all()
    assert set(np.unique(labels.data)) <= {0, 1}


@pytest.mark.parametrize(
    ("array", "options", "match"),
    [
        (make_ramp((5, 32, 40)), {"axis_labels": ("c", "y", "x")}, "has 5 channels, but the model"),
        (np.full((32, 40), np.nan, np.float32), {}, "has no finite pixel"),
        (make_ramp((4, 40)), {}, "at least 8 along each side"),
    ],
)
def test_the_real_engine_refuses_in_words(
    qtbot: QtBot, tmp_path: Path, array: Any, options: dict[str, Any], match: str
) -> None:
    viewer, widget = open_widget(qtbot, tmp_path, engine)
    viewer.add_image(array, name="cells", contrast_limits=(0, 1), **options)
    # What can be told from the shape alone is refused at once, and said before.
    if match in widget.reading.warning.text():
        widget.segment_button.click()
        assert not widget.is_running
    else:
        run_to_end(qtbot, widget)
    assert match in widget.message.text()
    assert len(viewer.layers) == 1


class Heartbeat:
    """The gaps between beats of the event loop, in milliseconds."""

    def __init__(self) -> None:
        self._beats: list[float] = []
        self._timer = QTimer()
        self._timer.timeout.connect(lambda: self._beats.append(time.perf_counter()))

    def __enter__(self) -> "Heartbeat":
        self._timer.start(10)
        return self

    def __exit__(self, *error: object) -> None:
        self._timer.stop()

    @property
    def gaps(self) -> Any:
        return 1000 * np.array([b - a for a, b in pairwise(self._beats)])


def busy_engine(job: Job) -> Generator[SegmentProgress, None, Segmentation]:
    """Keep the processor busy between the steps, in torch (without Python's lock) and in Python (with it)."""
    import torch

    matrix = torch.rand(300, 300)
    steps = fake_engine(job)
    while True:
        for _ in range(3):
            matrix = (matrix @ matrix).clamp(0, 1)
            sum(i * i for i in range(2_000))
        try:
            yield next(steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


def clear_results(qtbot: QtBot, viewer: Viewer) -> None:
    """Remove all but the image, one by one: napari 0.9.2 draws freed buffers after several were deleted at once."""
    while len(viewer.layers) > 1:
        viewer.layers.pop()
        qtbot.wait(100)


def napari_beside(qtbot: QtBot, viewer: Viewer, run: Run) -> float:
    """The longest gap in milliseconds while napari alone adds and draws two layers, beside the same engine."""
    run.start()
    with Heartbeat() as heart:
        for add in (viewer.add_labels, viewer.add_image):
            add(np.zeros((512, 512), np.uint8))
            qtbot.wait(300)
    with qtbot.waitSignal(run.finished):
        run.stop()
    clear_results(qtbot, viewer)
    return float(heart.gaps.max())


@pytest.mark.slow
@pytest.mark.parametrize("run_engine", [busy_engine, engine], ids=["busy", "real"])
def test_the_viewer_never_freezes(
    qtbot: QtBot, make_napari_viewer: MakeViewer, tmp_path: Path, run_engine: Any
) -> None:
    """No gap of 100 ms in the event loop, or none longer than napari itself takes to add a layer here and now.

    What blocks the event loop does so each time; another process on the machine does not: the best of three runs.
    """
    viewer, widget = dock_widget(make_napari_viewer, tmp_path, run_engine, show=True)
    picture = make_ramp((512, 512, 3))
    viewer.add_image(picture, rgb=True, name="cells")
    qtbot.wait(300)
    widget.settings.setValue(SegmentConfig(samples=200))
    plan = plan_image(Picture(picture, "yxc"), make_tiny_config(2), SegmentConfig(samples=10_000))
    endless = Job(plan, save_tiny(tmp_path))
    found = []
    for _ in range(3):
        allowed = max(100, 2.5 * napari_beside(qtbot, viewer, Run(run_engine, endless)))
        with Heartbeat() as heart:
            run_to_end(qtbot, widget)
            qtbot.wait(100)
        assert len(viewer.layers) == 3
        assert len(heart.gaps) > 20
        clear_results(qtbot, viewer)
        found.append((np.percentile(heart.gaps, 95), heart.gaps.max() / allowed))
        if found[-1][0] < 100 and found[-1][1] < 1:
            return
    pytest.fail(f"95th percentile (ms) and longest gap over the allowed one, in each run: {found}")
