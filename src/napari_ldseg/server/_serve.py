"""Start a server, and end it."""

import logging
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .._util import optional, user_folder
from ..config import ServeConfig
from ..errors import InputError
from ._tokens import Tokens

LOOPBACK = ("127.0.0.1", "localhost", "::1")
# Connections at a time; more are refused.
CONNECTIONS = 512


def serve(config: ServeConfig, say: Callable[[str], object]) -> None:
    """Serve until Ctrl-C.

    Parameters
    ----------
    config : ServeConfig
    say : callable
        Tells the person at the terminal where the server is.

    Raises
    ------
    InputError
        The address cannot be had, or the tokens cannot be read.
    """
    with prepared(config, say) as (server, listening):
        server.run(sockets=[listening])


@contextmanager
def prepared(config: ServeConfig, say: Callable[[str], object]) -> Iterator[tuple[Any, socket.socket]]:
    """Give a server (of uvicorn) that is ready to run, and the socket that it listens at."""
    uvicorn = optional("uvicorn", "Serving", "server")
    optional("fastapi", "Serving", "server")
    optional("blosc2", "Serving", "server")
    from ._app import create_app
    from ._desk import Desk

    local = config.host in LOOPBACK
    tokens = Tokens({}) if config.tokens is None else Tokens.read(Path(config.tokens))
    made = "" if local or tokens.hashes else secrets.token_urlsafe(24)
    if made:
        tokens = Tokens.of({"guest": made})
    with _listening(config.host, config.port) as listening:
        host, port = config.host, listening.getsockname()[1]
        desk = Desk(config, user_folder("server") / str(port))
        known = ", ".join(card["name"] for card in desk.models.cards()) or "none"
        address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        say(f"LDSeg computes at {address} with the models {known}. Ctrl-C ends it.")
        if made:
            say(f"Token, until it ends: {made}")
        if not local:
            say("What is sent can be read on the way: put a proxy with TLS before it (docs/server.md).")
        logging.getLogger("napari_ldseg.server").setLevel(logging.INFO)
        desk.worker.start()
        try:
            yield uvicorn.Server(_settings(uvicorn, create_app(desk, tokens, local=local))), listening
        finally:
            desk.worker.stop()
            desk.close()


def _settings(uvicorn: Any, app: Any) -> Any:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        http="h11",
        ws="none",
        lifespan="off",
        loop="asyncio",
        server_header=False,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=3,
        h11_max_incomplete_event_size=2**16,
    )


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=256)
    except (OSError, OverflowError) as error:
        raise InputError(
            f"The server cannot listen at {host}, port {port} ({error}); choose another --port, or end what uses it."
        ) from error
