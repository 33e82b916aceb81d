"""Settings of a training."""

import json
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator

from ..errors import InputError
from ._base import Config, Device, Precision
from ._model import ModelConfig

Learn = Literal["auto", "denoiser", "decoder", "all", "scratch"]


class TrainConfig(Config):
    """One training, both stages."""

    learn: Learn = Field(
        "auto",
        title="Learn",
        description="What fine-tuning changes: 'auto' is image encoder and denoiser, and the mask autoencoder, too, "
        "where the classes are new or it cannot draw their shapes; 'denoiser' never touches the autoencoder, 'all' "
        "always does; 'decoder' is the mask decoder alone, from the masks; 'scratch' forgets all weights.",
    )
    minutes: float | None = Field(
        None, title="Minutes", gt=0, description="Time budget for both stages together, in minutes."
    )
    epochs: float | None = Field(
        None,
        title="Epochs",
        gt=0,
        description="How often every training image is seen in the denoiser's stage, instead of denoiser_steps.",
    )
    scale: Literal["auto", "model"] = Field(
        "auto",
        title="Scale",
        description="Pixel size that the networks see while fine-tuning: 'auto' keeps the model's own where objects "
        "have a fitting size at it, and otherwise changes it; 'model' keeps it.",
    )
    foreground: bool = Field(
        False,
        title="Merge to foreground",
        description="Take every label above 0, 255 too, as class 1 (ids of objects, black-and-white masks).",
    )
    autoencoder_steps: int = Field(1500, ge=0, description="Optimiser steps of the mask autoencoder.")
    denoiser_steps: int = Field(6000, ge=1, description="Optimiser steps of image encoder and denoiser.")
    batch: Annotated[int, Field(ge=1, le=512)] | Literal["auto"] = Field(
        "auto", title="Batch", description="Images in a batch (of each process); 'auto' goes by the size of the crops."
    )
    crop: tuple[int, ...] | None = Field(
        None,
        description="Shape ((Z), Y, X) of training crops on the network's grid; empty: input.shape, and in "
        "fine-tuning at most 14 latent cells a side.",
    )
    timesteps_per_image: int = Field(
        4, ge=1, le=64, description="Noise levels drawn for each embedded image (the embedding is reused)."
    )
    learning_rate: Annotated[float, Field(gt=0, le=1)] | Literal["auto"] = Field(
        "auto",
        title="Learning rate",
        description="Peak learning rate (AdamW, warm-up, cosine); 'auto' is 0.001 from scratch and half of it on top "
        "of trained weights.",
    )
    backbone_rate: float = Field(
        0.3, gt=0, le=1, description="Share of the learning rate for an image encoder's pretrained backbone."
    )
    autoencoder_learning_rate: float = Field(2e-3, gt=0, le=1, description="The same for the autoencoder.")
    weight_decay: float = Field(0.01, ge=0, le=1)
    warmup: int = Field(100, ge=0, description="Steps over which the learning rate rises.")
    ema: float = Field(0.999, ge=0, lt=1, description="Decay of the averaged weights that are kept.")
    latent_noise: float = Field(
        0.1, ge=0, le=1, description="SD of the noise that the mask decoder learns to live with."
    )
    guess_weight: float = Field(1.0, ge=0, description="Weight of the loss on the first-guess mask.")
    augment: bool = Field(True, description="Flips, rotation, scale, shear, elastic, colour, blur and noise.")
    rotate: bool | None = Field(
        None,
        description="Whether any orientation is as likely as the upright one; by default as the model is used to "
        "(`upright`), which for a new model is any.",
    )
    validation: float = Field(
        0.2, title="Validation", ge=0, lt=1, description="Share of the groups held out for validation."
    )
    validate_every: int = Field(500, ge=1, description="Steps between two validations.")
    validation_samples: int = Field(4, ge=1, le=100, description="Samples averaged in each validation.")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Of the split, the first weights and the noise.")
    device: Device = Field("auto", title="Device", description="Where to compute; 'auto' prefers a GPU.")
    precision: Precision = Field("auto", description="'auto' takes bfloat16 where the device computes it natively.")

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
            Where it is no JSON, or does not fit.
        """
        try:
            return cls.parse(json.loads(text))
        except ValueError as error:
            raise InputError(f"The settings of the training are damaged ({error}).") from error
