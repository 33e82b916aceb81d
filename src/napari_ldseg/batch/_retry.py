"""Retry storage that fails for a moment, such as a network drive under load."""

import errno
import time
from collections.abc import Callable
from typing import TypeVar

from ..errors import LDSegError

Result = TypeVar("Result")

PAUSES = (1.0, 5.0, 25.0)
_NAMES = ("EIO", "ESTALE", "ETIMEDOUT", "EAGAIN", "EBUSY", "ENETDOWN", "ENETUNREACH", "EHOSTDOWN", "EREMOTEIO")
TRANSIENT = {getattr(errno, name) for name in _NAMES if hasattr(errno, name)}


def patiently(call: Callable[[], Result]) -> Result:
    """Call a function, and retry after 1, 5 and 25 seconds if the storage failed in a way that may pass."""
    for pause in PAUSES:
        try:
            return call()
        except (OSError, LDSegError) as error:
            cause = error if isinstance(error, OSError) else error.__cause__
            if not isinstance(cause, OSError) or cause.errno not in TRANSIENT:
                raise
            time.sleep(pause)
    return call()
