"""The token for a server: from the environment, or the keyring of the operating system."""

import os
from typing import Any

# The environment variable that holds a token, for scripts.
TOKEN = "NAPARI_LDSEG_TOKEN"
SERVICE = "napari-ldseg"


def find_token(address: str) -> str | None:
    """Return the token for a server, if one is known."""
    own = os.environ.get(TOKEN)
    if own:
        return own.strip()
    keyring = _keyring()
    if keyring is None:
        return None
    try:
        found: str | None = keyring.get_password(SERVICE, address)
    except keyring.errors.KeyringError:
        return None
    return found


def keep_token(address: str, token: str | None) -> bool:
    """Keep a token in the system's keyring, or remove it; return whether that was possible."""
    keyring = _keyring()
    if keyring is None:
        return False
    try:
        if token:
            keyring.set_password(SERVICE, address, token)
        elif keyring.get_password(SERVICE, address) is not None:
            keyring.delete_password(SERVICE, address)
    except keyring.errors.KeyringError:
        return False
    return True


def _keyring() -> Any:
    try:
        import keyring
        import keyring.errors
    except ImportError:
        return None
    return keyring
