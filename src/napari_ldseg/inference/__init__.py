"""Turn an image into masks with uncertainty: embed, sample, decode, average. Results and progress need no torch."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
