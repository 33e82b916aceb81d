"""Taking in, renaming, deleting and handing out the user's models: files, and the window."""

from pathlib import Path

import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDesktopServices, QDragEnterEvent, QDropEvent, QImage
from qtpy.QtWidgets import QApplication, QFileDialog, QInputDialog, QMessageBox

from ..._qt import FolderWidget, SegmentWidget, TrainWidget
from ..._qt.models._library_dialog import Card, ManageDialog
from ..._qt.models._picker import MANAGE, ModelPicker
from ...checkpoints import (
    ModelEntry,
    delete_model,
    export_model,
    install_model,
    list_models,
    load_model,
    read_header,
    rename_model,
)
from ...errors import CheckpointError
from ..qt_fixtures import save_tiny


def own() -> dict[str, ModelEntry]:
    return {entry.name: entry for entry in list_models() if not entry.bundled}


def bundled() -> ModelEntry:
    return next(entry for entry in list_models() if entry.bundled)


def test_a_file_is_taken_in_with_its_card_and_twice_under_a_number(tmp_path: Path, user_models: Path) -> None:
    path = save_tiny(tmp_path)
    assert [install_model(path).name for _ in range(2)] == ["tiny-2d", "tiny-2d-2"]
    assert (user_models / "tiny-2d" / "README.md").read_text() == "# Tiny"
    assert load_model("tiny-2d").sha256 == load_model(path).sha256
    with pytest.raises(CheckpointError, match="already"):
        install_model(path, "tiny-2d")
    with pytest.raises(CheckpointError, match="already"):
        install_model(path, "GLAS")
    assert sorted(one.name for one in user_models.iterdir()) == ["tiny-2d", "tiny-2d-2"]


@pytest.mark.parametrize("way", ["file", "folder"])
def test_renamed_and_deleted(tmp_path: Path, user_models: Path, way: str) -> None:
    if way == "file":
        save_tiny(user_models)
    else:
        install_model(save_tiny(tmp_path), "tiny")
    assert read_header(rename_model(own()["tiny"], "mine")).config.name == "tiny-2d"
    assert list(own()) == ["mine"]
    with pytest.raises(CheckpointError, match="cannot be a model's name"):
        rename_model(own()["mine"], "../mine")
    delete_model(own()["mine"])
    assert not list(user_models.iterdir())


def test_released_models_and_files_elsewhere_stay(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="came with napari-ldseg and cannot be deleted"):
        delete_model(bundled())
    path = save_tiny(tmp_path)
    config = read_header(path).config
    with pytest.raises(CheckpointError, match="outside your models folder"):
        delete_model(ModelEntry("tiny", path, "", "", config, bundled=False))
    assert path.exists()
    assert bundled().path.exists()


def test_handed_out_as_one_file(tmp_path: Path, user_models: Path) -> None:
    save_tiny(user_models)
    path = export_model(own()["tiny"], tmp_path / "mine.v2")
    assert path.name == "mine.v2.safetensors"
    assert path.read_bytes() == (user_models / "tiny.safetensors").read_bytes()
    with pytest.raises(CheckpointError, match="cannot be written"):
        export_model(own()["tiny"], path / "no" / "folder")


def drop(target: object, path: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    how = (Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(target, QDragEnterEvent(QPoint(5, 5), *how))
    QApplication.sendEvent(target, QDropEvent(QPointF(5, 5), *how))


def test_a_dropped_file_is_taken_in_by_every_picker(qtbot: QtBot, tmp_path: Path, user_models: Path) -> None:
    pickers = [ModelPicker(), ModelPicker()]
    for picker in pickers:
        qtbot.addWidget(picker)
    drop(pickers[0], save_tiny(tmp_path))
    chosen = pickers[0].value()
    assert chosen is not None
    assert chosen.path == user_models / "tiny-2d" / "model.safetensors"
    assert pickers[1].combo.findText("tiny-2d") >= 0
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"nothing")
    with qtbot.waitSignal(pickers[0].failed) as failed:
        drop(pickers[0], broken)
    assert isinstance(failed.args[0], CheckpointError)


def test_the_window(qtbot: QtBot, tmp_path: Path, user_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picker = ModelPicker()
    qtbot.addWidget(picker)
    dialog = ManageDialog(picker)
    dialog.select(bundled().name)
    assert not dialog.buttons["Delete…"].isEnabled()
    assert dialog.buttons["Export…"].isEnabled()
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(save_tiny(tmp_path)), ""))
    dialog.take_in()
    dialog.select("tiny-2d")
    assert dialog.card.toPlainText() == "Tiny"
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, **__: ("mine", True))
    dialog.rename()
    assert list(own()) == ["mine"]
    assert picker.combo.findText("mine") >= 0
    for answer, left in ((QMessageBox.StandardButton.No, ["mine"]), (QMessageBox.StandardButton.Yes, [])):
        dialog.select("mine")
        monkeypatch.setattr(QMessageBox, "question", lambda *_, answer=answer: answer)
        dialog.delete()
        assert list(own()) == left


@pytest.mark.parametrize("way", ["file", "folder"])
def test_pickers_follow_a_model_to_its_new_name(
    qtbot: QtBot, tmp_path: Path, user_models: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    if way == "file":
        save_tiny(user_models)
    else:
        install_model(save_tiny(tmp_path), "tiny")
    pickers = [ModelPicker(), ModelPicker(), ModelPicker()]
    for picker, name in zip(pickers, ("tiny", "tiny", bundled().name), strict=True):
        qtbot.addWidget(picker)
        picker.setValue(name)
    dialog = ManageDialog(pickers[0])
    dialog.select("tiny")
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, **__: ("mine", True))
    dialog.rename()
    chosen = [entry for picker in pickers if (entry := picker.value()) is not None]
    assert [entry.name for entry in chosen] == ["mine", "mine", bundled().name]
    assert [picker.combo.currentText() for picker in pickers] == ["mine", "mine", bundled().name]
    assert all(entry.path.exists() for entry in chosen)


@pytest.mark.parametrize("tool", [SegmentWidget, FolderWidget, TrainWidget])
def test_the_window_is_gone_when_it_is_closed(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tool: type[SegmentWidget | FolderWidget | TrainWidget]
) -> None:
    widget = tool(ViewerModel())
    qtbot.addWidget(widget)
    picker = next(iter(widget.findChildren(ModelPicker)))
    monkeypatch.setattr(ManageDialog, "exec", lambda _: 0)
    picker.combo.activated.emit(picker.combo.findText(MANAGE))
    assert len(picker.findChildren(ManageDialog)) == 1
    qtbot.waitUntil(lambda: not picker.findChildren(ManageDialog))


def test_a_card_is_markdown_that_loads_nothing(qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = QImage(200, 300, QImage.Format.Format_RGB32)
    assert picture.save(str(tmp_path / "picture.png"))
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toString()))
    card = Card()
    qtbot.addWidget(card)
    card.resize(400, 400)
    card.show()
    card.show_card("# Title\n\nby [us](https://example.org/a) and <b>them</b>")
    assert card.toPlainText() == "Title\nby us and <b>them</b>"
    assert card.isReadOnly()
    for address in (QUrl.fromLocalFile(str(tmp_path / "picture.png")).toString(), str(tmp_path / "picture.png")):
        card.show_card(f"by ![us]({address})")
        assert card.document().size().height() < 100
    for address in ("file:///etc/passwd", "https://example.org/a", "../glas"):
        card.anchorClicked.emit(QUrl(address))
    assert opened == ["https://example.org/a"]
