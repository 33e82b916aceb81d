"""`napari-ldseg serve` computes for other computers."""

import logging

from rich.logging import RichHandler

from ..config import ServeConfig
from ._common import border, say
from ._options import Given, options


@border("The server has ended.")
@options(ServeConfig)
def serve(given: Given) -> None:
    """Compute for others: a laptop that annotates, many people who share one GPU.

    They choose it by *Compute on* in the Segment widget, by `segment --server ADDRESS`, or by napari_ldseg.Server in
    Python. Beyond this computer everybody needs a token; docs/server.md says how to run it behind a proxy with TLS.
    """
    config = given.config(ServeConfig)
    from ..server import serve as run

    logging.basicConfig(format="%(message)s", datefmt="%H:%M:%S", handlers=[RichHandler(show_path=False)])
    run(config, say)
