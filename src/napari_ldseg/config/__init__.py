"""All settings, each written once: frozen, validated, JSON both ways.

The forms in the viewer, the flags of the command line and the model card are made from these fields, so a default, a
limit or a tooltip is never written twice.

Axes are ``(N, C, (Z), Y, X)``; spatial tuples are ordered ``((Z), Y, X)``.
"""

from ._base import (
    FORMAT_VERSION,
    TIMESTEPS,
    TWO_STEPS,
    Config,
    DemoSample,
    Device,
    Precision,
    Prediction,
    Ranking,
    SamplerName,
    Schedule,
    Tiling,
    VolumeMethod,
)
from ._measure import CardiacConfig, MeasureConfig
from ._model import DiffusionConfig, InputConfig, ModelConfig
from ._network import AnyNetworkConfig, AuthorsConfig, FamilyConfig, NetworkConfig
from ._segment import BatchConfig, SegmentConfig
from ._train import Learn, TrainConfig, TrainJob

__all__ = [
    "FORMAT_VERSION",
    "TIMESTEPS",
    "TWO_STEPS",
    "AnyNetworkConfig",
    "AuthorsConfig",
    "BatchConfig",
    "CardiacConfig",
    "Config",
    "DemoSample",
    "Device",
    "DiffusionConfig",
    "FamilyConfig",
    "InputConfig",
    "Learn",
    "MeasureConfig",
    "ModelConfig",
    "NetworkConfig",
    "Precision",
    "Prediction",
    "Ranking",
    "SamplerName",
    "Schedule",
    "SegmentConfig",
    "Tiling",
    "TrainConfig",
    "TrainJob",
    "VolumeMethod",
]
