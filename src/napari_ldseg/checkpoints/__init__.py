"""Files and models: save, load, list. Listing needs no torch; what does is imported when it is first asked for."""

from typing import TYPE_CHECKING

from .._lazy import lazy
from ._header import Header, file_to_write, read_header
from ._manage import check_name, delete_model, export_model, install_model, rename_model
from ._registry import ModelEntry, find_model, keras_files, list_models, released_folder, user_folder

if TYPE_CHECKING:
    from ._backbone import load_backbone
    from ._device import autocast, fastest_convolutions, resolve_device
    from ._keras import import_keras
    from ._torch_file import import_torch
    from ._weights import load_model, save_model

__all__ = [
    "Header",
    "ModelEntry",
    "autocast",
    "check_name",
    "delete_model",
    "export_model",
    "fastest_convolutions",
    "file_to_write",
    "find_model",
    "import_keras",
    "import_torch",
    "install_model",
    "keras_files",
    "list_models",
    "load_backbone",
    "load_model",
    "read_header",
    "released_folder",
    "rename_model",
    "resolve_device",
    "save_model",
    "user_folder",
]

_LAZY = {
    "autocast": "._device",
    "fastest_convolutions": "._device",
    "import_keras": "._keras",
    "load_backbone": "._backbone",
    "import_torch": "._torch_file",
    "load_model": "._weights",
    "resolve_device": "._device",
    "save_model": "._weights",
}

__getattr__ = lazy(__name__, _LAZY)
