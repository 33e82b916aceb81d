"""The only room that knows the viewer: napari, Qt. A widget's module is imported when it is first asked for."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
