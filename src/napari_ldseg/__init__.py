"""LDSeg: latent diffusion segmentation with uncertainty (arXiv 2407.12952), for Python, the shell and napari.

Every public name is imported when it is first asked for, so that ``import napari_ldseg`` (which napari does at its
start) loads neither torch nor Qt.
"""

import lazy_loader

from ._version import __version__ as __version__

__getattr__, __dir__, _lazy = lazy_loader.attach_stub(__name__, __file__)
__all__ = [*_lazy, "__version__"]
