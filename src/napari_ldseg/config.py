"""All settings, each written once: frozen, validated, JSON both ways.

The form in the viewer, the flags of the command line and the model card are generated from these fields,
so a default, a limit or a tooltip is never written twice.
Axes are ``(N, C, (Z), Y, X)``; spatial tuples are ordered ``((Z), Y, X)``.
"""

import math
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError, model_validator

from .errors import InputError

FORMAT_VERSION = 1
TIMESTEPS = 1000

Schedule = Literal["cosine", "linear", "quadratic"]
Prediction = Literal["epsilon", "sample", "v"]
SamplerName = Literal["ddpm", "ddim", "dpm-solver++", "ldseg-release", "ldseg-release-ddpm"]
Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "float32", "bfloat16"]
Ranking = Literal[
    "expected loss",
    "sample Dice",
    "existence",
    "split or merge",
    "size variation",
    "mean SD",
    "SD per boundary",
    "soft Dice",
    "max softmax",
]


class Config(BaseModel):
    """A frozen set of values; unknown names and values out of range are refused in words."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def parse(cls, values: object) -> Self:
        """Build from plain values (for example decoded JSON).

        Raises
        ------
        InputError
            Naming each field that does not fit, and why.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or cls.__name__}: {e['msg']}" for e in error.errors())
            raise InputError(f"These settings do not fit {cls.__name__}: {faults}.") from error

    def replace(self, **changes: object) -> Self:
        """Return a copy with some fields changed, validated again."""
        return type(self).parse({**self.model_dump(), **changes})


class FamilyConfig(Config):
    """What the networks of every family state: the shapes of image, mask, latent and embedding."""

    ndim: Literal[2, 3] = Field(2, description="Spatial dimensions of images and masks.")
    image_channels: int = Field(3, ge=1, le=64, description="Channels of the image.")
    classes: int = Field(2, ge=2, le=255, description="Classes of the mask, background included.")
    latent_channels: int = Field(1, ge=1, le=64, description="Channels of the latent m0.")
    embedding_channels: int = Field(1, ge=1, le=512, description="Channels of the image embedding.")

    @property
    def downsamplings(self) -> int:
        """How many times the mask encoder and the image encoder halve the grid."""
        raise NotImplementedError

    @property
    def factor(self) -> int:
        """Pixels along one side of a latent cell."""
        return 1 << self.downsamplings


class NetworkConfig(FamilyConfig):
    """The shape of our four networks; the number of down-samplings is the number of widths."""

    latent_norm: Literal["layer", "channel"] = Field(
        "layer",
        description="Layer-norm at the mask encoder's end: over the whole latent as in the paper ('layer'), "
        "or over the channels of each cell ('channel'), which does not depend on the size of the image.",
    )
    mask_widths: tuple[int, ...] = Field((16, 32, 64, 64), description="Widths of the mask encoder's stages.")
    decoder_widths: tuple[int, ...] = Field(
        (64, 64, 32, 32),
        description="Widths of the mask decoder's stages, the coarsest first: one per up-sampling that is a stage.",
    )
    decoder_shuffle: Literal[0, 1, 2] = Field(
        0, description="How many of the last up-samplings are one pixel shuffle instead of a stage."
    )

    image_widths: tuple[int, ...] = Field((16, 32, 64, 32), description="Widths of the image encoder's stages.")
    image_blocks: int = Field(1, ge=1, le=8, description="Residual blocks in each stage of the image encoder.")
    image_attention: bool = Field(False, description="Self-attention at the image encoder's coarsest stage.")
    image_refine: int = Field(
        0,
        ge=0,
        description="Stages that the image encoder climbs back with skips before it folds to the latent's size.",
    )
    guess: bool = Field(
        False,
        description="Also condition on the latent of a first-guess mask that the image encoder predicts.",
    )

    denoiser_widths: tuple[int, ...] = Field((32, 64, 128), description="Widths of the denoiser's levels.")
    denoiser_attention: tuple[bool, ...] = Field(
        (False, True, True), description="Which of the denoiser's levels have self-attention."
    )
    denoiser_blocks: int = Field(2, ge=1, le=8, description="Residual blocks in each level of the denoiser.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Dropout in residual blocks while training.")

    @property
    def downsamplings(self) -> int:
        """How many times the mask encoder and the image encoder halve the grid."""
        return len(self.mask_widths)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        depth = self.downsamplings
        if not 1 <= depth <= 6:
            raise ValueError("between 1 and 6 down-samplings are supported")
        if len(self.image_widths) != depth:
            raise ValueError("image_widths needs as many entries as mask_widths")
        if self.decoder_shuffle >= depth or len(self.decoder_widths) != depth - self.decoder_shuffle:
            raise ValueError("decoder_widths needs one entry per down-sampling, less decoder_shuffle")
        if len(self.denoiser_widths) != len(self.denoiser_attention) or not 1 <= len(self.denoiser_widths) <= 6:
            raise ValueError("denoiser_widths needs one to six levels, and denoiser_attention one entry for each")
        if self.image_refine >= depth:
            raise ValueError("image_refine must be smaller than the number of down-samplings")
        if min(self.mask_widths + self.decoder_widths + self.image_widths + self.denoiser_widths) < 1:
            raise ValueError("every width must be positive")
        if max(self.mask_widths + self.decoder_widths + self.image_widths + self.denoiser_widths) > 2048:
            raise ValueError("no width may exceed 2048")
        if self.latent_norm == "channel" and self.latent_channels < 2:
            raise ValueError("latent_norm 'channel' needs at least two latent channels")
        return self


class ReleaseConfig(FamilyConfig):
    """The networks of the authors' TensorFlow release, whose 2D and 3D versions differ in more than the dimension.

    One latent size, and so one image size, is part of the weights: the layer-norm at the end of the mask encoder has
    a scale for each cell.
    """

    family: Literal["release"] = "release"
    cells: tuple[int, ...] = Field((16, 16), description="Shape ((Z), Y, X) of the latent.")

    mask_widths: tuple[int, ...] = Field(
        (16, 32, 64, 64, 32), description="Widths of the mask encoder's blocks, with a down-sampling between each two."
    )
    mask_down: Literal["pool", "conv"] = Field("pool", description="Max-pooling, or a strided convolution.")
    mask_head: Literal[1, 2, 3] = Field(1, description="Kernel of the mask encoder's last convolution.")
    decoder_widths: tuple[int, ...] = Field((32, 64, 64, 32), description="Widths of the mask decoder's stages.")
    decoder_up: Literal["transpose", "nearest"] = Field(
        "transpose", description="Transposed convolution, or nearest-neighbour up-sampling and a convolution."
    )

    image_stem: int = Field(16, description="Width of the image encoder's first convolution.")
    image_widths: tuple[int, ...] = Field((32, 64, 64, 32), description="Widths of the image encoder's stages.")
    image_groups: int = Field(1, ge=1, le=64, description="Groups of the convolutions in the image encoder's blocks.")
    image_down: Literal["pool", "conv"] = Field("conv", description="Max-pooling, or a strided convolution.")
    image_heads: tuple[int, ...] = Field(
        (0, 0, 8, 8), description="Heads of the self-attention after each stage of the image encoder; 0: none."
    )
    image_head: Literal[1, 3] = Field(1, description="Kernel of the convolution that makes the embedding.")
    embedding_heads: int = Field(1, ge=0, le=64, description="Heads of the self-attention on the embedding; 0: none.")
    embedding_swish: bool = Field(True, description="Whether the embedding is activated before its batch-norm.")

    denoiser_stem: int = Field(16, description="Width of the denoiser's first convolution.")
    denoiser_widths: tuple[int, ...] = Field((16, 32, 64), description="Widths of the denoiser's levels.")
    denoiser_attention: tuple[bool, ...] = Field(
        (False, True, True), description="Which of the denoiser's levels have self-attention."
    )
    denoiser_blocks: int = Field(2, ge=1, le=8, description="Residual blocks in each level on the way down.")
    denoiser_skips: Literal["all", "blocks"] = Field(
        "all", description="Skips from the first convolution and the down-samplings, too, or from blocks alone."
    )
    time_channels: int = Field(64, ge=4, le=2048, description="Channels of the time embedding.")

    @property
    def downsamplings(self) -> int:
        """How many times the mask encoder and the image encoder halve the grid."""
        return len(self.mask_widths) - 1

    @property
    def guess(self) -> bool:
        """The release predicts no first-guess mask."""
        return False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        depth = self.downsamplings
        if not 1 <= depth <= 6:
            raise ValueError("between 1 and 6 down-samplings are supported")
        if not len(self.decoder_widths) == len(self.image_widths) == len(self.image_heads) == depth:
            raise ValueError("decoder_widths, image_widths and image_heads need one entry per down-sampling")
        if len(self.denoiser_widths) != len(self.denoiser_attention) or not 1 <= len(self.denoiser_widths) <= 6:
            raise ValueError("denoiser_widths needs one to six levels, and denoiser_attention one entry for each")
        widths = (self.image_stem, self.denoiser_stem, *self.mask_widths, *self.decoder_widths)
        if not all(1 <= width <= 2048 for width in widths + self.image_widths + self.denoiser_widths):
            raise ValueError("every width must lie between 1 and 2048")
        if any(width % self.image_groups for width in (self.image_stem, *self.image_widths)):
            raise ValueError("image_groups must divide the widths of the image encoder")
        attending = zip(
            (*self.image_heads, self.embedding_heads), (*self.image_widths, self.embedding_channels), strict=True
        )
        if any(heads < 0 or (heads and width % heads) for heads, width in attending):
            raise ValueError("the heads of an attention must divide its width")
        if len(self.cells) != self.ndim or not all(1 <= side <= 512 for side in self.cells):
            raise ValueError(f"cells needs {self.ndim} numbers between 1 and 512")
        return self


def _family(network: Any) -> str:
    """Return which of the two kinds of network settings these are, given or decoded from JSON."""
    named = network.get("family") if isinstance(network, dict) else getattr(network, "family", None)
    return "release" if named == "release" else "ldseg"


AnyNetworkConfig = Annotated[
    Annotated[NetworkConfig, Tag("ldseg")] | Annotated[ReleaseConfig, Tag("release")], Discriminator(_family)
]


class DiffusionConfig(Config):
    """The forward process and what the denoiser predicts."""

    schedule: Schedule = Field("cosine", description="Noise schedule (cosine: Nichol & Dhariwal 2021, s = 0.008).")
    timesteps: int = Field(TIMESTEPS, ge=2, le=10_000, description="T, the number of timesteps.")
    prediction: Prediction = Field("epsilon", description="What the denoiser predicts.")


class InputConfig(Config):
    """How a model saw its images while it was trained."""

    mode: Literal["fit", "spacing"] = Field(
        "fit",
        description="'fit': the whole image is resized to `shape`; 'spacing': it is resampled to `spacing`.",
    )
    shape: tuple[int, ...] = Field((256, 256), description="Training shape ((Z), Y, X) in pixels.")
    spacing: tuple[float, ...] | None = Field(
        None, description="Pixel size ((Z), Y, X) in `unit` that the networks see (mode 'spacing')."
    )
    source_spacing: tuple[float, ...] | None = Field(
        None, description="Pixel size that is assumed where an image states none."
    )
    unit: str = Field("micrometer", description="Unit of both spacings.")
    channels: Literal["rgb", "grayscale", "any"] = Field("rgb", description="What the image channels are.")
    normalization: Literal["range", "minmax"] = Field(
        "range",
        description="'range': by the range of the integer type (0 to 255 becomes 0 to 1); 'minmax': per image.",
    )


class ModelConfig(Config):
    """All that a checkpoint needs to say of itself, besides its weights and its card."""

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
    score: str = Field("", description="Validation score in a few words, with its split.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.class_names) != self.network.classes:
            raise ValueError(f"{self.network.classes} classes need as many class_names")
        if self.class_colors and len(self.class_colors) != self.network.classes:
            raise ValueError(f"{self.network.classes} classes need as many class_colors")
        ndim = self.network.ndim
        for name in ("shape", "spacing", "source_spacing"):
            value = getattr(self.input, name)
            if value is not None and (len(value) != ndim or not all(0 < v < math.inf for v in value)):
                raise ValueError(f"input.{name} needs {ndim} positive numbers")
        if isinstance(self.network, ReleaseConfig):
            shape = tuple(side * self.network.factor for side in self.network.cells)
            if self.input.mode != "fit" or self.input.shape != shape:
                raise ValueError(f"networks of the authors' release see images of one size, here {shape}, mode 'fit'")
        if self.views > 2**ndim:
            raise ValueError(f"{ndim} axes have only {2**ndim} mirror images, so views cannot be {self.views}")
        if self.input.mode == "spacing" and self.input.spacing is None:
            raise ValueError("input mode 'spacing' needs a spacing")
        if self.input.channels == "rgb" and self.network.image_channels != 3:
            raise ValueError("channels 'rgb' needs three image channels")
        if self.input.channels == "grayscale" and self.network.image_channels != 1:
            raise ValueError("channels 'grayscale' needs one image channel")
        return self


class SegmentConfig(Config):
    """One press of Segment."""

    samples: int | Literal["auto"] = Field(
        "auto",
        title="Samples",
        description="Independent runs that make the mean and the uncertainty; 'auto' stops when both settle.",
    )
    steps: int | None = Field(
        None,
        title="Steps",
        ge=1,
        le=TIMESTEPS,
        description="Sampling steps K; empty takes the model's own default.",
    )
    sampler: SamplerName | None = Field(
        None, title="Sampler", description="Sampler; empty takes the model's own default."
    )
    views: Literal[1, 2, 4, 8] | None = Field(
        None,
        title="Views",
        description="Mirror images of the input that the samples take turns with: 1 is the image alone, 4 also mirrors "
        "x, y and both; empty takes the model's own default.",
    )
    seed: int = Field(0, title="Seed", ge=0, le=2**31 - 1, description="The same seed gives the same samples again.")
    device: Device = Field("auto", title="Device", description="Where to compute; 'auto' prefers a GPU.")
    precision: Precision = Field(
        "auto",
        title="Precision",
        description="Numbers that the image is embedded in: 'auto' takes bfloat16 where the device computes it "
        "natively; sampling and decoding are always float32.",
    )
    batch: int = Field(16, title="Batch", ge=1, le=256, description="Samples that are computed together.")
    max_samples: int = Field(100, ge=2, le=10_000, description="Where samples = 'auto' gives up waiting.")
    tolerance: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="samples = 'auto' stops when the standard error of the mean map is below this "
        "on 99 % of the pixels.",
    )

    keep_mb: int = Field(
        0,
        title="Keep MB",
        ge=0,
        le=1_000_000,
        description="Megabytes for keeping the mask of each sample (one byte a pixel on the networks' grid), for "
        "review and error bars; as many samples are kept as fit. 0 keeps none.",
    )

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if isinstance(self.samples, int) and not 1 <= self.samples <= 10_000:
            raise ValueError("samples must be 'auto' or between 1 and 10000")
        return self


class MeasureConfig(Config):
    """What counts as an object, and when a sample has it."""

    smallest: int = Field(
        20,
        title="Min. size",
        ge=1,
        le=2**31 - 1,
        description="Objects of fewer pixels are left out as specks.",
    )
    cover: float = Field(
        0.1, gt=0, le=1, description="A sample's piece belongs to an object of which it covers this share or more."
    )
    interval: float = Field(
        0.95, gt=0, lt=1, description="Share of the samples inside the interval that is given with each number."
    )
    ranking: Ranking = Field(
        "expected loss",
        title="Order by",
        description="Score that says what to look at first (docs/review.md compares them); without samples: mean SD.",
    )
    shapes: bool = Field(True, description="Also boundary, eccentricity, solidity and intensity, which take longer.")


class TrainConfig(Config):
    """One training, both stages."""

    minutes: float | None = Field(None, gt=0, description="Time budget for both stages together, in minutes.")
    foreground: bool = Field(False, description="Take every label above 0 as class 1 (instance ids, for example).")
    autoencoder_steps: int = Field(1500, ge=0, description="Optimiser steps of the mask autoencoder.")
    denoiser_steps: int = Field(6000, ge=1, description="Optimiser steps of image encoder and denoiser.")
    batch: int = Field(8, ge=1, le=512, description="Images in a batch.")
    crop: tuple[int, ...] | None = Field(
        None, description="Shape ((Z), Y, X) of training crops on the network's grid; empty: input.shape."
    )
    timesteps_per_image: int = Field(
        4, ge=1, le=64, description="Noise levels drawn for each embedded image (the embedding is reused)."
    )
    learning_rate: float = Field(1e-3, gt=0, le=1, description="Peak learning rate (AdamW, warm-up, cosine).")
    autoencoder_learning_rate: float = Field(2e-3, gt=0, le=1, description="The same for the autoencoder.")
    weight_decay: float = Field(0.01, ge=0, le=1)
    warmup: int = Field(100, ge=0, description="Steps over which the learning rate rises.")
    ema: float = Field(0.999, ge=0, lt=1, description="Decay of the averaged weights that are kept.")
    latent_noise: float = Field(
        0.1, ge=0, le=1, description="SD of the noise that the mask decoder learns to live with."
    )
    guess_weight: float = Field(1.0, ge=0, description="Weight of the loss on the first-guess mask.")
    augment: bool = Field(True, description="Flips, rotation, scale, shear, elastic, colour, blur and noise.")
    rotate: bool = Field(True, description="Whether any orientation is as likely as the upright one.")
    validation: float = Field(0.2, ge=0, lt=1, description="Share of the groups held out for validation.")
    validate_every: int = Field(500, ge=1, description="Steps between two validations.")
    validation_samples: int = Field(4, ge=1, le=100, description="Samples averaged in each validation.")
    seed: int = Field(0, ge=0, le=2**31 - 1)
    device: Device = Field("auto")
    precision: Precision = Field("auto", description="'auto' takes bfloat16 where the device computes it natively.")

    @classmethod
    def for_fine_tuning(cls, **changes: object) -> Self:
        """Return the settings that suit :func:`fine_tune`: the denoiser stage alone, shorter and at a lower rate."""
        return cls.parse(
            {"autoencoder_steps": 0, "denoiser_steps": 1000, "learning_rate": 3e-4, "warmup": 50, "validate_every": 100}
            | changes
        )
