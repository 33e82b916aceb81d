"""The stage in which a model learns prompts: it draws crops of stored embeddings, and scores after clicks."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from ..config import TrainConfig
from ..networks import LDSeg
from ._dataset import Case
from ._embedded import EmbeddedCases
from ._losses import Batch
from ._steering import Subject, Way, click_through, prompted_score, subject_of

CLICKS = 3


class PromptStage:
    """What the stage draws from, and is scored on.

    Parameters
    ----------
    training, validation : sequence of Case
    crop : tuple of int
    config : TrainConfig
    rotate : bool
    device : torch.device
    """

    def __init__(
        self,
        training: Sequence[Case],
        validation: Sequence[Case],
        crop: tuple[int, ...],
        config: TrainConfig,
        *,
        rotate: bool,
        device: torch.device,
    ) -> None:
        self._embedded = EmbeddedCases(training, crop, config, rotate=rotate, device=device)
        self._validation, self._config, self._device = validation, config, device
        self._subjects: list[Subject] = []
        self.total = len(training) * self._embedded.views

    def prepare(self, model: LDSeg) -> Iterator[int]:
        """Embed all views of the training images, and count them."""
        if self._device.type == "cpu":
            # The fastest order of weights that stay as they are; the loss runs the mask autoencoder most of its time.
            order = torch.channels_last if model.config.network.ndim == 2 else torch.channels_last_3d
            for weight in (*model.mask_encoder.parameters(), *model.mask_decoder.parameters()):
                if weight.ndim == model.config.network.ndim + 2:
                    weight.data = weight.data.contiguous(memory_format=order)
        yield from self._embedded.fill(model)

    def draw(self, chosen: Sequence[int], factor: int, generator: torch.Generator) -> Batch:
        """Return a batch of crops of the chosen cases."""
        return self._embedded.draw(chosen, factor, generator)

    def score(self, model: LDSeg) -> tuple[float, str]:
        """Return one number for the validation images (:func:`prompted_score`), and the scores in words."""
        if not self._subjects:
            self._subjects = [subject_of(model, case) for case in self._validation]
        # Prompts that correct the first guess are judged by it: samples follow it, and cost fifty times as much.
        way: Way = "guess" if model.config.network.prompt_blocks else "told"
        radius, samples = max(1.5, model.config.network.factor / 2), self._config.validation_samples
        scores = [
            click_through(
                model, subject, CLICKS, radius=radius, samples=samples, seed=self._config.seed, way=way
            ).scores
            for subject in self._subjects
        ]
        means = [float(np.nanmean(column)) for column in zip(*scores, strict=True)]
        told = ", ".join(f"{mean:.3f}" for mean in means[1:])
        return prompted_score(scores), f"DSC {means[0]:.3f}, {told} after 1 to {CLICKS} clicks"
