from ._bioimage import package as package
from ._imagenet import load_backbone as load_backbone
from ._onnx import export_onnx as export_onnx
from ._state_dict import import_torch as import_torch
from ._torchscript import Exported as Exported, export_model as export_model
from .keras._files import keras_files as keras_files
from .keras._import import import_keras as import_keras
