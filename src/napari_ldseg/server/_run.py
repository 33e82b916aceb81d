"""One run: from waiting to its result, as its client sees it."""

import math
import secrets
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, Literal

from .._util import Progress

State = Literal["waiting", "running", "done", "failed", "stopped"]
Steps = Callable[[], Generator[Progress, None, bytes]]
# Seconds between previews, times the size of one in megabytes where that is more than one.
PREVIEW = 0.3
MEGABYTE = 2**20


class Run:
    """What a client has ordered. The worker's thread and the clients' requests share it.

    Parameters
    ----------
    owner : str
        Whose token it was.
    client : str
        Those of one owner take turns by client.
    what : str
        A few words for the log.
    steps : callable
        Makes the generator that does it and returns the packed result.
    end : callable
        Called once when the run is over, however it ended.
    """

    def __init__(self, owner: str, client: str, what: str, steps: Steps, end: Callable[[], object]) -> None:
        self.id = secrets.token_urlsafe(12)
        self.owner, self.turn, self.what = owner, (owner, client), what
        self.steps, self._end = steps, end
        self.state: State = "waiting"
        self.version, self.preview_version = 0, 0
        self.progress = Progress()
        self.preview: bytes | None = None
        self.result: Path | None = None
        self.error: tuple[str, str] | None = None
        self.seen = time.monotonic()
        self.spent = 0.0
        self.stop = threading.Event()
        self._lock = threading.Lock()
        self._shown = -math.inf

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.state in ("done", "failed", "stopped")

    def tell(self, progress: Progress, pack: Callable[[Any], bytes]) -> None:
        """Take news from the engine. A preview is packed where one is due."""
        preview, now = getattr(progress, "preview", None), time.monotonic()
        packed = None
        if preview is not None and now - self._shown >= PREVIEW * max(1.0, len(self.preview or b"") / MEGABYTE):
            packed, self._shown = pack(preview), now
        with self._lock:
            self.version += 1
            self.progress = Progress(progress.done, progress.total, progress.text)
            if packed is not None:
                self.preview, self.preview_version = packed, self.version

    def change(self, state: State, *, error: tuple[str, str] | None = None, result: Path | None = None) -> None:
        """Go on to another state; the last one frees what the run holds."""
        with self._lock:
            if self.is_over:
                return
            self.state, self.error, self.result = state, error, result
            self.version += 1
            over = self.is_over
            if state in ("done", "failed"):
                self.preview = None
        if over:
            self._end()

    def news(self) -> dict[str, Any]:
        """Return how far it is, as JSON."""
        with self._lock:
            now = self.progress
            return {
                "version": self.version,
                "state": self.state,
                "done": now.done,
                "total": now.total,
                "text": now.text,
                "preview": self.preview_version if self.preview is not None else 0,
                "error": None if self.error is None else {"kind": self.error[0], "message": self.error[1]},
            }
