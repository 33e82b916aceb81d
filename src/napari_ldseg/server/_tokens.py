"""Who may ask: tokens by name."""

import hashlib
import hmac
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from ..errors import InputError
from ._refusal import RefusalError

ANYBODY = "local"
LEAST, MOST = 16, 512


@dataclass(frozen=True)
class Tokens:
    """The hashes of all tokens, by the name of whom each belongs to; none: anybody may ask."""

    hashes: dict[str, bytes]

    @classmethod
    def of(cls, tokens: dict[str, str]) -> "Tokens":
        """Take tokens by name.

        Raises
        ------
        InputError
            One is too short to be safe, or two are the same.
        """
        for name, token in tokens.items():
            if not LEAST <= len(token) <= MOST or not token.isascii() or not token.isprintable():
                raise InputError(
                    f"The token of {name!r} has {len(token)} characters; it needs {LEAST} to {MOST} letters, digits or "
                    "signs."
                )
        hashes = {name: _hash(token) for name, token in tokens.items()}
        if len(set(hashes.values())) < len(hashes):
            raise InputError("Two names have the same token; give each its own.")
        return cls(hashes)

    @classmethod
    def read(cls, path: Path) -> "Tokens":
        """Read a file with a name and a token on each line; lines that start with # say nothing.

        Raises
        ------
        InputError
            It cannot be read, or a line is none of these.
        """
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"The tokens {path} cannot be read ({error}); it must be text in UTF-8.") from error
        found: dict[str, str] = {}
        for number, line in enumerate(lines, start=1):
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            if len(words) != 2 or words[0] in found:
                raise InputError(f"Line {number} of {path} must be a new name and a token, separated by a space.")
            found[words[0]] = words[1]
        if not found:
            raise InputError(f"{path} holds no token; write a name and a token on each line.")
        return cls.of(found)

    def name(self, authorization: str) -> str:
        """Return whose token a header ``Bearer TOKEN`` holds.

        Raises
        ------
        RefusalError
            It is nobody's.
        """
        if not self.hashes:
            return ANYBODY
        kind, _, token = authorization.partition(" ")
        given, found = _hash(token.strip()), ""
        for name, known in self.hashes.items():  # all of them, so that the time tells nothing
            if hmac.compare_digest(given, known):
                found = name
        if kind.lower() != "bearer" or not found:
            raise RefusalError(
                HTTPStatus.UNAUTHORIZED, "The token is missing or wrong; ask whoever runs the server for one."
            )
        return found


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
