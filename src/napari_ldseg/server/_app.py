"""The HTTP side of a server: who asks, how much, and what is answered."""

import asyncio
import json
import logging
import time
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from .._version import __version__
from ..config import Config
from ..errors import InputError, LDSegError
from ..plan import MEGABYTE
from ..remote import PIECE, WIRE, Order, unpack
from ._desk import Desk
from ._refusal import RefusalError
from ._tokens import Tokens

LOG = logging.getLogger("napari_ldseg.server")
# Seconds that a request's body may take, that a question for news waits at most, and between looks.
SLOW, LONGEST, LOOK = 60.0, 25.0, 0.02
# Bytes of a body: of lists, and of an order with its maps of prompts.
MAX_JSON, MAX_ORDER = 2**20, 2**26
CLIENT = 64
BINARY = "application/octet-stream"
LOCAL = ("127.0.0.1", "localhost", "::1")


class Announced(Config):
    """An image that a client is about to send."""

    dtype: str = Field(max_length=16)
    shape: tuple[int, ...] = Field(max_length=7)
    pieces: tuple[str, ...] = Field(min_length=1, max_length=2**16)


def create_app(desk: Desk, tokens: Tokens, *, local: bool = True) -> FastAPI:
    """Return the application; the desk's worker must be running.

    Parameters
    ----------
    desk : Desk
    tokens : Tokens
    local : bool
        Whether only this computer reaches it: names of other computers are refused then, so that no web page reaches it
        by a name of its own.
    """
    app = FastAPI(title="napari-ldseg", version=__version__, openapi_url=None, docs_url=None, redoc_url=None)
    if local:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*LOCAL, "[::1]"])
    app.state.desk, app.state.tokens = desk, tokens
    app.include_router(ROUTES, prefix="/v1")
    app.add_exception_handler(RefusalError, _refuse)
    app.add_exception_handler(LDSegError, _refuse)
    app.add_exception_handler(HTTPException, _refuse)
    app.add_exception_handler(Exception, _fail)
    return app


ROUTES = APIRouter()


@ROUTES.get("/about")
async def about(request: Request) -> JSONResponse:
    """Say what this server is, and what it allows."""
    desk, _ = _visitor(request)
    limits = desk.config.model_dump(mode="json", exclude={"host", "port", "tokens"})
    waiting = len(desk.worker.queue)
    return JSONResponse({"version": __version__, "wire": WIRE, "limits": limits, "waiting": waiting})


@ROUTES.get("/models")
async def models(request: Request) -> JSONResponse:
    """List the models with their cards."""
    desk, _ = _visitor(request)
    return JSONResponse(await asyncio.to_thread(desk.models.cards))


@ROUTES.post("/images")
async def announce(request: Request) -> JSONResponse:
    """Announce an image; the answer names the pieces that are missing."""
    desk, owner = _visitor(request)
    most = desk.config.image_mb * MEGABYTE // PIECE * 80 + MAX_JSON
    said = Announced.parse(_json(await _body(request, most)))
    if not all(0 < side < 2**40 for side in said.shape):
        raise InputError("The sides of an image are positive numbers.")
    name, missing = await asyncio.to_thread(desk.images.begin, owner, said.dtype, said.shape, said.pieces)
    return JSONResponse({"image": name, "missing": missing})


@ROUTES.put("/images/{name}/{number}")
async def piece(request: Request, name: str, number: str) -> Response:
    """Take one piece of an image."""
    desk, owner = _visitor(request)
    packed = await _body(request, PIECE + 2**16)
    await asyncio.to_thread(desk.images.put, owner, name, _number(number, "piece"), packed)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@ROUTES.post("/runs")
async def order(request: Request) -> JSONResponse:
    """Take an order to segment an image."""
    desk, owner = _visitor(request)
    values, maps = await asyncio.to_thread(unpack, await _body(request, MAX_ORDER), MAX_ORDER * 4)
    run = await asyncio.to_thread(desk.order, owner, _client(request), Order.parse(values), maps)
    return JSONResponse({"run": run.id, **desk.news(run)})


@ROUTES.get("/runs/{name}")
async def news(request: Request, name: str) -> JSONResponse:
    """Say how far a run is, once there is something new after version ``after``, or after ``wait`` seconds."""
    desk, owner = _visitor(request)
    run = desk.run(owner, name)
    after = _number(request.query_params.get("after", "-1"), "version")
    wait = min(max(_number(request.query_params.get("wait", "0"), "time"), 0), LONGEST)
    until, place = time.monotonic() + wait, desk.news(run)["place"]
    while time.monotonic() < until and run.version <= after and not run.is_over:
        await asyncio.sleep(LOOK)
        if run.state == "waiting" and desk.news(run)["place"] != place:
            break
    return JSONResponse(desk.news(desk.run(owner, name)))


@ROUTES.get("/runs/{name}/preview")
async def preview(request: Request, name: str) -> Response:
    """Return the last preview."""
    desk, owner = _visitor(request)
    packed = desk.run(owner, name).preview
    if packed is None:
        raise RefusalError(HTTPStatus.NOT_FOUND, "There is no preview (any more).")
    return Response(packed, media_type=BINARY)


@ROUTES.get("/runs/{name}/result")
async def result(request: Request, name: str) -> Response:
    """Return the result; a part of it where a range of bytes is asked for."""
    desk, owner = _visitor(request)
    run = desk.run(owner, name)
    if run.result is None or not run.result.is_file():
        raise RefusalError(HTTPStatus.NOT_FOUND, "There is no result (any more).")
    return FileResponse(run.result, media_type=BINARY)


@ROUTES.delete("/runs/{name}")
async def cancel(request: Request, name: str) -> Response:
    """Stop a run and forget it."""
    desk, owner = _visitor(request)
    desk.forget(desk.run(owner, name))
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _visitor(request: Request) -> tuple[Desk, str]:
    """Return the desk, and whose token the request has."""
    tokens: Tokens = request.app.state.tokens
    return request.app.state.desk, tokens.name(request.headers.get("authorization", ""))


def _client(request: Request) -> str:
    return request.headers.get("x-client", "")[:CLIENT]


async def _body(request: Request, most: int) -> bytes:
    """Read a body that is not too large, from a client that is not too slow."""
    too_large = RefusalError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"More than {most} bytes were sent at once.")
    stated = request.headers.get("content-length", "")
    if stated.isdecimal() and int(stated[:20]) > most:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(SLOW):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    raise too_large
    except TimeoutError as error:
        reason = f"What was sent did not arrive within {SLOW:g} seconds; try again on a faster connection."
        raise RefusalError(HTTPStatus.REQUEST_TIMEOUT, reason) from error
    return bytes(body)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InputError("What was sent is not JSON.") from error


def _number(text: str, what: str) -> int:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 16):
        raise InputError(f"{text[:40]!r} is no {what}; give a whole number.")
    return int(text)


async def _refuse(request: Request, error: Exception) -> JSONResponse:
    """Answer an error that is told to the client."""
    del request
    status, message = HTTPStatus.UNPROCESSABLE_ENTITY, str(error)
    if isinstance(error, RefusalError):
        status = error.status
    elif isinstance(error, HTTPException):
        status, message = HTTPStatus(error.status_code), str(error.detail)
    kind = type(error).__name__ if isinstance(error, LDSegError) else "InputError"
    headers = {"Connection": "close"} if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE else {}
    return JSONResponse({"kind": kind, "message": message[:4000]}, status, headers=headers)


async def _fail(request: Request, error: Exception) -> JSONResponse:
    """Answer an error that nobody expected; the log has it."""
    LOG.error("%s %s failed", request.method, request.url.path.rsplit("/", 1)[0], exc_info=error)
    reason = f"The server failed ({type(error).__name__}); its log says more."
    return JSONResponse({"kind": "EngineError", "message": reason}, HTTPStatus.INTERNAL_SERVER_ERROR)
