"""Partly annotated images: what nobody annotated teaches nothing."""

from typing import Any

import numpy as np
import pytest
import torch

from ...config import TrainConfig
from ...data import Image
from ...datasets import UNLABELLED
from ...training._augment import draw_batch
from ...training._dataset import Case, soft_masks
from ...training._losses import Batch, annotated, cross_entropy, denoiser_loss, dice_loss
from ...training._partial import fill_nearest, fill_predicted, is_partial
from ..builders import make_disk
from .pairs import a_model


def test_soft_masks_sum_to_the_annotated_share() -> None:
    labels = np.full((4, 4), UNLABELLED, np.uint8)
    labels[:2, :3], labels[0, 0] = 1, 0
    masks = soft_masks(labels, 2, (2, 2))
    assert masks[1].tolist() == [[0.75, 0.5], [0, 0]]
    assert annotated(masks[None])[0, 0].tolist() == [[1, 0.5], [0, 0]]


def test_losses_do_not_see_what_nobody_annotated() -> None:
    generator = torch.Generator().manual_seed(0)
    masks = soft_masks(np.array([[0, 1, 255, 255]], np.uint8), 2, (1, 4))[None]
    logits = torch.randn(1, 2, 1, 4, generator=generator)
    other = torch.cat([logits[..., :2], torch.randn(1, 2, 1, 2, generator=generator)], dim=-1)
    for loss in (cross_entropy, dice_loss):
        assert loss(logits, masks).item() == pytest.approx(loss(other, masks).item())
        assert loss(logits, masks).item() == pytest.approx(loss(logits[..., :2], masks[..., :2]).item())


def test_the_denoiser_learns_nothing_from_cells_that_nobody_annotated(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the right half unlabelled, no gradient flows into the latent's right half."""
    model = a_model().requires_grad_(True)
    masks = soft_masks(np.pad(make_disk(2, 16), ((0, 0), (0, 16)), constant_values=UNLABELLED), 2, (16, 32))[None]
    outputs = []
    predict = model.predict

    def watched(*given: Any) -> torch.Tensor:
        outputs.append(predict(*given))
        outputs[-1].retain_grad()
        return outputs[-1]

    monkeypatch.setattr(model, "predict", watched)
    batch = Batch(torch.rand(1, 3, 16, 32), masks, fill_nearest(masks))
    denoiser_loss(model, batch, TrainConfig(), torch.Generator().manual_seed(0)).backward()
    gradient = outputs[0].grad
    assert gradient is not None
    assert gradient[..., :4].abs().min() > 0
    assert gradient[..., 4:].abs().max() == 0


def test_the_rest_is_filled_from_the_nearest_pixel_or_the_model() -> None:
    masks = soft_masks(np.array([[0, 255, 255, 1]] * 4, np.uint8), 2, (4, 4))[None]
    assert is_partial(masks)
    filled = fill_nearest(masks)
    assert filled[0, 1].tolist() == [[0, 0, 1, 1]] * 4
    for guess in (True, False):
        filled = fill_predicted(
            a_model(guess=guess), torch.rand(1, 3, 4, 4).repeat(1, 1, 4, 4), masks.repeat(1, 1, 4, 4)
        )
        assert torch.allclose(filled.sum(dim=1), torch.ones(1, 16, 16), atol=1e-5)
        assert torch.equal(filled[0, 1, :, 0], torch.zeros(16))
        assert 0 < float(filled[0, 1, 0, 1]) < 1
    nothing = fill_nearest(torch.zeros(1, 2, 4, 4))
    assert torch.equal(nothing, torch.full((1, 2, 4, 4), 0.5))


@pytest.mark.parametrize("ndim", [2, 3])
def test_crops_of_partly_annotated_images_carry_the_gap_along_and_hold_annotation(ndim: int) -> None:
    labels = np.full((32,) * ndim, UNLABELLED, np.uint8)
    labels[(slice(0, 5),) * ndim] = 1
    image = torch.zeros(1, *labels.shape)
    case = Case(image, soft_masks(labels, 2, labels.shape), Image(labels, "zyx"[-ndim:]), labels, "a", "a")
    generator = torch.Generator().manual_seed(0)
    _, masks = draw_batch([case] * 6, (8,) * ndim, augment=True, rotate=True, generator=generator)
    weights = annotated(masks)
    assert (weights.flatten(1).amax(dim=1) > 0.9).all()
    assert (weights.flatten(1).mean(dim=1) < 0.95).all()
    assert masks[:, 0].max() < 1e-6
