"""Choose the folder of a training set."""

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QLineEdit, QMenu, QToolButton, QWidget

from ..._util import user_folder
from ..controls._layout import column, row

NAME = "training set"


class SetPicker(QWidget):
    """A folder, typed in or browsed for. New pickers start with the last choice."""

    changed = Signal()
    imported = Signal(object)
    exported = Signal(object)
    _last: Path | None = None

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.line = QLineEdit(str(SetPicker._last or user_folder("sets") / NAME))
        self.line.setObjectName("training_set")
        self.line.setToolTip("Folder of annotated images; it is created when the first one is added")
        self.line.setCursorPosition(0)
        browse = QToolButton()
        browse.setText("…")
        browse.setToolTip("Choose a folder; the arrow imports and exports data sets of nnU-Net")
        browse.setAccessibleName("Choose a training set")
        browse.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        menu = QMenu(browse)
        menu.addAction("Import an nnU-Net data set…", self._on_import)
        menu.addAction("Export as an nnU-Net data set…", self._on_export)
        browse.setMenu(menu)
        column(self, row(self.line, browse, spacing=4))
        browse.clicked.connect(self._on_browse)
        self.line.editingFinished.connect(self._on_edited)

    def value(self) -> Path:
        """Return the folder."""
        return Path(self.line.text().strip()).expanduser()

    def setValue(self, folder: Path) -> None:
        """Show a folder."""
        self.line.setText(str(folder))
        self._on_edited()

    def _on_edited(self) -> None:
        SetPicker._last = self.value()
        self.changed.emit()

    def _on_import(self) -> None:
        if found := QFileDialog.getExistingDirectory(self, "Choose an nnU-Net data set", str(Path.home())):
            self.imported.emit(Path(found))

    def _on_export(self) -> None:
        start = str(Path.home() / "Dataset001_Name")
        found, _ = QFileDialog.getSaveFileName(self, "A new folder, named as nnU-Net wants: Dataset001_Name", start)
        if found:
            self.exported.emit(Path(found))

    def _on_browse(self) -> None:
        start = self.value() if self.value().is_dir() else Path.home()
        if found := QFileDialog.getExistingDirectory(self, "Choose a training set", str(start)):
            self.setValue(Path(found))
