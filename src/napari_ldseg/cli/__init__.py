"""The command line: one file for each command, put together in `_app`."""

from ._app import app, main

__all__ = ["app", "main"]
