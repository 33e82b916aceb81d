"""Manage the user's models in a window: rename, delete, export and import them."""

import tempfile
from pathlib import Path

from qtpy.QtCore import QSize, QUrl, Signal
from qtpy.QtGui import QColor, QDesktopServices, QImage, QTextCharFormat, QTextCursor, QTextDocument
from qtpy.QtWidgets import (
    QDialog,
    QFileDialog,
    QInputDialog,
    QListWidget,
    QListWidgetItem,
    QMessageBox,
    QPushButton,
    QTextBrowser,
    QWidget,
)

from ..._util import user_folder
from ...checkpoints import (
    ModelEntry,
    delete_model,
    export_model,
    install_model,
    list_models,
    read_header,
    rename_model,
)
from ...errors import CheckpointError
from .._tool import ToolWidget
from ..controls._layout import column, row
from ..controls._message import Message, WrappedLabel, error_text
from ..threads._background import Done, Task
from ._events import FILTER, MODELS
from ._picker import ModelDrops, ModelPicker

ROLE = 256  # Qt.ItemDataRole.UserRole
BUTTONS = ("Rename…", "Delete…", "Export…", "Import…")
ONE_FILE = "LDSeg models (*.safetensors)"
PACKAGE = "bioimage.io package (*.zip)"
LINK = "#4a90d9"  # Qt's own blue is unreadable on napari's dark grey


def pack_model(model: Path, path: Path) -> Path:
    """Write a model as a package for bioimage.io. Call it in a thread."""
    from ...checkpoints import load_model  # with torch, which no window should wait for
    from ...exchange import export_model, package

    with tempfile.TemporaryDirectory() as folder:
        export_model(load_model(model), folder)
        return package(folder, path)


class Card(QTextBrowser):
    """A model's card. Anyone may have written it, so HTML and pictures are off; links open in the browser."""

    def __init__(self) -> None:
        super().__init__()
        self.setOpenLinks(False)
        self.anchorClicked.connect(self._on_clicked)

    def show_card(self, card: str) -> None:
        """Show this Markdown from the start."""
        kinds = QTextDocument.MarkdownFeature
        self.document().setMarkdown(card, kinds.MarkdownDialectGitHub | kinds.MarkdownNoHTML)
        readable, cursor = QTextCharFormat(), self.textCursor()
        readable.setForeground(QColor(LINK))
        for start, end in self._links():
            cursor.setPosition(start)
            cursor.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
            cursor.mergeCharFormat(readable)
        self.moveCursor(QTextCursor.MoveOperation.Start)

    def loadResource(self, kind: int, name: QUrl) -> QImage:
        """Return an empty picture for everything a card refers to. No file is read, no address is contacted."""
        del kind, name
        picture = QImage(1, 1, QImage.Format.Format_ARGB32)
        picture.fill(0)
        return picture

    def _links(self) -> list[tuple[int, int]]:
        """Return the start and end of each link."""
        found, block = [], self.document().begin()
        while block.isValid():
            part = block.begin()
            while not part.atEnd():
                piece = part.fragment()
                if piece.charFormat().isAnchor():
                    found.append((piece.position(), piece.position() + piece.length()))
                part += 1
            block = block.next()
        return found

    def _on_clicked(self, address: QUrl) -> None:
        if address.scheme() in ("http", "https"):
            QDesktopServices.openUrl(address)


def serve(picker: ModelPicker, tool: ToolWidget) -> None:
    """Connect a tool with its picker: show errors, open the model manager, and import dropped models."""
    picker.failed.connect(tool.show_error)
    picker.manage_requested.connect(lambda: manage_models(picker))
    ModelDrops(picker, tool)


def manage_models(picker: ModelPicker) -> None:
    """Open the model manager over a picker, and wait until it is closed."""
    dialog = ManageDialog(picker)
    dialog.exec()
    dialog.deleteLater()


class ManageDialog(QDialog):
    """All models with their cards. Those that came with napari-ldseg can be exported, but not changed.

    Parameters
    ----------
    picker : ModelPicker
        The parent. Its model is selected first.
    """

    packed = Signal()

    def __init__(self, picker: ModelPicker) -> None:
        super().__init__(picker)
        self._picker = picker
        self._drops = ModelDrops(picker, self)
        self.list = QListWidget()
        self.card = Card()
        self.message, self.note = Message(), WrappedLabel()
        self.buttons = {name: QPushButton(name) for name in BUTTONS}
        self._lay_out()
        self.list.currentItemChanged.connect(self._on_selected)
        for name, slot in zip(BUTTONS, (self.rename, self.delete, self.export, self.take_in), strict=True):
            self.buttons[name].clicked.connect(slot)
        MODELS.changed.connect(self.refresh)
        picker.failed.connect(self._show_error)
        self.refresh()

    def sizeHint(self) -> QSize:
        """Return a size at which cards are readable."""
        return QSize(720, 460)

    def value(self) -> ModelEntry | None:
        """Return the selected model."""
        item = self.list.currentItem()
        return item.data(ROLE) if item is not None else None

    def refresh(self) -> None:
        """Read the list of models again."""
        chosen = self.value() or self._picker.value()
        self.list.clear()
        for entry in list_models():
            origin = "  (downloaded)" if entry.downloaded else "  (came with napari-ldseg)" if entry.bundled else ""
            item = QListWidgetItem(entry.name + origin)
            item.setData(ROLE, entry)
            self.list.addItem(item)
            if chosen is not None and entry.path == chosen.path:
                self.list.setCurrentItem(item)
        if self.list.currentItem() is None and self.list.count():
            self.list.setCurrentRow(0)
        self._on_selected()

    def select(self, name: str) -> None:
        """Select a model by its name."""
        for line in range(self.list.count()):
            if self.list.item(line).data(ROLE).name == name:
                self.list.setCurrentRow(line)

    def rename(self) -> None:
        """Ask for a new name."""
        entry = self.value()
        if entry is not None:
            name, given = QInputDialog.getText(self, "Rename a model", f"New name of {entry.name!r}:", text=entry.name)
            if given and self._done(lambda: MODELS.renamed.emit(entry.path, rename_model(entry, name.strip()))):
                self.select(name.strip())

    def delete(self) -> None:
        """Delete the model after the user confirms."""
        entry = self.value()
        if entry is None:
            return
        ask = QMessageBox.question(self, "Delete a model", f"Delete {entry.name!r}? This cannot be undone.")
        if ask == QMessageBox.StandardButton.Yes:
            self._done(lambda: delete_model(entry))

    def export(self) -> None:
        """Copy the model to a file, or pack it for other programs."""
        entry = self.value()
        if entry is not None:
            start = str(Path.home() / f"{entry.name}.safetensors")
            path, kind = QFileDialog.getSaveFileName(self, "Export a model", start, f"{ONE_FILE};;{PACKAGE}")
            if path and (kind == PACKAGE or path.endswith(".zip")):
                self.pack(entry, Path(path).with_suffix(".zip"))
            elif path:
                self._done(lambda: export_model(entry, Path(path)))

    def pack(self, entry: ModelEntry, path: Path) -> None:
        """Write the model as a package for bioimage.io, in a thread."""
        self.note.setText(f"Packing {entry.name}: its networks are traced and checked, which takes a minute…")
        self.buttons["Export…"].setEnabled(False)
        task = Task(lambda: pack_model(entry.path, path))
        task.inform(self, lambda done: self._on_packed(path, done))
        task.start()

    def _on_packed(self, path: Path, done: Done) -> None:
        self._on_selected()
        if done.error is not None:
            self.note.setText("")
            self.message.show_error(error_text(done.error, "packing a model"))
        else:
            self.note.setText(f"The package is {path}.")
        self.packed.emit()

    def take_in(self) -> None:
        """Copy a file into the user's models."""
        path = QFileDialog.getOpenFileName(self, "Import a model", str(Path.home()), FILTER)[0]
        if path:
            self._done(lambda: install_model(Path(path)))

    def _done(self, change: object) -> bool:
        assert callable(change)
        self.message.clear()
        try:
            change()
        except CheckpointError as error:
            self._show_error(error)
            return False
        MODELS.changed.emit()
        return True

    def _show_error(self, error: Exception) -> None:
        self.message.show_error(str(error))

    def _on_selected(self) -> None:
        entry = self.value()
        allowed = {"Export…": True, "Delete…": entry and (entry.downloaded or not entry.bundled)}
        for name in BUTTONS[:3]:
            self.buttons[name].setEnabled(entry is not None and bool(allowed.get(name, not entry.bundled)))
        try:
            self.card.show_card(read_header(entry.path).card or "No card." if entry is not None else "")
        except CheckpointError as error:
            self.card.setPlainText(str(error))

    def _lay_out(self) -> None:
        self.setWindowTitle("LDSeg models")
        own = user_folder("models")
        self.list.setToolTip(f"Your own models are in {own}; drop a .safetensors file here to import it")
        self.buttons["Delete…"].setToolTip("Models that came with napari-ldseg cannot be deleted or renamed")
        close = QPushButton("Close")
        close.clicked.connect(self.accept)
        top = row((self.list, 2), (self.card, 3))
        column(self, (top, 1), self.note, self.message, row(*self.buttons.values(), (QWidget(), 1), close))
        self.layout().setContentsMargins(9, 9, 9, 9)
