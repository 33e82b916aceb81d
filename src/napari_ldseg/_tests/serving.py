"""A server in a thread of the tests."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..config import ServeConfig
from ..server._serve import prepared

TOKENS = {"anna": "anna-anna-anna-anna", "ben": "ben-ben-ben-ben-ben"}


@dataclass(frozen=True)
class Served:
    """Address of a running server, and what it said at the terminal."""

    address: str
    said: list[str]


@contextmanager
def serving(config: ServeConfig | None = None) -> Iterator[Served]:
    """Run a server until the end of the block."""
    said: list[str] = []
    with prepared((config or ServeConfig()).replace(port=0), said.append) as (server, listening):
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="uvicorn")
        thread.start()
        try:
            until = time.monotonic() + 20
            while not server.started and thread.is_alive() and time.monotonic() < until:
                time.sleep(0.01)
            assert server.started
            yield Served(f"http://127.0.0.1:{listening.getsockname()[1]}", said)
        finally:
            server.should_exit = True
            thread.join(20)


def write_tokens(folder: Path) -> Path:
    path = folder / "tokens.txt"
    path.write_text("# who token\n" + "".join(f"{name} {token}\n" for name, token in TOKENS.items()))
    return path
