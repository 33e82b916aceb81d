"""Send an image once: what the server has already is not sent again."""

from collections.abc import Generator
from typing import Any

from numpy.typing import NDArray

from ..errors import InputError
from ..inference import SegmentProgress
from ._http import Connection, GoneError
from ._wire import digest, pieces, plain, squeeze

# How often a piece that arrives damaged, or an image that a new server does not know, is sent.
TRIES = 3


def send(connection: Connection, array: NDArray[Any], name: str) -> Generator[SegmentProgress, None, str]:
    """Send the pixels of an image; return what the server calls it.

    Yields
    ------
    SegmentProgress
        After each piece.

    Raises
    ------
    InputError
        The pixels cannot be sent, or the server has no room.
    EngineError
        The server does not answer.
    """
    pixels = plain(array, name)
    parts = list(pieces(pixels))
    yield SegmentProgress(text="Comparing with what the server has")
    announced = {
        "dtype": pixels.dtype.name,
        "shape": list(pixels.shape),
        "pieces": [digest(part) for part in parts],
    }
    for tries in range(TRIES, 0, -1):
        answer = connection.json("POST", "images", json=announced)
        image, missing = str(answer["image"]), [int(number) for number in answer["missing"]]
        try:
            for done, number in enumerate(missing):
                yield SegmentProgress(done, len(missing), f"Sending the image, {100 * done // len(missing)} %")
                _send_piece(connection, f"images/{image}/{number}", squeeze(parts[number], pixels.itemsize))
        except GoneError:  # started anew meanwhile
            if tries == 1:
                raise
            continue
        break
    return image


def _send_piece(connection: Connection, path: str, packed: bytes) -> None:
    for tries in range(TRIES, 0, -1):
        try:
            connection.ask("PUT", path, body=packed)
        except InputError:
            if tries == 1:
                raise
        else:
            return
