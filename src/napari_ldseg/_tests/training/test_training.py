"""train(): cases, split, augmentation, losses, and that it learns, resumes and refuses."""

import json
import math
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ...checkpoints import save_model
from ...config import DiffusionConfig, InputConfig, ModelConfig, TrainConfig
from ...data import Image, write_image
from ...datasets import Pair, find_pairs
from ...errors import EngineError, InputError
from ...exchange import import_keras
from ...networks import LDSeg
from ...phantoms import phantom
from ...training import TrainProgress, _stage as stage, _trainer as loop, fine_tune, train
from ...training._augment import draw_batch, random_affine, recolor
from ...training._dataset import Case, load_cases, soft_masks, split_groups
from ...training._losses import Batch, cross_entropy, denoiser_loss, dice_loss
from ...training._stage import learning_rate_factor
from ..builders import make_disk, make_tiny_config, make_tiny_model
from ..keras_builders import write_release

QUICK = TrainConfig(
    autoencoder_steps=6,
    denoiser_steps=6,
    batch=2,
    crop=(32, 32),
    validate_every=4,
    validation_samples=1,
    validation=0.3,
)


def config_2d(**network: object) -> ModelConfig:
    config = make_tiny_config(2, **network)
    given = InputConfig(mode="spacing", shape=(32, 32), spacing=(2.0, 2.0), source_spacing=(1.0, 1.0))
    return config.replace(input=given.model_dump(), diffusion=DiffusionConfig(prediction="v").model_dump())


def write_pairs(folder: Path, count: int, side: int = 64) -> list[Pair]:
    """Phantoms on disk, two of each group."""
    rows = ["name,group"]
    for seed in range(count):
        image, labels = phantom((side, side), seed=seed)
        write_image(folder / f"p{seed}.tif", image.array, image.axes, spacing=(1, 1), unit="micrometer", metadata={})
        write_image(folder / f"p{seed}_labels.tif", labels, "yx", spacing=(1, 1), unit="micrometer", metadata={})
        rows.append(f"p{seed},g{seed // 2}")
    (folder / "groups.csv").write_text("\n".join(rows))
    return find_pairs(folder, folder, groups=folder / "groups.csv")


def finish(run: Generator[TrainProgress, None, LDSeg]) -> tuple[list[TrainProgress], LDSeg]:
    seen: list[TrainProgress] = []
    while True:
        try:
            seen.append(next(run))
        except StopIteration as stop:
            return seen, stop.value


def a_case(name: str = "a", group: str = "a", ndim: int = 2) -> Case:
    labels = make_disk(ndim, 16)
    image = torch.from_numpy(labels).float().expand(3, *labels.shape).clone()
    return Case(image, soft_masks(labels, 2, labels.shape), Image(labels, "zyx"[-ndim:]), labels, name, group)


# --- cases --------------------------------------------------------------------------------------------------------


def test_soft_masks_hold_the_share_of_each_class() -> None:
    labels = np.zeros((4, 4), np.uint8)
    labels[:2, :3] = 1
    masks = soft_masks(labels, 2, (2, 2))
    assert masks[1].tolist() == [[1, 0.5], [0, 0]]
    assert masks.sum(dim=0).tolist() == [[1, 1], [1, 1]]


def test_groups_are_never_split() -> None:
    cases = [a_case(f"{g}{i}", g) for g, n in (("a", 4), ("b", 2), ("c", 3), ("d", 1)) for i in range(n)]
    for seed in range(20):
        training, validation = split_groups(cases, 0.3, seed)
        assert len(training) + len(validation) == 10
        assert len(validation) >= 3
        assert not {c.group for c in training} & {c.group for c in validation}


def test_a_single_group_leaves_nothing_to_validate() -> None:
    assert split_groups([a_case("a"), a_case("b")], 0.5, 0)[1] == []


def test_labels_that_do_not_fit_are_named(tmp_path: Path) -> None:
    model = config_2d()

    def pair(labels: Any) -> list[Pair]:
        write_image(tmp_path / "a.tif", np.zeros((32, 32), np.uint8), "yx", spacing=None, unit="pixel", metadata={})
        write_image(tmp_path / "a_labels.tif", labels, "yx", spacing=None, unit="pixel", metadata={})
        return find_pairs(tmp_path, tmp_path)

    with pytest.raises(InputError, match=r"a_labels.tif has shape \(16, 32\).* its image a.tif has \(32, 32\)"):
        load_cases(pair(np.zeros((16, 32), np.uint8)), model, QUICK)
    with pytest.raises(InputError, match=r"label 7, but the model has 2 classes.*foreground"):
        load_cases(pair(np.full((32, 32), 7, np.uint8)), model, QUICK)
    half = np.zeros((32, 32), np.uint8)
    half[:16] = 7
    (case,) = load_cases(pair(half), model, QUICK.replace(foreground=True))
    assert case.masks.shape == (2, 16, 16)
    assert case.masks[1].mean() == 0.5
    with pytest.raises(InputError, match="nothing to train on"):
        load_cases([], model, QUICK)


# --- augmentation -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ndim", [2, 3])
def test_without_augmentation_a_crop_is_a_piece_of_the_image(ndim: int) -> None:
    image, masks = draw_batch(
        [a_case(ndim=ndim)], (16,) * ndim, augment=False, rotate=False, generator=torch.Generator().manual_seed(0)
    )
    expected = torch.from_numpy(make_disk(ndim, 16)).float()
    assert torch.allclose(image[0, 0], expected, atol=1e-5)
    assert torch.allclose(masks[0, 1], expected, atol=1e-5)


@pytest.mark.parametrize("ndim", [2, 3])
def test_augmentation_moves_image_and_mask_together(ndim: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from ...training import _augment

    monkeypatch.setattr(_augment, "recolor", lambda images, *_: images)
    generator = torch.Generator().manual_seed(1)
    images, masks = draw_batch([a_case(ndim=ndim)] * 8, (16,) * ndim, augment=True, rotate=True, generator=generator)
    assert torch.allclose(images[:, 0], masks[:, 1], atol=1e-4)
    assert torch.allclose(masks.sum(dim=1), torch.ones_like(masks[:, 0]), atol=1e-4)
    assert (images[0] - images[1]).abs().max() > 0.1


@pytest.mark.parametrize("ndim", [2, 3])
def test_crops_are_computed_on_the_device_of_the_networks(ndim: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from ...training import _augment

    meta = torch.device("meta")  # it computes nothing, and refuses to be mixed with another device
    monkeypatch.setattr(_augment, "_pixel_noise", lambda shape, generator, device: torch.empty(shape, device=device))
    draws = []
    for device in (meta, torch.device("cpu")):
        generator = torch.Generator().manual_seed(0)
        images, masks = draw_batch(
            [a_case(ndim=ndim)] * 8, (16,) * ndim, augment=True, rotate=True, generator=generator, device=device
        )
        assert images.device == masks.device == device
        draws.append((images.shape, masks.shape, torch.rand((), generator=generator)))
    assert draws[0] == draws[1]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_seed_means_the_same_crops_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    from ...training import _augment

    monkeypatch.setattr(_augment, "_pixel_noise", lambda shape, generator, device: torch.zeros(shape, device=device))
    on_cpu, on_gpu = (
        draw_batch(
            [a_case(ndim=2)] * 8,
            (16, 16),
            augment=True,
            rotate=True,
            generator=torch.Generator().manual_seed(0),
            device=torch.device(name),
        )[0].cpu()
        for name in ("cpu", "cuda")
    )
    assert torch.allclose(on_cpu, on_gpu, atol=1e-3)


def test_affine_maps_scale_by_no_more_than_they_say() -> None:
    generator = torch.Generator().manual_seed(0)
    areas = [abs(float(torch.det(random_affine(2, True, generator)))) for _ in range(200)]
    assert math.exp(-1.0) < min(areas) < max(areas) < math.exp(1.0)


def test_recoloring_stays_in_range_and_changes_each_image_its_own_way() -> None:
    images = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)).repeat(6, 1, 1, 1)
    out = recolor(images, torch.Generator().manual_seed(0))
    assert out.min() >= 0
    assert out.max() <= 1
    assert all((out[0] - other).abs().mean() > 0.01 for other in out[1:])


# --- losses -------------------------------------------------------------------------------------------------------


def test_losses_of_known_masks() -> None:
    masks = torch.tensor([1.0, 0.0]).reshape(1, 2, 1, 1)
    assert cross_entropy(torch.zeros(1, 2, 1, 1), masks).item() == pytest.approx(math.log(2))
    half = soft_masks(np.array([[0, 1]]), 2, (1, 2))[None]
    assert dice_loss(torch.where(half > 0, 20.0, -20.0), half).item() == pytest.approx(0, abs=1e-6)
    # nothing of one foreground pixel is found: 1 - (0 + 1) / (1 + 1), the ones are the smoothing
    assert dice_loss(torch.tensor([20.0, -20.0]).reshape(1, 2, 1, 1).expand(1, 2, 1, 2), half).item() == pytest.approx(
        0.5
    )


@pytest.mark.parametrize("ndim", [2, 3])
def test_denoiser_loss_reaches_image_encoder_and_denoiser_but_not_the_autoencoder(ndim: int) -> None:
    model = make_tiny_model(ndim, guess=True, latent_channels=2).requires_grad_(True)
    images, masks = torch.rand(2, 3, *[16] * ndim), torch.rand(2, 2, *[16] * ndim).softmax(dim=1)
    denoiser_loss(model, Batch(images, masks, masks), TrainConfig(), torch.Generator().manual_seed(0)).backward()
    touched = {name.split(".")[0] for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    assert touched == {"image_encoder", "denoiser"}


# --- the whole way ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_training_writes_a_model_a_log_and_its_split(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "data", 4)
    seen, model = finish(train(pairs, config_2d(), QUICK, tmp_path / "run"))
    assert [e.stage for e in seen if e.validation is not None] == ["autoencoder"] * 2 + ["denoiser"] * 2
    assert model.sha256
    assert "validation image" in model.config.score
    split = json.loads((tmp_path / "run" / "split.json").read_text())
    assert len(split["training"]) == len(split["validation"]) == 2
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in log if row["stage"] == "denoiser"][-1] == 6


@pytest.mark.slow
def test_a_killed_training_goes_on_and_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "data", 4)
    config = QUICK.replace(validate_every=2)
    _, whole = finish(train(pairs, config_2d(), config, tmp_path / "whole"))
    run = train(pairs, config_2d(), config, tmp_path / "killed")
    for epoch in run:
        if epoch.stage == "denoiser" and epoch.done == 2:
            break
    run.close()
    seen, resumed = finish(train(pairs, config_2d(), config, tmp_path / "killed"))
    assert seen[0].done > 2
    for name, value in whole.state_dict().items():
        assert torch.allclose(value, resumed.state_dict()[name], atol=1e-6), name


@pytest.mark.slow
def test_a_folder_of_another_training_is_refused(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "data", 4)
    finish(train(pairs, config_2d(), QUICK, tmp_path / "run"))
    with pytest.raises(InputError, match=r"other settings \(learning_rate\)"):
        finish(train(pairs, config_2d(), QUICK.replace(learning_rate=0.1), tmp_path / "run"))
    with pytest.raises(InputError, match="the model's configuration"):
        finish(train(pairs, config_2d(latent_channels=3), QUICK, tmp_path / "run"))


@pytest.mark.slow
def test_a_training_does_not_go_on_with_other_images(tmp_path: Path) -> None:
    """Nothing of what was learnt from may be held out afterwards, and the card must not name what was never seen."""
    pairs = write_pairs(tmp_path / "data", 6)
    finish(train(pairs[:4], config_2d(), QUICK, tmp_path / "run"))
    split = (tmp_path / "run" / "split.json").read_text()
    with pytest.raises(InputError, match=r"other settings \(the images, or which of them are held out\)"):
        finish(train(pairs, config_2d(), QUICK, tmp_path / "run"))
    assert (tmp_path / "run" / "split.json").read_text() == split


def test_a_model_from_elsewhere_is_not_replaced(tmp_path: Path) -> None:
    model = save_model(make_tiny_model(2), tmp_path / "mine")
    before = model.read_bytes()
    with pytest.raises(InputError, match="holds a model that no training wrote there"):
        finish(train(write_pairs(tmp_path / "data", 4), config_2d(), QUICK, model.parent))
    assert model.read_bytes() == before


def test_a_loss_that_is_no_number_ends_the_training_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = write_pairs(tmp_path / "data", 2)
    monkeypatch.setattr(stage, "autoencoder_loss", lambda *_: torch.tensor(float("nan"), requires_grad=True))
    with pytest.raises(EngineError, match=r"The loss became nan at step 0 of the autoencoder; lower the learning rate"):
        finish(train(pairs, config_2d(), QUICK, tmp_path / "run"))


def test_crops_must_fit_the_networks(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"crops \(30, 32\) must be multiples of 4"):
        finish(train(write_pairs(tmp_path, 2), config_2d(), QUICK.replace(crop=(30, 32)), tmp_path / "run"))


@pytest.mark.slow
def test_a_tiny_model_learns_phantoms(tmp_path: Path) -> None:
    """The whole method in seconds: trained on eight phantoms, it segments others clearly better than no model."""
    pairs = write_pairs(tmp_path / "data", 10)
    network = {
        "guess": True,
        "latent_channels": 4,
        "latent_norm": "channel",
        "image_refine": 1,
        "embedding_channels": 8,
    }
    config = QUICK.replace(
        autoencoder_steps=120, denoiser_steps=160, batch=4, learning_rate=5e-3, ema=0.95, warmup=10,
        validate_every=1000, validation=0.2, validation_samples=4, timesteps_per_image=2,
    )  # fmt: skip
    seen, _ = finish(train(pairs, config_2d(**network), config, tmp_path / "run"))
    scores = {e.stage: e.validation for e in seen if e.validation is not None}
    assert scores["autoencoder"] is not None
    assert scores["denoiser"] is not None
    assert scores["autoencoder"] > 0.9
    assert scores["denoiser"] > 0.75


@pytest.mark.slow
def test_fine_tuning_starts_from_the_parent_and_leaves_it_alone(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "data", 4)
    _, parent = finish(train(pairs, config_2d(), QUICK, tmp_path / "parent"))
    before = {name: value.clone() for name, value in parent.state_dict().items()}
    config = TrainConfig.for_fine_tuning(
        learn="denoiser",
        denoiser_steps=4,
        batch=2,
        crop=(32, 32),
        validate_every=2,
        validation_samples=1,
        validation=0.3,
    )
    seen, tuned = finish(fine_tune(parent, pairs, config, tmp_path / "tuned"))
    assert [(e.stage, e.done) for e in seen if e.validation is not None] == [("denoiser", step) for step in (0, 2, 4)]
    assert all(torch.equal(before[name], value) for name, value in parent.state_dict().items())
    for name in ("mask_encoder", "mask_decoder"):
        weights = tuned.get_submodule(name).state_dict()
        assert all(torch.equal(before[f"{name}.{key}"], value) for key, value in weights.items())
    assert tuned.config.name == "tiny-2d-tuned"
    assert parent.sha256 in tuned.card


@pytest.mark.slow
def test_fine_tuning_never_returns_what_is_worse_on_its_validation_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = write_pairs(tmp_path / "data", 4)
    _, parent = finish(train(pairs, config_2d(), QUICK, tmp_path / "parent"))
    scores = iter([0.9, 0.9, 0.8, 0.8, 0.7, 0.7])
    monkeypatch.setattr(loop, "segmentation_dice", lambda *_: (next(scores), None))
    monkeypatch.setattr(loop, "write_preview", lambda *_: None)
    config = TrainConfig.for_fine_tuning(
        learn="denoiser", denoiser_steps=4, batch=2, crop=(32, 32), validate_every=2, validation=0.3, learning_rate=0.01
    )
    _, tuned = finish(fine_tune(parent, pairs, config, tmp_path / "tuned", name="mine"))
    assert tuned.config.name == "mine"
    assert tuned.config.score == "DSC 0.900 on 2 validation images"
    assert all(torch.equal(a, b) for a, b in zip(parent.parameters(), tuned.parameters(), strict=True))


def test_training_from_scratch_needs_an_autoencoder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="autoencoder_steps is 0"):
        finish(train([], config_2d(), QUICK.replace(autoencoder_steps=0), tmp_path))


@pytest.mark.parametrize(("progress", "expected"), [(0.0, 1.0), (0.5, 0.505), (1.0, 0.01)])
def test_learning_rate_falls_along_half_a_cosine(progress: float, expected: float) -> None:
    assert learning_rate_factor(progress, 1000, 10) == pytest.approx(expected)
    assert learning_rate_factor(progress, 0, 10) == pytest.approx(expected / 10)


@pytest.mark.slow
def test_release_networks_learn_too_and_their_batch_statistics_are_kept(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "data", 4)
    config = import_keras(write_release(tmp_path / "keras", 2)).config
    config = config.replace(network=config.network.replace(classes=2))
    quick = QUICK.replace(autoencoder_steps=2, denoiser_steps=2, device="cpu")
    _, model = finish(train(pairs, config, quick, tmp_path / "run"))
    statistics = [buffer for name, buffer in model.named_buffers() if name.endswith("variance")]
    assert len(statistics) == 3 * 3 + (2 * 3 + 1) + 1  # mask encoder, mask decoder, image encoder
    assert all((variance != 1).all() for variance in statistics)
