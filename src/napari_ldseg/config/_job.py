"""What a training process is told."""

import json
from typing import Self

from pydantic import Field, field_validator

from ..errors import InputError
from ._base import Config
from ._model import ModelConfig
from ._train import TrainConfig


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
