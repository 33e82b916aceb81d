"""LDSeg: latent diffusion segmentation with uncertainty (arXiv 2407.12952), for Python, the shell and napari.

Every public name is imported when it is first asked for, so that ``import napari_ldseg`` (which napari does at its
start) loads neither torch nor Qt.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .checkpoints import list_models, load_model, save_model
    from .config import (
        DiffusionConfig,
        InputConfig,
        MeasureConfig,
        ModelConfig,
        NetworkConfig,
        SegmentConfig,
        TrainConfig,
    )
    from .data import Image, TrainingSet, find_pairs, read_image
    from .errors import CheckpointError, EngineError, InputError, LDSegError
    from .inference import Progress, Segmentation, segment
    from .measure import Measured, Measurement, SampleMasks, measure_frames, measure_objects
    from .training import Epoch, fine_tune, stop_training, train

__version__ = "0.1.0"

__all__ = [
    "CheckpointError",
    "DiffusionConfig",
    "EngineError",
    "Epoch",
    "Image",
    "InputConfig",
    "InputError",
    "LDSegError",
    "MeasureConfig",
    "Measured",
    "Measurement",
    "ModelConfig",
    "NetworkConfig",
    "Progress",
    "SampleMasks",
    "SegmentConfig",
    "Segmentation",
    "TrainConfig",
    "TrainingSet",
    "__version__",
    "find_pairs",
    "fine_tune",
    "list_models",
    "load_model",
    "measure_frames",
    "measure_objects",
    "read_image",
    "save_model",
    "segment",
    "stop_training",
    "train",
]

_ROOMS = {
    "checkpoints": ("list_models", "load_model", "save_model"),
    "config": (
        "DiffusionConfig",
        "InputConfig",
        "MeasureConfig",
        "ModelConfig",
        "NetworkConfig",
        "SegmentConfig",
        "TrainConfig",
    ),
    "data": ("Image", "TrainingSet", "find_pairs", "read_image"),
    "errors": ("CheckpointError", "EngineError", "InputError", "LDSegError"),
    "inference": ("Progress", "Segmentation", "segment"),
    "measure": ("Measured", "Measurement", "SampleMasks", "measure_frames", "measure_objects"),
    "training": ("Epoch", "fine_tune", "stop_training", "train"),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a public name from its room (PEP 562)."""
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_ROOM_OF[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
