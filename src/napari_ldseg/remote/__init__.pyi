from ._http import GoneError as GoneError, UnreachableError as UnreachableError
from ._order import (
    Order as Order,
    SaidPrompt as SaidPrompt,
    fitting as fitting,
    heard as heard,
    known_dtype as known_dtype,
    order_of as order_of,
    plan_of as plan_of,
    tell as tell,
)
from ._result import pack_result as pack_result, result_of as result_of
from ._server import RemoteModel as RemoteModel, Server as Server
from ._token import TOKEN as TOKEN, find_token as find_token, keep_token as keep_token
from ._wire import (
    DAMAGED as DAMAGED,
    PIECE as PIECE,
    WIRE as WIRE,
    digest as digest,
    expand as expand,
    identity as identity,
    pack as pack,
    piece_sizes as piece_sizes,
    pieces as pieces,
    plain as plain,
    squeeze as squeeze,
    unpack as unpack,
)
