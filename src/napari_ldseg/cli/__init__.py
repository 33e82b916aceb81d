"""The command line: one file for each command, put together in `_app`."""

from ._app import app as app, main as main
