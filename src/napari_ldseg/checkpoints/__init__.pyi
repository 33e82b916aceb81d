from ._build import check_tensors, empty_model, fill_model
from ._device import autocast, fastest_convolutions, resolve_device
from ._fetch import fetch_model, offered_models
from ._header import AGAIN, MAX_PARAMETERS, MODEL_FILE, Header, Tensor, file_to_write, model_file, read_header
from ._index import Index, Offer, own_index
from ._library import check_name, delete_model, export_model, install_model, rename_model
from ._registry import ModelEntry, find_model, list_models, released_folder
from ._weights import load_model, save_model

__all__ = [
    "AGAIN",
    "MAX_PARAMETERS",
    "MODEL_FILE",
    "Header",
    "Index",
    "ModelEntry",
    "Offer",
    "Tensor",
    "autocast",
    "check_name",
    "check_tensors",
    "delete_model",
    "empty_model",
    "export_model",
    "fastest_convolutions",
    "fetch_model",
    "file_to_write",
    "fill_model",
    "find_model",
    "install_model",
    "list_models",
    "load_model",
    "model_file",
    "offered_models",
    "own_index",
    "read_header",
    "released_folder",
    "rename_model",
    "resolve_device",
    "save_model",
]
