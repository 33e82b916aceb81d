"""Settings of a training."""

import json
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator

from ..errors import InputError
from ._base import Config, Device, Precision
from ._model import ModelConfig
from ._recipe import RecipeConfig
from ._setting import setting

IMAGES = "Images"
TRAINING = "Training"
EXPERT = "For experts"

Learn = Literal["auto", "denoiser", "decoder", "prompts", "all", "scratch"]


class StagesConfig(Config):
    """The part of a training's settings that says what learns, from what, for how long and where."""

    learn: Learn = setting(
        "auto",
        title="Learn",
        show="main",
        description="What fine-tuning changes: 'auto' is image encoder and denoiser, and the mask autoencoder, too, "
        "where the classes are new or it cannot draw their shapes; 'denoiser' never touches the autoencoder, 'all' "
        "always does; 'decoder' is the mask decoder alone, from the masks; 'prompts' is the denoiser and its prompt "
        "encoder, from embeddings that are computed once; 'scratch' forgets all weights.",
    )
    minutes: float | None = setting(
        None,
        title="Minutes",
        show="main",
        gt=0,
        description="Time budget for both stages together, in minutes.",
    )
    epochs: float | None = setting(
        None,
        title="Epochs",
        show="main",
        gt=0,
        description="How often every training image is seen in the denoiser's stage, instead of denoiser_steps.",
    )

    foreground: bool = setting(
        False,
        title="Merge all labels to one class",
        show="more",
        group=IMAGES,
        description="Take every label above 0, 255 too, as class 1 (ids of objects, black-and-white masks).",
    )
    augment: bool = setting(
        True,
        title="Augment images",
        show="more",
        group=IMAGES,
        description="Vary the training images at random: flips, rotation, scale, shear, elastic, colour, blur, noise.",
    )
    rotate: bool | None = setting(
        None,
        title="Rotate",
        show="more",
        group=IMAGES,
        description="Whether any orientation is as likely as the upright one; by default as the model is used to "
        "(`upright`), which for a new model is any.",
    )
    scale: Literal["auto", "model"] = setting(
        "auto",
        title="Scale",
        show="more",
        group=IMAGES,
        description="Pixel size that the networks see while fine-tuning: 'auto' keeps the model's own where objects "
        "have a fitting size at it, and otherwise changes it; 'model' keeps it.",
    )
    validation: float = setting(
        0.2,
        title="Validation",
        show="more",
        group=IMAGES,
        ge=0,
        lt=1,
        description="Share of the groups held out for validation.",
    )

    learning_rate: Annotated[float, Field(gt=0, le=1)] | Literal["auto"] = setting(
        "auto",
        title="Learning rate",
        show="more",
        group=TRAINING,
        description="Peak learning rate (AdamW, warm-up, cosine); 'auto' is 0.001 from scratch and half of it on top "
        "of trained weights.",
        offers=(0.0001, 0.0005, 0.001),
    )
    batch: Annotated[int, Field(ge=1, le=512)] | Literal["auto"] = setting(
        "auto",
        title="Batch",
        show="more",
        group=TRAINING,
        description="Images in a batch (of each process); 'auto' goes by the size of the crops.",
        offers=(2, 8, 32),
    )
    seed: int = setting(
        0,
        title="Seed",
        show="more",
        group=TRAINING,
        ge=0,
        le=2**31 - 1,
        description="Seed of the split, of the first weights and of the noise.",
    )
    device: Device = setting(
        "auto",
        title="Device",
        show="more",
        group=TRAINING,
        description="Where to compute; 'auto' prefers a GPU.",
    )
    precision: Precision = setting(
        "auto",
        title="Precision",
        show="more",
        group=TRAINING,
        description="'auto' computes in bfloat16 where the device does so natively, else in float32.",
    )

    autoencoder_steps: int = setting(
        1500,
        title="Autoencoder steps",
        group=EXPERT,
        ge=0,
        description="Optimiser steps of the mask autoencoder.",
    )
    denoiser_steps: int = setting(
        6000,
        title="Denoiser steps",
        group=EXPERT,
        ge=1,
        description="Optimiser steps of image encoder and denoiser.",
    )
    crop: tuple[int, ...] | None = setting(
        None,
        title="Crop",
        group=EXPERT,
        description="Shape ((Z), Y, X) of training crops on the network's grid; by default input.shape, and in "
        "fine-tuning at most 14 latent cells a side.",
    )
    timesteps_per_image: int = setting(
        4,
        title="Noise levels",
        group=EXPERT,
        ge=1,
        le=64,
        description="Noise levels drawn for each embedded image (the embedding is reused).",
    )
    backbone_rate: float = setting(
        0.3,
        title="Backbone rate",
        group=EXPERT,
        gt=0,
        le=1,
        description="Share of the learning rate for an image encoder's pretrained backbone.",
    )
    autoencoder_learning_rate: float = setting(
        2e-3,
        title="Autoencoder rate",
        group=EXPERT,
        gt=0,
        le=1,
        description="Peak learning rate of the mask autoencoder.",
    )
    weight_decay: float = setting(
        0.01, title="Weight decay", group=EXPERT, ge=0, le=1, description="Weight decay of AdamW."
    )
    warmup: int = setting(
        100, title="Warm-up", group=EXPERT, ge=0, description="Steps over which the learning rate rises."
    )
    ema: float = setting(
        0.999, title="EMA", group=EXPERT, ge=0, lt=1, description="Decay of the averaged weights that are kept."
    )
    latent_noise: float = setting(
        0.1,
        title="Latent noise",
        group=EXPERT,
        ge=0,
        le=1,
        description="SD of the noise that the mask decoder learns to live with.",
    )
    guess_weight: float = setting(
        1.0,
        title="Guess weight",
        group=EXPERT,
        ge=0,
        description="Weight of the loss on the first-guess mask.",
    )
    validate_every: int = setting(
        500, title="Validate every", group=EXPERT, ge=1, description="Steps between two validations."
    )
    validation_samples: int = setting(
        4,
        title="Validation samples",
        group=EXPERT,
        ge=1,
        le=100,
        description="Samples averaged in each validation.",
    )
    select: Literal["dsc", "likelihood"] = setting(
        "dsc",
        title="Select by",
        group=EXPERT,
        description="Which weights are kept: those with the best DSC, or those under whose map (mean of the samples "
        "and first guess, half each) the true labels are likeliest.",
    )


class TrainConfig(RecipeConfig, StagesConfig):
    """One training, both stages."""

    @property
    def peak_rate(self) -> float:
        """The learning rate of the denoiser's stage from scratch."""
        return 1e-3 if self.learning_rate == "auto" else self.learning_rate

    @classmethod
    def for_fine_tuning(cls, **changes: object) -> Self:
        """Return the settings that suit :func:`fine_tune`: shorter; with a time budget, only time ends it."""
        steps = 1_000_000 if changes.get("minutes") is not None else 1000
        short = {"autoencoder_steps": 800, "autoencoder_learning_rate": 1e-3, "denoiser_steps": steps, "warmup": 50}
        return cls.parse({**short, "validate_every": 100, **changes})


class TrainJob(Config):
    """One fine-tuning, from a model and a training set to a new model."""

    model: str = Field(description="File or name of the model to start from.")
    dataset: str = Field(description="Folder of the training set.")
    name: str = Field(description="Name of the new model.")
    config: TrainConfig = Field(default_factory=TrainConfig.for_fine_tuning)

    @field_validator("name")
    @classmethod
    def _usable(cls, name: str) -> str:
        ModelConfig(name=name)
        return name

    @classmethod
    def read(cls, text: str) -> Self:
        """Read what :meth:`model_dump_json` wrote.

        Raises
        ------
        InputError
            If it is no JSON, or does not fit.
        """
        try:
            return cls.parse(json.loads(text))
        except ValueError as error:
            raise InputError(f"The settings of the training are damaged ({error}).") from error
