"""The command line has a file for each command; `_app` joins them."""

from ._app import app as app, main as main
