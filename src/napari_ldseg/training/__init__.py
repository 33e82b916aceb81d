"""Training from scratch, in the paper's two stages, and fine-tuning; here, or in a process of its own."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
