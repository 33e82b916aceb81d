"""Compute for others: models, images, runs and a fair queue, over HTTP (extra `server`)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
