"""The models of this computer, as others see them."""

import threading
import warnings
from collections import OrderedDict
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..checkpoints import ModelEntry, list_models, read_header
from ..config import Device
from ..remote import digest, fitting
from ._refusal import RefusalError

if TYPE_CHECKING:
    from ..networks import LDSeg

# Models that stay in memory.
KEPT = 2
Stamp = tuple[str, int]


class Models:
    """List models with their cards, and keep the last ones loaded."""

    def __init__(self) -> None:
        self._hashes: dict[Stamp, str] = {}
        self._loaded: OrderedDict[tuple[Stamp, Device], LDSeg] = OrderedDict()
        self._lock = threading.Lock()

    def cards(self) -> list[dict[str, Any]]:
        """Return all models as JSON."""
        return [self._card(entry) for entry in self._entries().values()]

    def entry(self, name: str) -> ModelEntry:
        """Return the model of a name.

        Raises
        ------
        RefusalError
            There is none.
        """
        entries = self._entries()
        if name not in entries:
            known = ", ".join(entries) or "none"
            raise RefusalError(HTTPStatus.NOT_FOUND, f"The server has no model {name[:80]!r}; it has {known}.")
        return entries[name]

    def load(self, entry: ModelEntry, device: Device) -> "LDSeg":
        """Load a model, or return it as it was loaded before. Only the worker calls this."""
        from ..checkpoints import load_model

        key = (_stamp(entry.path), device)
        if key not in self._loaded:
            while len(self._loaded) >= KEPT:
                self._loaded.popitem(last=False)
            self._loaded[key] = load_model(entry.path, device)
        self._loaded.move_to_end(key)
        return self._loaded[key]

    def _entries(self) -> dict[str, ModelEntry]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return {entry.name: entry for entry in list_models()}

    def _card(self, entry: ModelEntry) -> dict[str, Any]:
        stamp = _stamp(entry.path)
        with self._lock:
            if stamp not in self._hashes:
                self._hashes[stamp] = digest(entry.path.read_bytes())
        return {
            "name": entry.name,
            "title": entry.title,
            "score": entry.score,
            "terms": entry.terms,
            "card": read_header(entry.path).card,
            "sha256": self._hashes[stamp],
            "fits": fitting(entry.config),
            "config": entry.config.model_dump(mode="json"),
        }


def _stamp(path: Path) -> Stamp:
    return str(path), path.stat().st_mtime_ns
