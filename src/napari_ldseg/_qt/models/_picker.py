"""Choosing a model: released, the user's own, or any file; with its card in short."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, Signal
from qtpy.QtWidgets import QComboBox, QFileDialog, QVBoxLayout, QWidget

from ..._util import user_folder
from ...checkpoints import ModelEntry, Offer, install_model, list_models, read_header
from ...config import ModelConfig
from ...errors import CheckpointError
from ...exchange import keras_files
from ..controls._forms import narrow
from ..controls._message import WrappedLabel
from ..threads._background import Done, Task
from ..viewer._from_layers import looks_made_for
from ._download import Download, ask_own_index, offers
from ._events import FILTER, KERAS, MODELS
from ._keras import import_folder

if TYPE_CHECKING:
    from napari.layers import Image as ImageLayer

OPEN = "Open…"
OPEN_KERAS = "Open a Keras folder…"
FIRST = "glas"  # shown while nothing is known of the image
MANAGE = "Manage models…"
NO_MODEL = "No model found"
CHOOSE = "Choose a model…"


class ModelPicker(QWidget):
    """A combo box of models over the card of the chosen one.

    ``failed`` carries why a file is no model; ``manage_requested`` asks for the window of all models.
    """

    changed = Signal()
    failed = Signal(object)
    manage_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._entries: list[ModelEntry] = []
        self._chosen: ModelEntry | None = None
        self._gone = ""
        self._by_hand = False
        self._importing: Task | None = None
        self.combo = QComboBox()
        self.combo.setObjectName("model")
        self.combo.setToolTip("Models that came with napari-ldseg, those in your own folder, or any other file")
        narrow(self.combo)
        self.card = WrappedLabel()
        self.card.setObjectName("card")
        self.download = Download()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        for widget in (self.combo, self.card, self.download):
            layout.addWidget(widget)
        self.combo.activated.connect(self._on_activated)
        self.download.ended.connect(self._on_downloaded)
        self._drops = ModelDrops(self)
        MODELS.changed.connect(self.refresh)
        MODELS.renamed.connect(self._on_renamed)
        self.refresh()
        ask_own_index(self)

    def value(self) -> ModelEntry | None:
        """Return the chosen model."""
        return self._chosen

    def setValue(self, name_or_path: str | Path) -> None:
        """Choose a listed model by its name, or open a file.

        Raises
        ------
        CheckpointError
            The file is not a model, or there is no model of that name.
        """
        entry = next((entry for entry in self._entries if entry.name == name_or_path), None)
        if entry is None:
            header = read_header(name_or_path)
            path, config = header.path.resolve(), header.config
            entry = next((entry for entry in self._entries if entry.path.resolve() == path), None)
            if entry is None:
                entry = ModelEntry(config.name, path, config.title, config.score, config, bundled=False)
                self._entries.append(entry)
        self._by_hand = True
        self._choose(entry)

    def suggest(self, layer: "ImageLayer | None") -> None:
        """Choose a model that seems made for a layer, if nobody has chosen one yet and the one that is shown is not.

        Best is one that sees all the layer's axes at once, next one that goes through it plane by plane.
        """
        if layer is None or self._by_hand or self._chosen is None:
            return
        for as_a_whole in (True, False):
            fitting = [entry for entry in self._entries if looks_made_for(entry.config, layer, as_a_whole=as_a_whole)]
            if fitting:
                if self._chosen not in fitting:
                    self._choose(fitting[0])
                return

    def refresh(self) -> None:
        """Read the list of models again; keep the choice, and files that were opened.

        Where the chosen model is gone, none is chosen, and the card says so.
        """
        listed = list_models()
        known = {entry.path for entry in listed}
        self._entries = [
            *listed,
            *(entry for entry in self._entries if entry.path not in known and entry.path.exists()),
        ]
        if self._chosen is not None:
            keep = next((entry for entry in self._entries if entry.path == self._chosen.path), None)
            gone = f"The model {self._chosen.name!r} was deleted or moved; choose another one."
            self._choose(keep, gone)
        elif self._gone and self._entries:
            self._choose(None, self._gone)
        else:
            first = next((entry for entry in self._entries if entry.name == FIRST), next(iter(self._entries), None))
            self._choose(first)

    def _choose(self, entry: ModelEntry | None, gone: str = "") -> None:
        before, self._chosen = self._chosen, entry
        self._gone = "" if entry else gone
        self.combo.clear()
        bundled = [entry for entry in self._entries if entry.bundled]
        others = [entry for entry in self._entries if not entry.bundled]
        if entry is None:
            self.combo.addItem(CHOOSE if self._entries else NO_MODEL)
        for group in (bundled, others):
            for one in group:
                self.combo.addItem(one.name, one)
                self.combo.setItemData(self.combo.count() - 1, str(one.path), 3)  # Qt.ToolTipRole
            if group:
                self.combo.insertSeparator(self.combo.count())
        for offer in offers():
            self.combo.addItem(f"{offer.name} (download, {offer.megabytes})", offer)
            self.combo.setItemData(self.combo.count() - 1, f"{offer.title}\n{offer.terms}", 3)
        self.combo.addItems([OPEN, OPEN_KERAS, MANAGE])
        self.combo.setCurrentIndex(max(self.combo.findText(entry.name) if entry else 0, 0))
        lines = [self._gone, "" if self._entries else f"Put a model into\n{user_folder('models')}\nor choose {OPEN}"]
        self.card.setText(describe(entry) if entry else "\n".join(filter(None, lines)))
        if before != entry:
            self.changed.emit()

    def _on_renamed(self, before: Path, now: Path) -> None:
        """Follow a file to its new name, under which the list is about to show it."""
        if self._chosen is not None and self._chosen.path == before:
            self._chosen = replace(self._chosen, path=now)

    def _on_activated(self, index: int) -> None:
        entry = self.combo.itemData(index)
        if isinstance(entry, ModelEntry):
            self._by_hand = True
            self._choose(entry)
            return
        if isinstance(entry, Offer):
            self._choose(self._chosen, self._gone)
            self.combo.setEnabled(not self.download.start(entry))
            return
        path = ""
        if self.combo.itemText(index) == OPEN:
            path = QFileDialog.getOpenFileName(self, "Open a model", str(Path.home()), FILTER)[0]
        elif self.combo.itemText(index) == OPEN_KERAS:
            path = QFileDialog.getExistingDirectory(self, "Open a folder of Keras files", str(Path.home()))
        self._choose(self._chosen, self._gone)
        if self.combo.itemText(index) == MANAGE:
            self.manage_requested.emit()
        if path:
            self.open_path(Path(path))

    def _on_downloaded(self, outcome: Done) -> None:
        self.combo.setEnabled(True)
        MODELS.changed.emit()
        if outcome.error is not None:
            self.failed.emit(outcome.error)
        elif outcome.value is not None:
            self.setValue(outcome.value.name)

    def open_path(self, path: Path) -> None:
        """Choose the model in a file or folder; what lies there as Keras files is imported first, in a thread."""
        if path.suffix.lower() in KERAS:
            path = path.parent
        try:
            if path.is_dir() and any(file.suffix.lower() in KERAS for file in path.iterdir()):
                self._import(keras_folder=path)
            else:
                self.setValue(path)
        except (CheckpointError, OSError) as error:
            self.failed.emit(error)

    def take_in(self, path: Path) -> None:
        """Copy a model that was dropped here into the user's own, and choose it."""
        try:
            if path.suffix.lower() in KERAS or path.is_dir():
                self.open_path(path)
                return
            entry = install_model(path)
        except CheckpointError as error:
            self.failed.emit(error)
            return
        MODELS.changed.emit()
        self.setValue(entry.name)

    def _import(self, keras_folder: Path) -> None:
        keras_files(keras_folder)  # what is missing is said at once
        self.combo.setEnabled(False)
        self.card.setText(f"Importing {keras_folder.name}…")
        self._importing = Task(lambda: import_folder(keras_folder))
        self._importing.finished.connect(self._on_imported)
        self._importing.start()

    def _on_imported(self, outcome: Done) -> None:
        self._importing = None
        self.combo.setEnabled(True)
        self.refresh()
        if outcome.error is None:
            self.setValue(outcome.value)
        else:
            self.failed.emit(outcome.error)


class ModelDrops(QObject):
    """Lets a picker, or the widget around it, take in model files that are dropped on it."""

    def __init__(self, picker: ModelPicker, widget: QWidget | None = None) -> None:
        widget = widget or picker
        super().__init__(widget)
        self._picker = picker
        widget.setAcceptDrops(True)
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take model files; whatever else is dropped, napari opens."""
        if event.type() not in (QEvent.Type.DragEnter, QEvent.Type.Drop):
            return bool(super().eventFilter(watched, event))
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        models = [path for path in paths if path.suffix.lower() in (".safetensors", *KERAS) or _is_keras(path)]
        if not models or len(models) < len(paths):
            event.ignore()
            return bool(event.type() == QEvent.Type.DragEnter)
        event.acceptProposedAction()
        if event.type() == QEvent.Type.Drop:
            for path in models:
                self._picker.take_in(path)
        return True


def _is_keras(path: Path) -> bool:
    return path.is_dir() and any(file.suffix.lower() in KERAS for file in path.iterdir())


def describe(entry: ModelEntry) -> str:
    """Return the card in short: what the model segments, its score, and how it sees images."""
    config = entry.config
    lines = [entry.title, entry.score and f"Score: {entry.score}", f"Input: {_input(config)}"]
    lines.append(entry.terms and f"Terms: {entry.terms}")
    lines.append(f"Default: {config.sampler}, {config.steps} steps")
    return "\n".join(line for line in lines if line)


def _input(config: ModelConfig) -> str:
    given = config.input
    kind = {"rgb": "RGB", "grayscale": "grayscale", "any": f"{config.network.image_channels}-channel"}[given.channels]
    if given.mode == "spacing" and given.spacing:
        size = " x ".join(f"{step:g}" for step in given.spacing)
        return f"{kind}, {config.network.ndim}D, {size} {given.unit} pixels"
    return f"{kind}, {config.network.ndim}D, whole image fitted to {' x '.join(map(str, given.shape))}"
