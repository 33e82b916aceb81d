"""Images that were sent, on the disk: by content, piece by piece, and only as many as fit."""

import threading
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..remote import PIECE, digest, expand, identity, known_dtype, piece_sizes
from ._refusal import RefusalError

Key = tuple[str, str]


@dataclass
class Upload:
    """An image that is arriving, or has."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    digests: tuple[str, ...]
    path: Path
    missing: set[int]
    used: float = field(default_factory=time.monotonic)
    held: int = 0

    @property
    def size(self) -> int:
        """Bytes."""
        return int(np.prod(self.shape, dtype=object)) * self.dtype.itemsize


class Images:
    """The images of all tokens. Nobody sees those of another one.

    Parameters
    ----------
    folder : Path
        Must exist.
    most : int
        Bytes of one image.
    room : int
        Bytes of all; one token may use half of it.
    idle : float
        Seconds after which an image that nobody asked for is forgotten.
    """

    def __init__(self, folder: Path, most: int, room: int, idle: float) -> None:
        self._folder, self._most, self._room, self._idle = folder, most, room, idle
        self._known: dict[Key, Upload] = {}
        self._lock = threading.Lock()
        self._number = 0

    @property
    def size(self) -> int:
        """Bytes of all images."""
        return sum(one.size for one in self._known.values())

    def begin(self, owner: str, dtype: str, shape: tuple[int, ...], digests: tuple[str, ...]) -> tuple[str, list[int]]:
        """Announce an image; return its name and the pieces that are missing.

        Raises
        ------
        InputError, RefusalError
            Kind, shape and pieces do not fit each other, or there is no room.
        """
        kind = known_dtype(dtype)
        size = int(np.prod(shape, dtype=object)) * kind.itemsize
        if not 0 < size <= self._most:
            raise RefusalError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"The image has {size} bytes; this server takes 1 to {self._most}. Send a part of it, or ask whoever "
                "runs the server to raise --image-mb.",
            )
        if len(digests) != len(piece_sizes(size)):
            raise InputError(f"{size} bytes are {len(piece_sizes(size))} pieces, but {len(digests)} were announced.")
        name = identity(dtype, shape, digests)
        with self._lock:
            known = self._known.get((owner, name))
            if known is None:
                self._make_room(owner, size)
                self._number += 1
                path = self._folder / f"image-{self._number}"
                with path.open("wb") as file:
                    file.truncate(size)
                known = Upload(kind, shape, digests, path, set(range(len(digests))))
                self._known[owner, name] = known
            known.used = time.monotonic()
            return name, sorted(known.missing)

    def put(self, owner: str, name: str, number: int, packed: bytes) -> None:
        """Take a piece.

        Raises
        ------
        InputError, RefusalError
            It is damaged, or nobody announced it.
        """
        upload = self._find(owner, name)
        if not 0 <= number < len(upload.digests):
            raise RefusalError(HTTPStatus.NOT_FOUND, f"The image has no piece {number}.")
        raw = expand(packed, piece_sizes(upload.size)[number])
        if digest(raw) != upload.digests[number]:
            raise InputError(f"Piece {number} of the image is damaged; send it again.")
        with self._lock:
            if number not in upload.missing:
                return
            try:
                with upload.path.open("r+b") as file:
                    file.seek(number * PIECE)
                    file.write(raw)
            except OSError as error:
                reason = f"The server cannot store the image ({error.strerror}); try again later."
                raise RefusalError(HTTPStatus.INSUFFICIENT_STORAGE, reason) from error
            upload.missing.discard(number)

    def hold(self, owner: str, name: str) -> NDArray[Any]:
        """Return the pixels of a whole image, which stays until it is released.

        Raises
        ------
        RefusalError
            It is unknown, or pieces are missing.
        """
        upload = self._find(owner, name)
        with self._lock:
            if upload.missing:
                reason = f"{len(upload.missing)} pieces of the image are missing; send them first."
                raise RefusalError(HTTPStatus.CONFLICT, reason)
            upload.held += 1
        return np.memmap(upload.path, upload.dtype, "r", shape=upload.shape)

    def release(self, owner: str, name: str) -> None:
        """Let an image go."""
        with self._lock:
            upload = self._known.get((owner, name))
            if upload is not None:
                upload.held -= 1
                upload.used = time.monotonic()

    def sweep(self) -> None:
        """Forget what nobody asked for."""
        before = time.monotonic() - self._idle
        with self._lock:
            for key in [key for key, one in self._known.items() if not one.held and one.used < before]:
                self._forget(key)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            for key in list(self._known):
                self._forget(key)

    def _find(self, owner: str, name: str) -> Upload:
        with self._lock:
            upload = self._known.get((owner, name))
            if upload is None:
                raise RefusalError(
                    HTTPStatus.NOT_FOUND, "The server does not have this image (any more); send it again."
                )
            upload.used = time.monotonic()
            return upload

    def _make_room(self, owner: str, size: int) -> None:
        """Forget what was used least recently: of this token beyond its half, then of all."""
        own = [key for key in self._known if key[0] == owner]
        self._shrink(own, self._room // 2 - size)
        self._shrink(list(self._known), self._room - size)

    def _shrink(self, keys: list[Key], room: int) -> None:
        for key in sorted(keys, key=lambda key: self._known[key].used):
            if sum(self._known[one].size for one in keys if one in self._known) <= room:
                return
            if not self._known[key].held:
                self._forget(key)
        if sum(self._known[one].size for one in keys if one in self._known) > room:
            raise RefusalError(
                HTTPStatus.INSUFFICIENT_STORAGE,
                "The server has no room for this image while others are computed; try again later, or send a part.",
            )

    def _forget(self, key: Key) -> None:
        self._known.pop(key).path.unlink(missing_ok=True)
