"""Downloading a released model: its terms, a bar, and a button that stops it."""

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QHBoxLayout, QMessageBox, QPushButton, QWidget

from ..._util import Progress
from ...checkpoints import Offer, fetch_model, offered_models, own_index
from ...errors import CheckpointError
from ..controls._progress import ProgressView
from ..threads._background import Background, Done, Task
from ._events import MODELS

_ASKED: set[str] = set()


class _StoppedError(Exception):
    """The user has pressed Cancel."""


class _Fetch(Background):
    """The download in a thread."""

    progressed = Signal(object)

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def work(self) -> Done:
        """Fetch the model."""
        try:
            return Done(fetch_model(self._name, report=self._report))
        except _StoppedError:
            return Done(stopped=True)
        except Exception as error:  # noqa: BLE001  the border: whatever it is, the user is told
            return Done(error=error)

    def _report(self, progress: Progress) -> None:
        if self._stop.is_set():
            raise _StoppedError
        self.progressed.emit(progress)


class Download(QWidget):
    """A bar with a Cancel button, seen while a model is downloaded; ``ended`` carries a :class:`Done`."""

    ended = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._fetch: _Fetch | None = None
        self.progress = ProgressView()
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip("Stop the download; nothing is left of it")
        self.cancel_button.clicked.connect(self.cancel)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.progress, 1)
        row.addWidget(self.cancel_button)
        self.hide()

    def start(self, offer: Offer) -> bool:
        """Download a model, if the user agrees to its terms and no other download goes on."""
        if self._fetch is not None or not _agreed(self, offer):
            return False
        self._fetch = fetch = _Fetch(offer.name)
        fetch.progressed.connect(self.progress.show_progress)
        fetch.inform(self, self._on_finished)
        self.progress.start()
        self.show()
        fetch.start()
        return True

    def cancel(self) -> None:
        """Stop at the next piece."""
        if self._fetch is not None:
            self._fetch.stop()

    def _on_finished(self, outcome: Done) -> None:
        self._fetch = None
        self.progress.finish("")
        self.hide()
        self.ended.emit(outcome)


def offers() -> list[Offer]:
    """Return what can be downloaded; nothing is asked of the network, and a damaged index offers nothing."""
    try:
        return offered_models()
    except CheckpointError:
        return []


def ask_own_index(owner: QObject) -> None:
    """Ask the user's own index in the web, once, in a thread; the pickers follow."""
    place = own_index()
    if "://" in place and place not in _ASKED:
        _ASKED.add(place)
        task = Task(lambda: offered_models(ask=True))
        task.inform(owner, lambda _: MODELS.changed.emit())
        task.start()


def _agreed(parent: QWidget, offer: Offer) -> bool:
    """Show terms that exclude commercial use, and ask whether to go on."""
    if offer.commercial:
        return True
    text = (
        f"{offer.name} has these terms: {offer.terms}.\n\nDownload it ({offer.megabytes}) and use it under these terms?"
    )
    return bool(QMessageBox.question(parent, "Terms of a model", text) == QMessageBox.StandardButton.Yes)
