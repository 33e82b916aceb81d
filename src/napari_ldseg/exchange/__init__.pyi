from ._imagenet import load_backbone
from ._state_dict import import_torch
from ._torchscript import Exported, export_model
from .keras._files import keras_files
from .keras._import import import_keras

__all__ = ["Exported", "export_model", "import_keras", "import_torch", "keras_files", "load_backbone"]
