"""The settings that a checkpoint states about itself."""

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from ._base import TIMESTEPS, Config, Prediction, SamplerName, Schedule
from ._network import AnyNetworkConfig, AuthorsConfig, NetworkConfig
from ._objects import ObjectsConfig
from ._trust import TrustConfig


class DiffusionConfig(Config):
    """The forward process and what the denoiser predicts."""

    schedule: Schedule = Field("cosine", description="Noise schedule (cosine: Nichol & Dhariwal 2021, s = 0.008).")
    timesteps: int = Field(TIMESTEPS, ge=2, le=10_000, description="T, the number of timesteps.")
    prediction: Prediction = Field("epsilon", description="What the denoiser predicts.")


class InputConfig(Config):
    """How a model saw its images during training."""

    mode: Literal["fit", "spacing"] = Field(
        "fit",
        description="'fit': the whole image is resized to `shape`; 'spacing': it is resampled to `spacing`.",
    )
    shape: tuple[int, ...] = Field((256, 256), description="Training shape ((Z), Y, X) in pixels.")
    spacing: tuple[float, ...] | None = Field(
        None, description="Pixel size ((Z), Y, X) in `unit` that the networks see (mode 'spacing')."
    )
    source_spacing: tuple[float, ...] | None = Field(
        None, description="Pixel size that is assumed if an image states none."
    )
    unit: str = Field("micrometer", description="Unit of both spacings.")
    channels: Literal["rgb", "grayscale", "any"] = Field("rgb", description="What the image channels are.")
    normalization: Literal["range", "minmax", "percentile"] = Field(
        "range",
        description="'range': by the range of the integer type (0 to 255 becomes 0 to 1); 'minmax': per image; "
        "'percentile': per image, from its 0.5th to its 99.5th percentile (for intensities of no unit, as in MRI).",
    )
    upright: bool = Field(
        False, description="Whether all images have about the same orientation, as in echocardiography."
    )


class ModelConfig(Config):
    """Everything a checkpoint states about itself, besides its weights and its card."""

    name: str = Field("untitled", min_length=1, max_length=80, pattern=r"^[\w][\w .+-]*$")
    title: str = Field("", description="One line that says what the model segments.")
    class_names: tuple[str, ...] = Field(("background", "foreground"))
    class_colors: tuple[str, ...] = Field((), description="One #rrggbb for each class, background first.")
    network: AnyNetworkConfig = Field(default_factory=NetworkConfig)
    diffusion: DiffusionConfig = Field(default_factory=DiffusionConfig)
    input: InputConfig = Field(default_factory=InputConfig)
    sampler: SamplerName = Field("dpm-solver++", description="Sampler used unless another is asked for.")
    steps: int = Field(10, ge=1, le=TIMESTEPS, description="K, the sampling steps used by default.")
    views: Literal[1, 2, 4, 8] = Field(
        1, description="Mirror images that the samples take turns with by default (test-time augmentation)."
    )
    smoothing: float = Field(
        0.0,
        ge=0,
        le=100,
        description="SD, in frames, of the average over the embeddings of neighbouring frames, used by default for "
        "sequences of at least 8 frames.",
    )
    score: str = Field("", description="Validation score in a few words, with its split.")
    trust: TrustConfig = Field(default_factory=TrustConfig)
    objects: ObjectsConfig = Field(default_factory=ObjectsConfig)

    @property
    def guesses(self) -> bool:
        """Whether the network makes a first guess, without diffusion."""
        return isinstance(self.network, NetworkConfig) and self.network.guess

    @property
    def classes(self) -> int:
        """How many classes the labels have, background included; the networks may draw rims besides."""
        return self.network.classes - len(self.objects.rims)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.class_names) != self.classes:
            raise ValueError(f"{self.classes} classes need as many class_names")
        if self.class_colors and len(self.class_colors) != self.classes:
            raise ValueError(f"{self.classes} classes need as many class_colors")
        if any(c >= self.classes for c in self.objects.classes):
            raise ValueError(f"objects.classes must be below {self.classes}, the number of classes")
        ndim = self.network.ndim
        for name in ("shape", "spacing", "source_spacing"):
            value = getattr(self.input, name)
            if value is not None and (len(value) != ndim or not all(0 < v < math.inf for v in value)):
                raise ValueError(f"input.{name} needs {ndim} positive numbers")
        if isinstance(self.network, AuthorsConfig):
            shape = tuple(side * self.network.factor for side in self.network.cells)
            if self.input.mode != "fit" or self.input.shape != shape:
                raise ValueError(
                    f"networks of the authors' implementation see images of one size, here {shape}, mode 'fit'"
                )
        if self.views > 2**ndim:
            raise ValueError(f"{ndim} axes have only {2**ndim} mirror images, so views cannot be {self.views}")
        if (self.trust.guess_weight or self.trust.guess_scales) and not self.guesses:
            raise ValueError("trust.guess_weight and trust.guess_scales need a network with a first guess")
        if self.trust.guess_scales and (ndim == 3 or self.input.mode == "fit"):
            raise ValueError("trust.guess_scales are for 2D models that see images at one pixel size")
        if self.input.mode == "spacing" and self.input.spacing is None:
            raise ValueError("input mode 'spacing' needs a spacing")
        if self.input.channels == "rgb" and self.network.image_channels != 3:
            raise ValueError("channels 'rgb' needs three image channels")
        if self.input.channels == "grayscale" and self.network.image_channels != 1:
            raise ValueError("channels 'grayscale' needs one image channel")
        return self
