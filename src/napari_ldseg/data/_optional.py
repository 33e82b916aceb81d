"""Libraries that only some formats need."""

import importlib
from typing import Any

from ..errors import InputError


def optional(module: str, what: str) -> Any:
    """Import a library of the extra ``medical``.

    Raises
    ------
    InputError
        Where it is missing, with the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(
            f"{what} needs the package {module.partition('.')[0]}; run: pip install 'napari-ldseg[medical]'"
        ) from error
