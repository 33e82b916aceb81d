"""Libraries that only some formats and outputs need."""

import importlib
from typing import Any

from ..errors import InputError


def optional(module: str, what: str, extra: str = "medical") -> Any:
    """Import a library of an extra.

    Raises
    ------
    InputError
        If it is missing, with the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(
            f"{what} needs the package {module.partition('.')[0]}; run: pip install 'napari-ldseg[{extra}]'"
        ) from error
