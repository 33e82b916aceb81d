"""Train from scratch, in the paper's two stages, or fine-tune; in this process or in one of its own."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
