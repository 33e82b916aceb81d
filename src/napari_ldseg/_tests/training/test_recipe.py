"""What can be switched on in a training: residuals, high noise, decoded loss, recycling, damage, scanners, raters."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ...config import TrainConfig
from ...diffusion import alpha_bar, residual_weight
from ...errors import InputError
from ...networks import LDSeg
from ...training import _trainer, fine_tune
from ...training._adapt import with_residual
from ...training._augment import draw_batch, draw_rated_batch
from ...training._damage import damage_labels, damaged
from ...training._degrade import (
    degrade,
    gaussian_noise,
    low_resolution,
    missing_parts,
    rician_noise,
    speckle,
    uneven_brightness,
)
from ...training._likelihood import mixture_nll
from ...training._losses import (
    Batch,
    cross_entropy,
    decoded_loss,
    denoiser_loss,
    dice_loss,
    draw_timesteps,
    guess_loss,
)
from ...training._raters import majority, with_raters
from ..builders import make_disk, make_tiny_model
from .pairs import a_model, finish, some_pairs
from .test_training import a_case

RICH = {"guess": True, "latent_channels": 4, "latent_norm": "channel"}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def a_batch(model: LDSeg, ndim: int = 2, number: int = 2) -> Batch:
    images = torch.rand(number, 3, *[16] * ndim, generator=seeded(1))
    masks = (torch.rand(number, 2, *[16] * ndim, generator=seeded(2)) * 9).softmax(dim=1)
    return Batch(images, masks, masks)


# --- losses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_timesteps_move_towards_noise(shift: float) -> None:
    t = draw_timesteps(1000, shift, seeded())
    assert t.min() >= 0
    assert t.max() <= 1
    assert t.median().item() == pytest.approx(shift / (1 + shift), abs=0.01)


@pytest.mark.parametrize("ndim", [2, 3])
def test_every_switch_reaches_denoiser_and_prompt_encoder_and_leaves_the_autoencoder(ndim: int) -> None:
    model = make_tiny_model(ndim, **RICH, residual_sd=0.4, prompt_widths=(8, 8)).requires_grad_(True)
    config = TrainConfig(
        timestep_shift=3, decoded_weight=0.5, recycle=0.5, guess_damage=0.5, guess_noise=0.3, guess_drop=0.3,
        embedding_drop=0.5, prompt_share=1,
    )  # fmt: skip
    for name, module in model.named_children():
        module.requires_grad_(name not in ("mask_encoder", "mask_decoder"))
    loss = denoiser_loss(model, a_batch(model, ndim), config, seeded())
    loss.backward()
    touched = {name.split(".")[0] for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    assert touched == {"image_encoder", "denoiser", "prompt_encoder"}


def test_switched_off_the_loss_is_that_of_the_paper() -> None:
    """LDSeg eq. 9, written out, with the same random numbers in the same order (2.5437 before there were switches)."""
    model = make_tiny_model(2, guess=True, latent_channels=2)
    batch, generator = a_batch(model), seeded()
    clean = model.encode(batch.masks).repeat_interleave(4, dim=0)
    embedding, guess = model.embed(batch.images)
    assert guess is not None
    t = (torch.randperm(8, generator=generator) + torch.rand(1, generator=generator)) / 8 * 999
    noise = torch.randn(clean.shape, generator=generator)
    abar = alpha_bar(t, "cosine", 1000).float().reshape(8, 1, 1, 1)
    noised = abar.sqrt() * clean + (1 - abar).sqrt() * noise
    output = model.predict(noised, t, model.condition(embedding).repeat_interleave(4, dim=0))
    expected = ((output - noise) ** 2).mean() + cross_entropy(guess, batch.masks) + dice_loss(guess, batch.masks)
    found = denoiser_loss(model, batch, TrainConfig(), seeded())
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


def test_a_residual_weighs_noise_more() -> None:
    """An estimate of the clean latent that is off by 1 everywhere costs 1 / sd^2 at pure noise, not 1."""
    abar = alpha_bar(torch.tensor([999.0]), "cosine", 1000)
    # v is off by 1 / sqrt(1 - abar), about 1
    assert residual_weight(abar, 0.5).item() == pytest.approx(4, rel=1e-3)


def test_recycled_latents_are_held_to_the_truth(monkeypatch: pytest.MonkeyPatch) -> None:
    """A denoiser that gives back the truth, whatever it sees, has no loss, also where its own estimate is noised."""
    model = make_tiny_model(2, latent_channels=4, latent_norm="channel")
    model.config = model.config.replace(diffusion=model.config.diffusion.replace(prediction="sample").model_dump())
    batch = a_batch(model)
    clean = model.encode(batch.masks).repeat_interleave(4, dim=0)
    calls = []

    def predict(latent: torch.Tensor, t: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        calls.append(len(latent))
        return torch.zeros_like(latent) if len(calls) == 1 else clean

    monkeypatch.setattr(model, "predict", predict)
    loss = denoiser_loss(model, batch, TrainConfig(recycle=0.5), seeded())
    assert loss.item() == pytest.approx(0, abs=1e-10)
    assert len(calls) == 2
    assert 0 < calls[0] < calls[1] == 8


def test_decoded_estimates_come_from_the_noisier_half(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_tiny_model(2, latent_channels=4, latent_norm="channel")
    batch = a_batch(model)
    estimate = torch.arange(8.0).reshape(8, 1, 1, 1).expand(8, 4, 4, 4)
    seen: list[list[float]] = []

    def decode(latent: torch.Tensor) -> torch.Tensor:
        seen.append(latent[:, 0, 0, 0].tolist())
        return batch.masks.log()

    monkeypatch.setattr(model, "decode", decode)
    t = torch.tensor([0.1, 0.9, 0.6, 0.2, 0.7, 0.3, 0.8, 0.4])
    config = TrainConfig(decoded_share=0.25)
    found = decoded_loss(model, estimate, t, batch, config)
    assert seen == [[1, 2]]  # a quarter of eight, the first of those above half
    # both belong to the first crop, whose logits here are the first and the second mask
    first, second = batch.masks
    expected = -(first * first.log() + first * second.log()).sum() / (2 * first.sum())
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


# --- residuals ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_model_made_residual_keeps_its_weights_and_starts_from_its_guess(ndim: int) -> None:
    model = a_model(ndim, **RICH)
    changed = with_residual(model, 0.3)
    assert changed.config.network.residual_sd == 0.3
    last = [name for name, _ in model.named_parameters() if name.startswith("denoiser.out.2.")]
    assert len(last) == 2
    assert not any(changed.get_parameter(name).any() for name in last)
    others = [name for name, _ in model.named_parameters() if name not in last]
    assert all(torch.equal(model.state_dict()[name], changed.state_dict()[name]) for name in others)
    assert with_residual(changed, 0.3) is changed
    with pytest.raises(InputError, match="makes no first guess"):
        with_residual(a_model(ndim), 0.3)


def test_fine_tuning_makes_a_model_residual(tmp_path: Path) -> None:
    config = TrainConfig.for_fine_tuning(
        learn="denoiser", denoiser_steps=2, batch=2, crop=(16, 16), validation=0, device="cpu", residual_sd=0.4,
        guess_damage=0.5, noise=0.3, degrade=0.5,
    )  # fmt: skip
    _, tuned = finish(fine_tune(a_model(2, **RICH), some_pairs(tmp_path), config, tmp_path / "run"))
    assert tuned.config.network.residual_sd == 0.4
    assert tuned.get_parameter("denoiser.out.2.weight").any()


# --- damaged guesses ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ndim", [2, 3])
def test_damage_changes_labels_but_not_all_of_them(ndim: int) -> None:
    labels = np.pad(make_disk(ndim, 16), ((0, 16),) * ndim).astype(np.int64)
    changed = [float((damage_labels(labels, 2, np.random.default_rng(seed)) != labels).mean()) for seed in range(40)]
    assert sum(share > 0 for share in changed) > 30
    assert max(changed) < 0.6


def test_only_a_share_of_the_guesses_is_damaged_or_left_out() -> None:
    model = make_tiny_model(2, **RICH)
    labels = torch.from_numpy(make_disk(2, 16)).long()[None].repeat(60, 1, 1)
    embedding, _ = model.embed(torch.rand(1, 3, 16, 16, generator=seeded()))
    embedding = embedding.repeat(60, 1, 1, 1)
    config = TrainConfig(guess_damage=0.5, guess_drop=0.2)
    changed, guess = damaged(model, embedding, labels, config, seeded())
    assert guess is not None
    assert torch.equal(changed[:, :-4], embedding[:, :-4])
    other = (guess != labels).flatten(1).any(dim=1)
    assert 15 < int(other.sum()) < 40
    dropped = ~changed[:, -4:].flatten(1).any(dim=1)
    assert 4 < int(dropped.sum()) < 24
    kept = ~dropped & other
    masks = torch.nn.functional.one_hot(guess[kept], 2).movedim(-1, 1).float()
    assert torch.allclose(changed[kept][:, -4:], model.encode(masks), atol=1e-5)
    same = (changed == embedding).flatten(1).all(dim=1)
    assert 15 < int(same.sum()) < 40
    assert not (same & other).any()


def test_parts_of_the_embedding_are_left_out() -> None:
    model = make_tiny_model(2, **RICH)
    embedding = torch.ones(40, 5, 4, 4)
    changed, _ = damaged(model, embedding, None, TrainConfig(embedding_drop=0.5), seeded())
    known = changed[:, :, :, :]
    holes = (known == 0).flatten(1).any(dim=1)
    assert 10 < int(holes.sum()) < 30
    assert (known[holes].flatten(1).mean(dim=1) > 0.5).all()


def test_without_damage_nothing_is_copied() -> None:
    embedding = torch.ones(1, 5, 4, 4)
    assert damaged(make_tiny_model(2, **RICH), embedding, None, TrainConfig(), seeded())[0] is embedding


# --- scanners -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ndim", [2, 3])
def test_noise_has_the_spread_that_it_is_said_to_have(ndim: int) -> None:
    image = torch.full((1, *[24] * ndim), 0.5)
    assert gaussian_noise(image, 0.1, seeded()).std().item() == pytest.approx(0.1, rel=0.1)
    dark = rician_noise(torch.zeros_like(image), 0.1, seeded())
    # Rayleigh: mean sqrt(pi / 2) sigma
    assert dark.mean().item() == pytest.approx(0.1 * math.sqrt(math.pi / 2), rel=0.06)
    assert rician_noise(image, 0.0, seeded()).mean().item() == pytest.approx(0.5)
    spoken = speckle(image, 0.1, seeded())
    assert spoken.std() > 0.05
    assert speckle(torch.zeros_like(image), 0.3, seeded()).abs().max() == 0  # it multiplies
    upper, lower = spoken.narrow(ndim - 1, 0, 8).mean(), spoken.narrow(ndim - 1, 16, 8).mean()
    assert lower < upper


@pytest.mark.parametrize("ndim", [2, 3])
def test_degraded_images_keep_shape_and_mean(ndim: int) -> None:
    image = torch.rand(2, *[20] * ndim, generator=seeded())
    coarse = low_resolution(image, 1.0, seeded())
    assert coarse.shape == image.shape
    assert coarse.std() < 0.8 * image.std()
    assert coarse.mean().item() == pytest.approx(image.mean().item(), abs=0.02)
    bright = uneven_brightness(image, 1.0, seeded())
    ratio = bright / image
    assert ratio.max() > 1.05 * ratio.min()
    holes = missing_parts(image, 1.0, seeded())
    share = (holes != image).float().mean().item()
    assert 0 < share < 0.5
    assert holes.mean().item() == pytest.approx(image.mean().item(), abs=1e-4)


def test_noise_comes_to_every_second_crop_and_stays_in_range() -> None:
    image = torch.full((1, 16, 16), 0.5)
    config = TrainConfig(noise=0.3)
    spreads = [degrade(image, config, seeded(seed)).std().item() for seed in range(200)]
    changed = [spread for spread in spreads if spread > 0]
    assert 70 < len(changed) < 130
    assert max(changed) < 0.33
    assert np.mean(changed) == pytest.approx(0.15, abs=0.03)
    worst = degrade(image, TrainConfig(noise=1, degrade=1, scanner="ultrasound"), seeded(1))
    assert worst.min() >= 0
    assert worst.max() <= 1


def test_crops_without_the_new_noise_are_what_they_were() -> None:
    def draw(number: int, config: TrainConfig | None) -> tuple[torch.Tensor, torch.Tensor]:
        cases = [a_case()] * number
        return draw_batch(cases, (16, 16), augment=True, rotate=True, generator=seeded(), config=config)

    assert torch.equal(draw(1, None)[0], draw(1, TrainConfig())[0])
    noisy, plain = draw(8, TrainConfig(noise=1, degrade=1)), draw(8, None)
    assert torch.equal(noisy[1], plain[1])  # masks are not touched
    assert not torch.equal(noisy[0], plain[0])


# --- several raters -----------------------------------------------------------------------------------------------


def test_majority_of_the_raters() -> None:
    votes = [np.array(row, np.uint8) for row in ([0, 1, 2, 255], [0, 1, 1, 255], [1, 0, 2, 255])]
    assert majority(votes, 3).tolist() == [0, 1, 2, 255]
    assert majority(votes[:2], 3).tolist() == [0, 1, 1, 255]  # of equals the lower one


def rated(number: int = 3) -> Any:
    case = a_case()
    masks = [make_disk(2, 16, 2.0 + 2 * rater) for rater in range(number)]
    return with_raters(case, masks), masks


def test_each_draw_takes_a_random_rater_and_the_mean_of_all() -> None:
    case, masks = rated()
    _, drawn, means = draw_rated_batch([case] * 60, (16, 16), augment=False, rotate=False, generator=seeded())
    assert means is not None
    areas = {int(mask[1].sum().round()) for mask in drawn}
    assert areas == {int(mask.sum()) for mask in masks}
    expected = torch.from_numpy(np.mean(masks, axis=0)).float()
    assert torch.allclose(means[:, 1], expected.expand(60, 16, 16), atol=1e-5)
    assert case.labels.sum() == masks[1].sum()  # two of three


def test_the_guess_learns_the_mean_of_the_raters_and_no_dice_if_asked() -> None:
    half = torch.full((1, 2, 4, 4), 0.5)
    one = torch.zeros(1, 2, 4, 4)
    one[:, 1] = 1
    batch = Batch(half, one, one, half)
    loss = guess_loss(torch.zeros(1, 2, 4, 4), batch, TrainConfig(guess_dice=0))
    assert loss.item() == pytest.approx(math.log(2))  # the least there can be
    assert guess_loss(torch.zeros(1, 2, 4, 4), batch, TrainConfig()).item() > loss.item()


def test_raters_must_have_drawn_on_the_same_image() -> None:
    with pytest.raises(InputError, match=r"needs one label mask of shape \(16, 16\) from each rater"):
        with_raters(a_case(), [make_disk(2, 16), make_disk(2, 12)])


@pytest.mark.parametrize("learn", ["denoiser", "prompts"])
def test_cases_of_several_raters_are_trained_on(tmp_path: Path, learn: str) -> None:
    case, _ = rated()
    config = TrainConfig.for_fine_tuning(
        learn=learn, denoiser_steps=2, batch=2, crop=(16, 16), validation=0, device="cpu", guess_dice=0, cached_views=2
    )
    model = a_model(2, **RICH, prompt_widths=(8, 8))
    before = model.denoiser.condition_in.weight.clone()
    trainer = _trainer.Trainer([case], model, config, tmp_path / "run", fresh=False, masks=False)
    finish(_trainer.run_trainer(trainer))
    assert not torch.equal(trainer.model.denoiser.condition_in.weight, before)


# --- which weights are kept ---------------------------------------------------------------------------------------


class Shown:
    """A segmentation of which only the mean counts."""

    def __init__(self, mean: np.ndarray) -> None:
        self.mean = mean


def test_likelihood_of_a_mixture_of_known_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    case = a_case()
    mean = np.stack([case.masks[0].numpy(), case.masks[1].numpy()])
    model = make_tiny_model(2, guess=True)
    uniform = torch.zeros(1, 2, 16, 16)
    monkeypatch.setattr(model, "embed", lambda image: (image, uniform))
    # true with 1 by the samples, with 0.5 by the guess: 0.75
    assert mixture_nll(model, case, Shown(mean)) == pytest.approx(-math.log(0.75), rel=1e-5)  # type: ignore[arg-type]
    monkeypatch.setattr(model, "embed", lambda image: (image, None))
    assert mixture_nll(model, case, Shown(1 - mean)) == pytest.approx(-math.log(1e-4), rel=1e-5)  # type: ignore[arg-type]


def test_the_likeliest_weights_are_kept_not_those_with_the_best_dice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice, nll = iter([0.5, 0.9, 0.6]), iter([0.7, 0.8, 0.3])
    monkeypatch.setattr(_trainer, "segmentation_dice", lambda *_: (next(dice), None))
    monkeypatch.setattr(_trainer, "mixture_nll", lambda *_: next(nll))
    monkeypatch.setattr(_trainer, "write_preview", lambda *_: None)
    config = TrainConfig.for_fine_tuning(
        learn="denoiser", denoiser_steps=4, batch=2, crop=(16, 16), validate_every=2, validation=0.3, device="cpu",
        select="likelihood",
    )  # fmt: skip
    _, tuned = finish(fine_tune(a_model(2, **RICH), some_pairs(tmp_path), config, tmp_path / "run"))
    assert tuned.config.score == "DSC 0.600, NLL 0.3000 on 1 validation image"
