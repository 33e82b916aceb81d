"""Choosing a model, and what its card says in short."""

import re
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog, QMessageBox

from ..._qt import SegmentWidget, TrainWidget
from ..._qt.models._events import MODELS
from ..._qt.models._library_dialog import ManageDialog
from ..._qt.models._picker import CHOOSE, MANAGE, NO_MODEL, OPEN, OPEN_KERAS, ModelPicker, describe
from ..._util import Progress
from ...checkpoints import ModelEntry, save_model
from ...config import InputConfig, ModelConfig
from ...errors import CheckpointError
from ..builders import make_tiny_model
from ..checkpoints.test_hub import offer, write_index
from ..keras_builders import write_release
from ..qt_fixtures import save_tiny


@pytest.fixture
def picker(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModelPicker:
    """A picker that finds only the user's models."""
    monkeypatch.setattr("napari_ldseg.checkpoints._registry.released_folder", lambda: tmp_path / "none")
    widget = ModelPicker()
    qtbot.addWidget(widget)
    return widget


def texts(picker: ModelPicker) -> list[str]:
    return [text for i in range(picker.combo.count()) if (text := picker.combo.itemText(i))]


def test_without_models_the_card_says_where_they_belong(picker: ModelPicker, user_models: Path) -> None:
    assert texts(picker) == [NO_MODEL, OPEN, OPEN_KERAS, MANAGE]
    assert picker.value() is None
    assert str(user_models) in picker.card.text()


def test_new_models_appear_and_the_choice_stays(picker: ModelPicker, user_models: Path, tmp_path: Path) -> None:
    picker.setValue(save_tiny(tmp_path))
    chosen = picker.value()
    save_tiny(user_models)
    picker.refresh()
    assert texts(picker) == ["tiny", "tiny-2d", OPEN, OPEN_KERAS, MANAGE]
    assert picker.value() == chosen


def test_a_model_that_is_gone_is_not_replaced_silently(
    qtbot: QtBot, picker: ModelPicker, user_models: Path, tmp_path: Path
) -> None:
    path = save_tiny(user_models)
    save_model(make_tiny_model(2), user_models / "other.safetensors", "# Other")
    picker.refresh()
    picker.setValue("tiny")
    path.unlink()
    with qtbot.waitSignal(picker.changed):
        MODELS.changed.emit()
    for _ in range(2):  # said until one is chosen
        assert picker.value() is None
        assert (picker.combo.currentText(), texts(picker)[:2]) == (CHOOSE, [CHOOSE, "other"])
        assert picker.card.text() == "The model 'tiny' was deleted or moved; choose another one."
        picker.combo.activated.emit(0)
        picker.refresh()
    picker.combo.activated.emit(picker.combo.findText("other"))
    assert (picker.combo.currentText(), texts(picker)) == ("other", ["other", OPEN, OPEN_KERAS, MANAGE])
    assert "was deleted" not in picker.card.text()
    (user_models / "other.safetensors").unlink()
    picker.refresh()
    assert picker.combo.currentText() == NO_MODEL
    assert "'other' was deleted" in picker.card.text()
    assert str(user_models) in picker.card.text()


def test_a_file_is_opened(qtbot: QtBot, picker: ModelPicker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_tiny(tmp_path)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    with qtbot.waitSignal(picker.changed):
        picker.combo.activated.emit(picker.combo.findText(OPEN))
    entry = picker.value()
    assert entry is not None
    assert entry.path == path.resolve()
    assert picker.combo.currentText() == "tiny-2d"


def test_a_file_that_is_no_model_is_refused(
    qtbot: QtBot, picker: ModelPicker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no model")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    with qtbot.waitSignal(picker.failed) as failed:
        picker.combo.activated.emit(picker.combo.findText(OPEN))
    assert isinstance(failed.args[0], CheckpointError)
    assert picker.combo.currentText() == NO_MODEL


@pytest.mark.parametrize("way", ["folder", "file"])
def test_a_keras_folder_is_imported_into_the_user_s_models(
    qtbot: QtBot, picker: ModelPicker, user_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    folder = write_release(tmp_path / "release2d", 2)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(folder))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(folder / "denoiser.hdf5"), ""))
    for _ in range(2):  # the second time it is found again
        with qtbot.waitSignal(picker.combo.activated, timeout=1000):
            picker.combo.activated.emit(picker.combo.findText(OPEN_KERAS if way == "folder" else OPEN))
        assert not picker.combo.isEnabled()
        assert picker.card.text() == "Importing release2d…"
        qtbot.waitUntil(picker.combo.isEnabled, timeout=60_000)
    entry = picker.value()
    assert entry is not None
    assert entry.path == user_models / "release2d" / "model.safetensors"
    assert texts(picker) == ["release2d", OPEN, OPEN_KERAS, MANAGE]
    assert "Default: ldseg-release, 15 steps" in picker.card.text()


def test_a_folder_of_the_same_name_gets_a_number(
    qtbot: QtBot, picker: ModelPicker, user_models: Path, tmp_path: Path
) -> None:
    for parent, ndim in (("a", 2), ("b", 3)):
        picker.open_path(write_release(tmp_path / parent / "release", ndim))
        qtbot.waitUntil(picker.combo.isEnabled, timeout=60_000)
    assert sorted(path.name for path in user_models.iterdir()) == ["release", "release-2"]


@pytest.mark.parametrize(
    ("fault", "said"), [("missing", r"lacks denoiser\*\.hdf5"), ("damaged", "cannot be read as a Keras HDF5")]
)
def test_a_keras_folder_that_is_no_model_says_why(
    qtbot: QtBot, picker: ModelPicker, user_models: Path, tmp_path: Path, fault: str, said: str
) -> None:
    folder = write_release(tmp_path / "release2d", 2)
    if fault == "missing":
        (folder / "denoiser.hdf5").unlink()
    else:
        (folder / "denoiser.hdf5").write_bytes(b"nothing")
    with qtbot.waitSignal(picker.failed, timeout=60_000) as failed:
        picker.open_path(folder)
    assert isinstance(failed.args[0], CheckpointError)
    assert re.search(said, str(failed.args[0]))
    assert picker.combo.isEnabled()
    assert picker.combo.currentText() == NO_MODEL
    assert not list(user_models.iterdir())


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (InputConfig(shape=(256, 320)), "Input: RGB, 2D, whole image fitted to 256 x 320"),
        (
            InputConfig(mode="spacing", spacing=(0.5, 0.5)),
            "Input: RGB, 2D, 0.5 x 0.5 micrometer pixels",
        ),
    ],
)
def test_card_in_short(given: InputConfig, line: str) -> None:
    config = ModelConfig(name="glas", title="Glands", score="DSC 0.91", input=given)
    entry = ModelEntry("glas", Path("model.safetensors"), config.title, config.score, config, bundled=True)
    assert describe(entry).splitlines() == ["Glands", "Score: DSC 0.91", line, "Default: dpm-solver++, 10 steps"]


def test_the_model_follows_the_kind_of_image_until_one_is_chosen(
    qtbot: QtBot, picker: ModelPicker, user_models: Path
) -> None:
    assert picker.value() is None  # no released models here
    for name, ndim, channels in (("a-echo", 2, 1), ("b-slides", 2, 3), ("c-volumes", 3, 1)):
        save_model(make_tiny_model(ndim, image_channels=channels), user_models / f"{name}.safetensors", f"# {name}\n")
    viewer = ViewerModel()
    widget = SegmentWidget(viewer)
    qtbot.addWidget(widget)

    def shown() -> str:
        entry = widget.model.value()
        assert entry is not None
        return entry.path.stem

    viewer.add_image(np.zeros((32, 32, 3), np.uint8), name="slide")
    assert shown() == "b-slides"
    viewer.add_image(np.zeros((4, 32, 32), np.uint8), name="cine", axis_labels=("t", "y", "x"))
    assert shown() == "a-echo"
    viewer.add_image(np.zeros((16, 32, 32), np.uint8), name="volume")
    assert shown() == "c-volumes"
    viewer.add_image(np.zeros((8, 32, 32, 3), np.uint8), rgb=True, name="slides")  # plane by plane
    assert shown() == "b-slides"
    widget.model.setValue("c-volumes")
    viewer.layers.selection.active = viewer.layers["slide"]
    assert shown() == "c-volumes"


def test_train_proposes_the_base_model_that_suits_the_image(
    qtbot: QtBot, picker: ModelPicker, user_models: Path
) -> None:
    assert picker.value() is None  # no released models here
    for name, ndim, channels in (("a-echo", 2, 1), ("b-slides", 2, 3)):
        save_model(make_tiny_model(ndim, image_channels=channels), user_models / f"{name}.safetensors", f"# {name}\n")
    viewer = ViewerModel()
    train = TrainWidget(viewer)
    qtbot.addWidget(train)
    with qtbot.waitSignal(train.looked, timeout=20_000):
        pass
    proposed = []
    for shape in ((32, 32, 3), (40, 40)):
        viewer.add_image(np.zeros(shape, np.uint8))
        entry = train.page.model.value()
        assert entry is not None
        proposed.append((entry.path.stem, train.page.name.text()))
    assert proposed == [("b-slides", "b-slides-tuned"), ("a-echo", "a-echo-tuned")]
    # A name that was typed stays, until a model is called that.
    for typed, left in (("mine", "mine"), ("a-echo", "b-slides-tuned")):
        train.page.name.selectAll()
        QTest.keyClicks(train.page.name, typed)
        for name in ("a-echo", "b-slides"):
            train.page.model.setValue(name)
        assert train.page.name.text() == left


@pytest.mark.parametrize("answer", [QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No])
def test_a_model_is_downloaded_where_its_terms_are_agreed_to(
    qtbot: QtBot,
    tmp_path: Path,
    picker: ModelPicker,
    monkeypatch: pytest.MonkeyPatch,
    answer: QMessageBox.StandardButton,
) -> None:
    save_tiny(tmp_path)
    write_index(tmp_path, offer(tmp_path / "tiny.safetensors", commercial=False))
    monkeypatch.setenv("NAPARI_LDSEG_INDEX", str(tmp_path))
    asked: list[str] = []

    def ask(_: object, title: str, text: str) -> QMessageBox.StandardButton:
        asked.append(text)
        return answer

    monkeypatch.setattr(QMessageBox, "question", ask)
    picker.refresh()
    index = next(i for i in range(picker.combo.count()) if picker.combo.itemText(i).startswith("nuclei (download"))
    picker.combo.activated.emit(index)
    assert "CC BY-NC 4.0: no commercial use" in asked[0]
    if answer == QMessageBox.StandardButton.No:
        assert picker.download.isHidden()
        return
    qtbot.waitUntil(lambda: picker.value() is not None)
    assert picker.combo.currentText() == "nuclei"
    assert "Terms: CC BY-NC 4.0" in picker.card.text()
    assert picker.combo.isEnabled()


def test_a_download_can_be_cancelled_and_a_failure_is_said(
    qtbot: QtBot, tmp_path: Path, picker: ModelPicker, monkeypatch: pytest.MonkeyPatch
) -> None:
    going = threading.Event()

    def fetch(name: str, report: Callable[[Progress], object]) -> None:
        if name == "broken":
            raise CheckpointError("No network.")
        while True:
            report(Progress(1, 2, "half"))
            going.set()

    monkeypatch.setattr("napari_ldseg._qt.models._download.fetch_model", fetch)
    save_tiny(tmp_path)
    one = offer(tmp_path / "tiny.safetensors", commercial=True)
    with qtbot.waitSignal(picker.download.ended) as ended:
        assert picker.download.start(one)
        assert not picker.download.start(one)  # one at a time
        going.wait(10)
        picker.download.cancel_button.click()
    assert ended.args[0].stopped
    with qtbot.waitSignal(picker.failed) as failed:
        picker.download.start(one.replace(name="broken"))
    assert str(failed.args[0]) == "No network."


@pytest.mark.slow
def test_a_model_is_packed_for_other_programs(
    qtbot: QtBot, user_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_tiny(user_models)
    picker = ModelPicker()
    qtbot.addWidget(picker)
    dialog = ManageDialog(picker)
    dialog.select("tiny")
    chosen = (str(tmp_path / "a"), "bioimage.io package (*.zip)")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: chosen)
    with qtbot.waitSignal(dialog.packed, timeout=60_000):
        dialog.buttons["Export…"].click()
    assert "segmenter.pt" in zipfile.ZipFile(tmp_path / "a.zip").namelist()
    assert "a.zip" in dialog.note.text()
