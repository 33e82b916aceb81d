"""Fine-tuning to other classes, another scale, another split."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ...data import Image
from ...errors import InputError
from ...training import fine_tune
from ...training._adapt import match_classes, with_classes
from ...training._dataset import Frame, split_groups
from ...training._scale import fit_scale, object_width
from ..builders import make_disk
from .pairs import QUICK, a_model, finish, some_pairs


def test_classes_are_matched_by_name_then_by_what_is_left() -> None:
    old = ("background", "gland", "stroma")
    assert match_classes(old, ("background", "stroma", "gland")) == [0, 2, 1]
    assert match_classes(old, ("none", "nucleus", "gland", "fat", "x")) == [0, 2, 1, None, None]


@pytest.mark.parametrize("ndim", [2, 3])
def test_weights_of_a_class_go_with_its_name(ndim: int) -> None:
    parent = a_model(ndim, classes=3, guess=True)
    parent.config = parent.config.replace(class_names=("background", "a", "b"))
    image, latent = torch.rand(1, 3, *[16] * ndim), torch.randn(1, 1, *[4] * ndim)
    moved = with_classes(parent, ("background", "b", "a"))
    assert torch.allclose(moved.decode(latent)[:, [0, 2, 1]], parent.decode(latent), atol=1e-6)
    (_, guess), (_, expected) = moved.embed(image), parent.embed(image)
    assert guess is not None
    assert expected is not None
    assert torch.allclose(guess[:, [0, 2, 1]], expected, atol=1e-6)
    more = with_classes(parent, ("background", "a", "b", "c"))
    assert torch.allclose(more.decode(latent)[:, :3], parent.decode(latent), atol=1e-6)
    assert more.config.network.classes == 4
    fewer = with_classes(parent, ("background", "b"))
    assert torch.allclose(fewer.decode(latent), parent.decode(latent)[:, [0, 2]], atol=1e-6)


@pytest.mark.slow
def test_more_classes_train_the_autoencoder_too(tmp_path: Path) -> None:
    pairs = some_pairs(tmp_path, high=2)
    names = ("background", "foreground", "nucleus")
    with pytest.raises(InputError, match="have 3 classes and the model 2, so its mask autoencoder must learn"):
        finish(fine_tune(a_model(), pairs, QUICK, tmp_path / "no", class_names=names))
    seen, tuned = finish(fine_tune(a_model(), pairs, QUICK.replace(learn="auto"), tmp_path / "run", class_names=names))
    assert [epoch.stage for epoch in seen if epoch.validation is not None][1] == "autoencoder"
    assert tuned.config.class_names == names
    assert any("The mask autoencoder learns, too (the classes are new)" in epoch.text for epoch in seen)


def test_shapes_that_the_autoencoder_cannot_draw_train_it_too(tmp_path: Path) -> None:
    seen, _ = finish(fine_tune(a_model(), some_pairs(tmp_path), QUICK.replace(learn="auto"), tmp_path / "run"))
    assert any("rebuilds these masks with DSC" in epoch.text and "learns, too" in epoch.text for epoch in seen)


def test_from_scratch_nothing_of_the_parent_is_left(tmp_path: Path) -> None:
    parent = a_model()
    seen, tuned = finish(fine_tune(parent, some_pairs(tmp_path), QUICK.replace(learn="scratch"), tmp_path / "run"))
    assert {epoch.stage for epoch in seen if epoch.done} == {"autoencoder", "denoiser"}
    assert "Trained from scratch with the networks of `tiny-2d`" in tuned.card
    moved = [
        float((a - b).abs().mean())
        for a, b in zip(parent.image_encoder.parameters(), tuned.image_encoder.parameters(), strict=True)
    ]
    assert max(moved) > 0.05


def test_width_of_disks_and_balls() -> None:
    assert object_width(make_disk(2, 101, 40)) == pytest.approx(80, rel=0.01)
    assert object_width(make_disk(3, 41, 16)) == pytest.approx(32, rel=0.01)
    assert object_width(np.zeros((8, 8), np.uint8)) is None


@pytest.mark.parametrize(
    ("side", "radius", "spacing", "expected"),
    [
        (64, 12, None, 1.0),  # 24 pixels are 6 cells of 4: kept
        (64, 12, (1.0, 1.0), 1.0),
        (64, 3, None, 0.5),  # 6 pixels are 1.5 cells: enlarged, but no more than twice
        (400, 120, None, 7.14),  # objects of 240 pixels: a whole image becomes as large as a crop, 56 pixels
        (64, 12, (0.25, 0.25), 0.286),  # 16 pixels a side at the model's pixel size: brought to 56
    ],
)
def test_scale_fits_the_objects(side: int, radius: float, spacing: tuple[float, ...] | None, expected: float) -> None:
    labels = make_disk(2, side, radius)
    config = a_model().config
    config = config.replace(input=config.input.replace(shape=(64, 64)).model_dump())
    frame = Frame(Image(labels, "yx", spacing, "micrometer"), labels, "a", "a")
    fitted, words = fit_scale([frame], config)
    assert list(fitted.input.spacing or ()) == pytest.approx([expected] * 2, rel=0.01)
    assert ("kept" in words) == (expected == 1)


def test_two_groups_are_enough_to_validate_and_one_says_what_happens(tmp_path: Path) -> None:
    pairs = some_pairs(tmp_path, 2)
    seen, tuned = finish(fine_tune(a_model(), pairs, QUICK, tmp_path / "two"))
    assert "on 1 validation image" in tuned.config.score
    seen, tuned = finish(fine_tune(a_model(), pairs[:1], QUICK, tmp_path / "one"))
    assert any("there is only one source image" in epoch.text for epoch in seen)
    assert all(epoch.validation is None for epoch in seen)
    assert tuned.config.score == ""
    assert "no image was held out" in tuned.card
    assert split_groups([], 0.2, 0) == ([], [])
