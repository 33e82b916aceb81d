"""LDSeg: latent diffusion segmentation with uncertainty (arXiv 2407.12952), for Python, the shell and napari.

Every public name is imported when it is first asked for, so that ``import napari_ldseg`` (which napari does at its
start) loads neither torch nor Qt.
"""

from typing import TYPE_CHECKING

from ._lazy import lazy
from ._version import __version__

if TYPE_CHECKING:
    from .batch import BatchReport, segment_folder
    from .checkpoints import list_models, load_model, save_model
    from .config import (
        CardiacConfig,
        DiffusionConfig,
        InputConfig,
        MeasureConfig,
        ModelConfig,
        NetworkConfig,
        SegmentConfig,
        TrainConfig,
    )
    from .data import Image, Reading, TrainingSet, find_pairs, read_image, read_part
    from .errors import CheckpointError, EngineError, InputError, LDSegError
    from .inference import Progress, Segmentation, segment
    from .measure import Cardiac, Measured, Measurement, SampleMasks, measure_cardiac, measure_frames, measure_objects
    from .training import Epoch, fine_tune, stop_training, train

__all__ = [
    "BatchReport",
    "Cardiac",
    "CardiacConfig",
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
    "Reading",
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
    "measure_cardiac",
    "measure_frames",
    "measure_objects",
    "read_image",
    "read_part",
    "save_model",
    "segment",
    "segment_folder",
    "stop_training",
    "train",
]

_ROOMS = {
    "batch": ("BatchReport", "segment_folder"),
    "checkpoints": ("list_models", "load_model", "save_model"),
    "config": (
        "CardiacConfig",
        "DiffusionConfig",
        "InputConfig",
        "MeasureConfig",
        "ModelConfig",
        "NetworkConfig",
        "SegmentConfig",
        "TrainConfig",
    ),
    "data": ("Image", "Reading", "TrainingSet", "find_pairs", "read_image", "read_part"),
    "errors": ("CheckpointError", "EngineError", "InputError", "LDSegError"),
    "inference": ("Progress", "Segmentation", "segment"),
    "measure": (
        "Cardiac",
        "Measured",
        "Measurement",
        "SampleMasks",
        "measure_cardiac",
        "measure_frames",
        "measure_objects",
    ),
    "training": ("Epoch", "fine_tune", "stop_training", "train"),
}
_ROOM_OF = {name: f".{room}" for room, names in _ROOMS.items() for name in names}
__getattr__ = lazy(__name__, _ROOM_OF)


def __dir__() -> list[str]:
    return __all__
