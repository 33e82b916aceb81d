"""Import torch while the viewer runs, without freezing it.

``import torch`` in a thread still freezes the viewer for half a second: Python holds its global lock while the
system loads torch's 400 MB library, and the import makes enough objects for several full garbage collections,
each of which walks all of napari's objects, too (150 ms). Measured: the longest gap in the event loop falls from
350 to 670 ms to about 50 ms.
"""

import ctypes
import gc
import importlib.util
import sys
from pathlib import Path


def import_torch() -> None:
    """Import torch, and pandas for the results' tables. Call it in a thread; later calls return at once."""
    if {"torch", "pandas"} <= sys.modules.keys():
        return
    _load_library()
    pausing = gc.isenabled()
    gc.disable()
    try:
        import pandas  # noqa: F401
        import torch  # noqa: F401
    finally:
        if pausing:
            gc.enable()


def _load_library() -> None:
    """Load torch's library by a foreign call, which (unlike an import) releases Python's lock."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None or sys.platform == "win32":
        return
    suffix = ".dylib" if sys.platform == "darwin" else ".so"
    library = Path(spec.origin).parent / "lib" / f"libtorch_cpu{suffix}"
    load = ctypes.CDLL(None).dlopen
    load.restype, load.argtypes = ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_int]
    # If this fails, the import that follows says why.
    load(str(library).encode(), ctypes.RTLD_LOCAL | 1)
