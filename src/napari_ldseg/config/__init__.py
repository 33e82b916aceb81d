"""All settings, each written once: frozen, validated, JSON both ways.

Each field that a person may set is made by :func:`setting`, with its default, limits, title, description and the
places where it shows. The forms of the viewer and the flags of the command line are made from :func:`settings_of`, so
nothing of this is written twice. A few fields have a flag and no row: ``_tests/test_settings.py`` lists them, with the
reasons.

Axes are ``(N, C, (Z), Y, X)``; spatial tuples are ordered ``((Z), Y, X)``.
"""

from ._base import (
    FORMAT_VERSION as FORMAT_VERSION,
    TIMESTEPS as TIMESTEPS,
    Config as Config,
    DemoSample as DemoSample,
    Device as Device,
    Precision as Precision,
    Prediction as Prediction,
    QuPathObject as QuPathObject,
    Ranking as Ranking,
    SamplerName as SamplerName,
    Schedule as Schedule,
    Tiling as Tiling,
    VolumeMethod as VolumeMethod,
    WrittenFormat as WrittenFormat,
)
from ._colors import PALETTE as PALETTE, class_color as class_color
from ._measure import CardiacConfig as CardiacConfig, MeasureConfig as MeasureConfig
from ._model import DiffusionConfig as DiffusionConfig, InputConfig as InputConfig, ModelConfig as ModelConfig
from ._network import (
    AnyNetworkConfig as AnyNetworkConfig,
    AuthorsConfig as AuthorsConfig,
    FamilyConfig as FamilyConfig,
    NetworkConfig as NetworkConfig,
)
from ._objects import ObjectsConfig as ObjectsConfig
from ._recipe import Scanner as Scanner
from ._samplers import SAMPLER_FACTS as SAMPLER_FACTS, SamplerFacts as SamplerFacts, too_few_steps as too_few_steps
from ._segment import BatchConfig as BatchConfig, PartConfig as PartConfig, SegmentConfig as SegmentConfig
from ._serve import ServeConfig as ServeConfig
from ._setting import Setting as Setting, Show as Show, setting as setting, settings_of as settings_of
from ._train import Learn as Learn, TrainConfig as TrainConfig, TrainJob as TrainJob
from ._trust import TrustConfig as TrustConfig
