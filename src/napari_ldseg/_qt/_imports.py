"""Importing a Keras folder beside a running viewer: in a thread, because it loads torch and some megabytes."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import QObject, Signal

from ..checkpoints import read_header, user_folder
from ..errors import CheckpointError, LDSegError
from ._torch import import_torch

logger = logging.getLogger(__name__)

# As for runs (see `_worker.py`): a QObject must end in its own thread.
_GOING: "set[KerasImport]" = set()


def import_folder(folder: Path) -> Path:
    """Import the four Keras files of a folder into the user's own models; return the model's file.

    A folder that was imported before, with the same files, is found again.
    """
    import_torch()
    from ..checkpoints import import_keras, save_model

    model = import_keras(folder)
    base = user_folder() / model.config.name
    for place in (base, *(base.with_name(f"{base.name}-{number}") for number in range(2, 100))):
        if not place.exists():
            return save_model(model, place)
        if _is_card(place, model.card):
            return place / "model.safetensors"
    raise CheckpointError(f"There are too many models named {base.name!r} in {str(base.parent)!r}; rename the folder.")


def _is_card(place: Path, card: str) -> bool:
    """Whether a folder holds a model with this card, which names the hashes of its source files."""
    try:
        return read_header(place).card == card
    except CheckpointError:
        return False


class KerasImport(QObject):
    """One import in its thread; ``finished`` carries the path of the new model, or the error."""

    finished = Signal(object)
    _ended = Signal(object)

    def __init__(self, folder: Path, work: Callable[[Path], Path] = import_folder) -> None:
        super().__init__()
        self._thread = threading.Thread(target=self._run, args=(folder, work), name="napari-ldseg import", daemon=True)
        self._ended.connect(self._on_ended)

    def start(self) -> None:
        """Start the thread."""
        _GOING.add(self)
        self._thread.start()

    def _run(self, folder: Path, work: Callable[[Path], Path]) -> None:
        outcome: Path | Exception
        try:
            outcome = work(folder)
        except Exception as error:  # the border: whatever it is, the user is told
            if not isinstance(error, LDSegError):
                logger.exception("unexpected error while importing")
            outcome = error
        self._ended.emit(outcome)

    def _on_ended(self, outcome: Path | Exception) -> None:
        self._thread.join()
        self.finished.emit(outcome)
        _GOING.discard(self)
