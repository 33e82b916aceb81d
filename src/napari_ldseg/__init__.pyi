from ._util import Progress
from .batch import BatchReport, segment_folder
from .cardiac import Cardiac, measure_cardiac
from .checkpoints import fetch_model, list_models, load_model, save_model
from .config import (
    CardiacConfig,
    DiffusionConfig,
    InputConfig,
    MeasureConfig,
    ModelConfig,
    NetworkConfig,
    PartConfig,
    SegmentConfig,
    TrainConfig,
)
from .data import Image, read_image
from .datasets import TrainingSet, find_pairs
from .errors import CheckpointError, EngineError, InputError, LDSegError
from .inference import Segmentation, SegmentProgress, Session, segment
from .measure import Measured, Measurement, SampleMasks, measure_frames, measure_objects
from .plan import Plan, plan_image
from .remote import Server
from .training import TrainProgress, fine_tune, stop_training, train

__version__: str

__all__ = [
    "BatchReport",
    "Cardiac",
    "CardiacConfig",
    "CheckpointError",
    "DiffusionConfig",
    "EngineError",
    "Image",
    "InputConfig",
    "InputError",
    "LDSegError",
    "MeasureConfig",
    "Measured",
    "Measurement",
    "ModelConfig",
    "NetworkConfig",
    "PartConfig",
    "Plan",
    "Progress",
    "SampleMasks",
    "SegmentConfig",
    "SegmentProgress",
    "Segmentation",
    "Server",
    "Session",
    "TrainConfig",
    "TrainProgress",
    "TrainingSet",
    "__version__",
    "fetch_model",
    "find_pairs",
    "fine_tune",
    "list_models",
    "load_model",
    "measure_cardiac",
    "measure_frames",
    "measure_objects",
    "plan_image",
    "read_image",
    "save_model",
    "segment",
    "segment_folder",
    "stop_training",
    "train",
]
