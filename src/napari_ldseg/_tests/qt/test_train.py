"""The Train widget with a real training process; adding to a training set; the whole loop in a real viewer."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.viewer import Viewer
from pytestqt.qtbot import QtBot

from ..._qt import SegmentWidget, TrainWidget
from ..._qt.threads._segmentation import engine
from ..._qt.train._run import PREDICTED, REFERENCE, Ended, read_preview
from ..._qt.training_set._annotations import parse_frames, read_annotations
from ...checkpoints import list_models, read_header
from ...config import SegmentConfig, TrainConfig
from ...data import read_image, read_labels
from ...datasets import TrainingSet
from ...errors import InputError
from ..builders import make_ramp
from ..qt_fixtures import add_result, run_to_end, save_tiny
from ..training_builders import make_set
from .test_segment import Heartbeat

PATIENCE = 120_000
MakeViewer = Callable[..., Viewer]


@pytest.fixture
def widget(qtbot: QtBot, user_models: Path, tmp_path: Path) -> Iterator[TrainWidget]:
    """A widget for a viewer without a window, with a tiny model and a small set; its process does not outlive it."""
    save_tiny(user_models)
    train = open_train(qtbot, ViewerModel(), make_set(tmp_path / "set", images=3).folder)
    yield train
    if train.is_running:
        with qtbot.waitSignal(train.train_finished, timeout=PATIENCE):
            train.cancel()


def open_train(qtbot: QtBot, viewer: Any, folder: Path) -> TrainWidget:
    train = TrainWidget(viewer)
    qtbot.addWidget(train)
    train.page.model.setValue("tiny")
    train.page.dataset.setValue(folder)
    quick = TrainConfig.for_fine_tuning(validate_every=4, validation=0.3, validation_samples=1, batch=2, device="cpu")
    train.page.more.setValue(quick)
    train.page.learn.setValue(quick.replace(learn="denoiser"))
    return train


def start(qtbot: QtBot, train: TrainWidget, minutes: float = 100) -> None:
    """Start, and wait for the second validation."""
    train.page.budget.setValue(minutes)
    train.page.start.click()
    assert train.page.message.text() == ""
    qtbot.waitUntil(lambda: len(train.page.curves.points("validation")) >= 2, timeout=PATIENCE)


def end(qtbot: QtBot, train: TrainWidget, act: Callable[[], object]) -> Ended:
    with qtbot.waitSignal(train.train_finished, timeout=PATIENCE) as finished:
        act()
    ended: Ended = finished.args[0]
    return ended


@pytest.mark.slow
def test_stopped_it_gives_a_model_that_every_list_shows(qtbot: QtBot, widget: TrainWidget, user_models: Path) -> None:
    segment = SegmentWidget(ViewerModel())
    qtbot.addWidget(segment)
    before = (user_models / "tiny.safetensors").read_bytes()
    assert widget.page.name.text() == "tiny-tuned"
    start(qtbot, widget)
    assert widget.page.preview.shape() is not None
    assert "left" in widget.page.progress.line.text()
    assert "GB" in widget.page.progress.line.text()
    assert "2 images of 2 groups are trained on" in widget.page.notes.text()
    assert not widget.page.start.isEnabled()
    ended = end(qtbot, widget, widget.page.stop.click)
    assert ended.state == "done"
    assert sorted(entry.name for entry in list_models() if not entry.bundled) == ["tiny", "tiny-tuned"]
    segment.model.setValue("tiny-tuned")
    assert segment.model.combo.currentText() == "tiny-tuned"
    assert "tiny-2d" in read_header(user_models / "tiny-tuned").card
    assert (user_models / "tiny.safetensors").read_bytes() == before
    assert not list((user_models.parent / f"{user_models.name}_runs").iterdir())
    assert widget.page.name.text() == "tiny-tuned-2"


@pytest.mark.slow
def test_killed_by_9_it_says_so_and_goes_on_in_another_window(qtbot: QtBot, widget: TrainWidget) -> None:
    start(qtbot, widget)
    assert widget.process is not None
    pid = widget.process.pid
    assert pid is not None
    ended = end(qtbot, widget, lambda: os.kill(pid, signal.SIGKILL))
    assert ended.state == "killed"
    assert "killed" in widget.page.message.text()
    assert widget.page.start.isEnabled()
    assert widget._left is not None
    again = TrainWidget(ViewerModel())
    qtbot.addWidget(again)
    qtbot.waitUntil(lambda: not again.page.offer.isHidden(), timeout=PATIENCE)
    assert "'tiny-tuned' was not finished" in again.page.offer._label.text()
    again.page.offer.resume.click()
    qtbot.waitUntil(lambda: len(again.page.curves.points("validation")) >= 3, timeout=PATIENCE)
    assert end(qtbot, again, again.page.stop.click).state == "done"


@pytest.mark.slow
def test_cancelled_it_leaves_nothing(qtbot: QtBot, widget: TrainWidget, user_models: Path) -> None:
    widget.page.start.click()
    assert end(qtbot, widget, widget.page.cancel.click).state == "cancelled"
    assert [path.name for path in user_models.iterdir()] == ["tiny.safetensors"]
    assert not list((user_models.parent / f"{user_models.name}_runs").iterdir())


def test_what_cannot_be_trained_is_said_before_anything_starts(
    qtbot: QtBot, widget: TrainWidget, tmp_path: Path
) -> None:
    widget.page.name.setText("tiny")
    widget.page.start.click()
    assert "a model named 'tiny' already" in widget.page.message.text()
    widget.page.dataset.setValue(tmp_path / "nothing")
    widget.page.start.click()
    assert "The training set is empty" in widget.page.message.text()
    assert not widget.is_running


def painted(viewer: ViewerModel, frames: int = 0) -> tuple[Any, Any]:
    """An image of three boxes and its result, in which one pixel was painted."""
    labels = add_result(viewer, frames)
    picture = make_ramp((*(frames,) * bool(frames), 30, 60, 3))
    image = viewer.add_image(picture, rgb=True, scale=labels.scale, units=labels.units, name="slide")
    place = (1,) * bool(frames) + (2, 3)
    labels.data_setitem(tuple(np.array([at]) for at in place), np.array([1], np.uint8))
    return image, labels


def test_what_a_person_touched_and_which_model_came_before_is_kept(qtbot: QtBot, tmp_path: Path) -> None:
    viewer = ViewerModel()
    train = TrainWidget(viewer)
    qtbot.addWidget(train)
    image, labels = painted(viewer)
    train.page.dataset.setValue(tmp_path / "new")
    for _ in range(2):
        with qtbot.waitSignal(train.page.add.added, timeout=PATIENCE):
            train.page.add.button.click()
    (entry,) = TrainingSet(tmp_path / "new").entries()
    assert (entry.source, entry.model, entry.touched) == ("slide", "fake", 1 / 1800)
    assert np.array_equal(read_image(entry.image).array, image.data)
    assert np.array_equal(read_labels(entry.labels).array, labels.data)
    assert "in the training set already" in train.page.add.message.text()
    assert train.page.add.count.text() == "Added 0 images. The training set has 1 image of 1 source."


@pytest.mark.parametrize(("chosen", "numbers"), [("current", [2]), ("all", [0, 1, 2]), ([0, 1], [0, 1])])
def test_frames_of_one_layer_are_one_source(chosen: Any, numbers: list[int]) -> None:
    image, labels = painted(ViewerModel(), frames=3)
    found = read_annotations(image, labels, 2, chosen, (2.0, 0.0, 0.0))
    assert [one.source for one in found] == [f"slide [frame {number}]" for number in numbers]
    assert {one.group for one in found} == {"slide"}
    for one, number in zip(found, numbers, strict=True):
        assert np.array_equal(one.image.array, image.data[number])
        assert np.array_equal(one.labels, labels.data[number])
        assert one.touched is not None
        assert one.touched.sum() == (number == 1)


def test_the_frame_that_is_shown_is_added_in_a_viewer_of_other_units(
    qtbot: QtBot, user_models: Path, tmp_path: Path
) -> None:
    save_tiny(user_models)
    viewer = ViewerModel()
    viewer.add_image(np.zeros((3, 30, 60)), scale=(1000,) * 3, units=("um",) * 3)
    image = viewer.add_image(make_ramp((3, 30, 60)), units=("mm",) * 3, name="slide")
    labels = viewer.add_labels(np.ones((3, 30, 60), np.uint8), units=("mm",) * 3)
    train = open_train(qtbot, viewer, tmp_path / "new")
    train.page.add.image.setValue(image)
    train.page.add.labels.setValue(labels)
    viewer.dims.set_point(0, 1000)
    with qtbot.waitSignal(train.page.add.added, timeout=PATIENCE):
        train.page.add.button.click()
    assert [entry.source for entry in TrainingSet(tmp_path / "new").entries()] == ["slide [frame 1]"]


def test_labels_of_one_frame_in_other_units_belong_to_their_frame() -> None:
    viewer = ViewerModel()
    image = viewer.add_image(make_ramp((3, 30, 60)), units=("mm",) * 3, name="slide")
    place = {"scale": (1000,) * 3, "translate": (1000, 0, 0), "units": ("um",) * 3}
    labels = viewer.add_labels(np.ones((1, 30, 60), np.uint8), **place)
    (found,) = read_annotations(image, labels, 2, "current", (0, 0, 0))
    assert found.source == "slide [frame 1]"


def test_labels_that_do_not_lie_on_the_image_are_refused() -> None:
    viewer = ViewerModel()
    image, labels = painted(viewer)
    other = viewer.add_labels(np.ones((30, 61), np.uint8), name="other")
    with pytest.raises(InputError, match=r"'other' have the shape \(30, 61\)"):
        read_annotations(image, other, 2, "all", (0, 0))
    deep, _ = painted(ViewerModel(), frames=3)
    with pytest.raises(InputError, match="of one frame"):
        read_annotations(deep, labels, 2, "all", (0, 0, 0))


def test_frames_in_words() -> None:
    assert parse_frames("7, 0-2") == [0, 1, 2, 7]
    with pytest.raises(InputError, match="'a' is not a frame"):
        parse_frames("1, a")


def test_the_preview_outlines_model_and_reference(tmp_path: Path) -> None:
    boxes = np.zeros((2, 240, 240), np.uint8)
    boxes[0, 50:100, 50:100] = boxes[1, 150:200, 150:200] = 1
    np.savez(tmp_path / "p.npz", image=np.zeros((240, 240), np.float32), labels=boxes[0], reference=boxes[1])
    picture = read_preview(tmp_path / "p.npz")
    assert picture is not None
    assert tuple(picture[50, 70]) == PREDICTED
    assert tuple(picture[150, 170]) == REFERENCE
    assert tuple(picture[70, 70]) == (0, 0, 0)
    assert read_preview(tmp_path / "none.npz") is None


@pytest.mark.slow
def test_correct_it_teach_it_and_segment_again(
    qtbot: QtBot, make_napari_viewer: MakeViewer, user_models: Path, tmp_path: Path
) -> None:
    """The whole loop in a real viewer, whose event loop goes on while the model learns."""
    save_tiny(user_models)
    viewer = make_napari_viewer(show=True)
    viewer.open_sample("napari-ldseg", "colon_gland")
    segment = SegmentWidget(viewer, engine)
    viewer.window.add_dock_widget(segment, name="Segment (LDSeg)", area="right")
    segment.model.setValue("tiny")
    segment.settings.setValue(SegmentConfig(samples=2, steps=2))
    assert run_to_end(qtbot, segment).error is None
    labels = next(layer for layer in viewer.layers if layer.name.endswith("labels"))
    labels.brush_size = 40
    labels.paint((200, 200), 1)
    labels.paint((300, 300), 0)
    train = open_train(qtbot, viewer, tmp_path / "set")
    viewer.window.add_dock_widget(train, name="Train (LDSeg)", area="right")
    assert train.page.add.labels.value() is labels
    with qtbot.waitSignal(train.page.add.added, timeout=PATIENCE):
        train.page.add.button.click()
    assert train.page.add.message.text() == ""
    (entry,) = TrainingSet(tmp_path / "set").entries()
    assert entry.touched is not None
    assert 0 < entry.touched < 0.01
    train.page.budget_unit.setCurrentIndex(1)
    train.page.budget.setValue(4)
    # The longest gap without any training, here and now, is what training is compared with.
    with Heartbeat() as idle:
        qtbot.wait(1500)
    with Heartbeat() as heart:
        ended = end(qtbot, train, train.page.start.click)
    assert ended.state == "done", ended
    assert np.percentile(heart.gaps, 95) < max(100, 3 * np.percentile(idle.gaps, 95))
    segment.model.setValue("tiny-tuned")
    assert run_to_end(qtbot, segment).error is None
    assert any("[tiny-tuned] labels" in layer.name for layer in viewer.layers)


def test_a_set_goes_to_nnunet_and_comes_back(qtbot: QtBot, widget: TrainWidget, tmp_path: Path) -> None:
    train, made = widget, TrainingSet(tmp_path / "set")
    out = tmp_path / "Dataset007_Cells"
    train.page.dataset.exported.emit(out)
    qtbot.waitUntil(lambda: "3 cases written" in train.page.add.count.text(), timeout=PATIENCE)
    assert len(list((out / "imagesTr").iterdir())) == 3
    train.page.dataset.setValue(tmp_path / "again")
    with qtbot.waitSignal(train.page.add.added, timeout=PATIENCE):
        train.page.dataset.imported.emit(out)
    again = TrainingSet(tmp_path / "again")
    assert sorted(entry.id for entry in again.entries()) == sorted(entry.id for entry in made.entries())
    with qtbot.waitSignal(train.page.add.added, timeout=PATIENCE):
        train.page.dataset.imported.emit(tmp_path)
    assert "dataset.json" in train.page.add.message.text()
