"""Talk to a server: patient where a line breaks, and in words where it stays broken."""

import re
import secrets
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from .._util import optional
from ..errors import CheckpointError, EngineError, InputError, LDSegError

# Seconds for which a server that does not answer is asked again, and the pauses.
PATIENCE = 20.0
PAUSES = (0.1, 0.3, 1.0, 2.0)
ERRORS = {"InputError": InputError, "CheckpointError": CheckpointError, "RefusalError": InputError}
LOCAL = ("127.0.0.1", "localhost", "::1")
OLD = "does not speak as this napari-ldseg does; check the address, and update the older of the two"


def address_of(text: str) -> str:
    """Return an address as ``http://host:port``; without a scheme, http.

    Raises
    ------
    InputError
        It is none.
    """
    full = text.strip().rstrip("/")
    full = full if re.match(r"^[a-z]+://", full) else f"http://{full}"
    try:
        parts = urlsplit(full)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if (
        not usable
        or parts.username
        or parts.query
        or parts.fragment
        or parts.netloc.endswith(":")
        or not full.isprintable()
        or " " in full
    ):
        raise InputError(f"{text!r} is no address of a server; write it as http://HOST:PORT.")
    return full


def is_local(address: str) -> bool:
    """Whether an address is this computer's own."""
    return urlsplit(address).hostname in LOCAL


class Connection:
    """Requests to one server.

    Parameters
    ----------
    address : str
        From :func:`address_of`.
    token : str or None
    """

    def __init__(self, address: str, token: str | None) -> None:
        self._httpx = optional("httpx", "Computing on another computer", "client")
        self.address = address
        headers = {"X-Client": secrets.token_hex(16)}
        if token:
            if not token.isascii() or not token.isprintable():
                raise InputError("The token has characters that no token has; copy it again.")
            headers["Authorization"] = f"Bearer {token}"
        timeout = self._httpx.Timeout(60.0, connect=5.0)
        # A proxy of the environment is for other computers than this one.
        self._client = self._httpx.Client(
            base_url=f"{address}/v1/", headers=headers, timeout=timeout, trust_env=not is_local(address)
        )

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def json(self, method: str, path: str, **what: Any) -> Any:
        """Return the answer to a request as JSON."""
        answer = self.ask(method, path, **what)
        try:
            return answer.json()
        except ValueError as error:
            raise EngineError(f"{self.address} {OLD}.") from error

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        json: Any = None,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        patience: float | None = None,
    ) -> Any:
        """Return the answer to a request, which is made again where the line breaks.

        Raises
        ------
        LDSegError
            The server refuses, or does not answer.
        """
        until = time.monotonic() + (PATIENCE if patience is None else patience)
        pauses = iter((*PAUSES, *[PAUSES[-1]] * 1000))
        while True:
            try:
                answer = self._client.request(method, path, content=body, json=json, params=query, headers=headers)
            except self._httpx.TransportError as error:
                pause = next(pauses)
                if time.monotonic() + pause > until:
                    raise UnreachableError(
                        f"The server at {self.address} does not answer ({type(error).__name__}); check that it runs "
                        "and that its address is right, then run this again. Nothing is lost here."
                    ) from error
                time.sleep(pause)
                continue
            if answer.status_code >= HTTPStatus.BAD_REQUEST:
                raise self._refusal(answer)
            return answer

    def fetch(self, path: str) -> bytes:
        """Return a large answer; where the line breaks, only the rest is asked for again."""
        got = bytearray()
        until, pauses = time.monotonic() + PATIENCE, iter((*PAUSES, *[PAUSES[-1]] * 1000))
        while True:
            headers = {"Range": f"bytes={len(got)}-"} if got else {}
            try:
                with self._client.stream("GET", path, headers=headers) as answer:
                    if answer.status_code >= HTTPStatus.BAD_REQUEST:
                        answer.read()
                        raise self._refusal(answer)
                    if got and answer.status_code != HTTPStatus.PARTIAL_CONTENT:
                        got.clear()
                    for chunk in answer.iter_bytes():
                        got += chunk
                        until = time.monotonic() + PATIENCE
            except self._httpx.TransportError as error:
                pause = next(pauses)
                if time.monotonic() + pause > until:
                    raise UnreachableError(
                        f"The server at {self.address} stopped sending ({type(error).__name__}); run this again."
                    ) from error
                time.sleep(pause)
                continue
            return bytes(got)

    def _refusal(self, answer: Any) -> LDSegError:
        """Return the error that a server answered with."""
        try:
            said = answer.json()
            kind, message = str(said["kind"]), str(said["message"])
        except (ValueError, KeyError, TypeError):
            return EngineError(f"{self.address} {OLD} (status {answer.status_code}).")
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return GoneError(f"The server at {self.address} says: {message}")
        return error_of(kind, message, self.address)


class UnreachableError(EngineError):
    """The server does not answer."""


class GoneError(EngineError):
    """The server does not know what was asked for (any more)."""


def error_of(kind: str, message: str, address: str) -> LDSegError:
    """Return the error that a server tells of."""
    return ERRORS.get(kind, EngineError)(f"The server at {address} says: {message}")
