"""Import and export models of other programs: Keras, PyTorch, ImageNet weights, TorchScript and bioimage.io."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
