"""All settings, each written once: frozen, validated, JSON both ways.

Each field that a person may set is made by :func:`setting`, with its default, limits, title, description and the
places where it shows. The forms of the viewer and the flags of the command line are made from :func:`settings_of`, so
nothing of this is written twice. A few fields have a flag and no row: ``_tests/test_settings.py`` lists them, with the
reasons.

Axes are ``(N, C, (Z), Y, X)``; spatial tuples are ordered ``((Z), Y, X)``.
"""

from ._base import (
    FORMAT_VERSION,
    TIMESTEPS,
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
    WrittenFormat,
)
from ._colors import PALETTE, class_color
from ._measure import CardiacConfig, MeasureConfig
from ._model import DiffusionConfig, InputConfig, ModelConfig
from ._network import AnyNetworkConfig, AuthorsConfig, FamilyConfig, NetworkConfig
from ._recipe import Scanner
from ._samplers import SAMPLER_FACTS, SamplerFacts, too_few_steps
from ._segment import BatchConfig, PartConfig, SegmentConfig
from ._setting import Setting, Show, setting, settings_of
from ._train import Learn, TrainConfig, TrainJob
from ._trust import TrustConfig

__all__ = [
    "FORMAT_VERSION",
    "PALETTE",
    "SAMPLER_FACTS",
    "TIMESTEPS",
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
    "PartConfig",
    "Precision",
    "Prediction",
    "Ranking",
    "SamplerFacts",
    "SamplerName",
    "Scanner",
    "Schedule",
    "SegmentConfig",
    "Setting",
    "Show",
    "Tiling",
    "TrainConfig",
    "TrainJob",
    "TrustConfig",
    "VolumeMethod",
    "WrittenFormat",
    "class_color",
    "setting",
    "settings_of",
    "too_few_steps",
]
