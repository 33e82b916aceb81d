"""A small training set, and a job of a few seconds on it."""

from pathlib import Path

import numpy as np

from ..checkpoints import save_model
from ..config import TrainConfig, TrainJob
from ..data import Image
from ..datasets import TrainingSet
from .builders import make_tiny_model

SIDE = 32


def make_set(folder: Path, images: int = 3, side: int = SIDE) -> TrainingSet:
    """Dark squares on light noise, each image with another square; labels 0 and 1."""
    dataset = TrainingSet.create(folder, ("background", "foreground"))
    rng = np.random.default_rng(0)
    for number in range(images):
        labels = np.zeros((side, side), np.uint8)
        labels[4 + number : 20 + number, 6:22] = 1
        array = (200 - 120 * labels[..., None] + rng.integers(0, 30, (side, side, 3))).astype(np.uint8)
        dataset.add(Image(array, "yxc", name=f"square {number}"), labels, source=f"square {number}")
    return dataset


def make_job(folder: Path, *, steps: int = 12, name: str = "taught", images: int = 3, **changes: object) -> TrainJob:
    """Fine-tune the tiny model; its file and the training set lie in the folder."""
    model = save_model(make_tiny_model(2), folder / "tiny.safetensors", "# Tiny")
    dataset = make_set(folder / "set", images)
    quick = {"learn": "denoiser", "denoiser_steps": steps, "batch": 2, "validate_every": 4, "validation": 0.3}
    config = TrainConfig.for_fine_tuning(**(quick | {"validation_samples": 1, "device": "cpu"} | changes))
    return TrainJob(model=str(model), dataset=str(dataset.folder), name=name, config=config)
