"""Prompts in training: the simulated annotator, simulated prompts, cached embeddings, fine_tune(learn="prompts")."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ...config import TrainConfig
from ...errors import InputError
from ...exchange import import_keras
from ...networks import LDSeg
from ...training import fine_tune
from ...training._adapt import with_classes, with_prompts
from ...training._annotator import Click, innermost, next_click, wrong_components
from ...training._conditions import conditions
from ...training._dataset import Case
from ...training._embedded import EmbeddedCases, padded
from ...training._losses import Batch
from ...training._prompt_loss import prompt_loss
from ...training._prompts import prompt_maps, say
from ...training._steering import Place, Subject, click_through, clicks_needed, prompted_score, subject_of
from ..builders import make_disk, make_tiny_model
from ..keras_builders import write_release
from .pairs import a_model, finish, some_pairs, write_case
from .test_training import a_case

RICH = {"guess": True, "latent_channels": 4, "latent_norm": "channel"}


def square(side: int, low: int, high: int, ndim: int = 2) -> NDArray[np.int64]:
    labels = np.zeros((side,) * ndim, np.int64)
    labels[(slice(low, high),) * ndim] = 1
    return labels


# --- the annotator ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_next_click_falls_into_the_middle_of_the_largest_error(ndim: int) -> None:
    reference = square(20, 4, 13, ndim)  # 9 a side, its middle is 8
    reference[(slice(16, 18),) * ndim] = 1  # a smaller one is missed, too
    click = next_click(np.zeros_like(reference), reference, radius=3)
    assert click == Click((8,) * ndim, 3, 1)
    # what is too much is clicked as background
    click = next_click(np.ones_like(reference), np.zeros_like(reference), radius=2.5)
    assert click is not None
    assert click.label == 0
    assert next_click(reference, reference, radius=3) is None


def test_a_click_stays_in_its_class() -> None:
    reference = square(20, 4, 9)  # five pixels a side: from the middle the nearest other pixel is 3 away
    click = next_click(np.zeros_like(reference), reference, radius=8)
    assert click is not None
    assert click.centre == (6, 6)
    assert 2.9 < click.radius < 3
    rows, columns = click.pixels(reference.shape)
    assert reference[rows, columns].all()
    assert len(rows) == 25  # 29 pixels lie within 3 of one, and four of them at just 3


def test_clicks_at_a_corner_have_no_pixels_outside() -> None:
    rows, columns = Click((0, 0), 1, 1).pixels((5, 5))
    assert sorted(zip(rows.tolist(), columns.tolist(), strict=True)) == [(0, 0), (0, 1), (1, 0)]


def test_nobody_clicks_what_is_not_annotated() -> None:
    reference = square(20, 4, 13)
    known = np.zeros(reference.shape, bool)
    assert next_click(np.zeros_like(reference), reference, 3, known) is None
    known[4:7, 4:7] = True
    click = next_click(np.zeros_like(reference), reference, 3, known)
    assert click is not None
    assert click.centre == (5, 5)


def test_errors_of_touching_classes_are_apart() -> None:
    reference = np.array([[0, 1, 1, 2, 2, 2]])
    parts = wrong_components(np.zeros_like(reference), reference)
    assert [(part.label, part.size) for part in parts] == [(2, 3), (1, 2)]


def test_innermost_counts_the_border_of_the_image_as_one() -> None:
    assert innermost(np.ones((5, 9), bool)) == ((2, 2), 3.0)


# --- simulated prompts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ndim", [2, 3])
def test_simulated_prompts_are_true_and_most_lie_at_errors(ndim: int) -> None:
    reference = square(24, 3, 12, ndim)
    estimate, known = np.zeros_like(reference), np.ones(reference.shape, bool)
    known[:, :2] = False
    hits = 0
    for seed in range(60):
        said = say(estimate, reference, known, 2, 1, 4.0, np.random.default_rng(seed))
        assert said.shape == (2, *reference.shape)
        assert said.any()
        for label in (0, 1):
            assert (reference[said[label] > 0] == label).all()
        assert known[said.any(axis=0)].all()
        hits += bool(said[1].any())
    assert hits > 45  # 0.8 at the error, some of the others there by chance


def test_a_share_of_the_crops_has_none_and_the_rest_no_more_than_asked_for() -> None:
    masks = torch.from_numpy(np.stack([1 - square(16, 4, 12), square(16, 4, 12)])).float()[None].repeat(200, 1, 1, 1)
    config = TrainConfig(prompt_share=0.5, prompt_count=1)
    maps = prompt_maps(torch.zeros(200, 16, 16, dtype=torch.long), masks, config, 0.5, torch.Generator().manual_seed(0))
    some = maps.flatten(1).any(dim=1)
    assert 70 < int(some.sum()) < 130
    assert (maps.sum(dim=1) <= 1).all()
    again = prompt_maps(
        torch.zeros(200, 16, 16, dtype=torch.long), masks, config, 0.5, torch.Generator().manual_seed(1), before=maps
    )
    assert torch.equal(again.flatten(1).any(dim=1), some)
    assert (again >= maps).all()
    assert again.sum() > maps.sum()


def test_nothing_is_said_of_what_nobody_annotated() -> None:
    config = TrainConfig(prompt_share=1)
    maps = prompt_maps(
        torch.zeros(1, 8, 8, dtype=torch.long), torch.zeros(1, 2, 8, 8), config, 2, torch.Generator().manual_seed(0)
    )
    assert not maps.any()


@pytest.mark.parametrize("guess", [True, False])
def test_conditions_depend_on_prompts_only_where_the_model_takes_them(guess: bool) -> None:
    masks = torch.from_numpy(np.stack([1 - square(16, 4, 12), square(16, 4, 12)])).float()[None]
    without = make_tiny_model(2, guess=guess, latent_channels=2)
    taking = make_tiny_model(2, guess=guess, latent_channels=2, prompt_widths=(8, 8))
    for model, told in ((without, False), (taking, True)):
        embedding, logits = model.embed(torch.rand(1, 3, 16, 16))
        classes = None if logits is None else logits.argmax(dim=1)
        found = conditions(
            model, embedding, classes, masks, TrainConfig(prompt_share=1), torch.Generator().manual_seed(0)
        )
        assert torch.equal(found, model.condition(embedding)) is not told


# --- cached embeddings --------------------------------------------------------------------------------------------


def test_padding_goes_on_with_the_mirror_image() -> None:
    assert padded(torch.arange(3)[None], (8,)).tolist() == [[0, 1, 2, 2, 1, 0, 0, 1]]


@pytest.mark.parametrize("ndim", [2, 3])
def test_crops_of_a_cached_embedding_lie_on_its_cells(ndim: int) -> None:
    model = a_model(ndim, **RICH)
    case = a_case(ndim=ndim)  # 16 a side: 4 cells
    cases = EmbeddedCases([case], (8,) * ndim, TrainConfig(cached_views=1), rotate=True, device=torch.device("cpu"))
    assert list(cases.fill(model)) == [1]
    whole, guess = model.embed(case.image[None])
    assert guess is not None
    batch = cases.draw([0] * 8, 4, torch.Generator().manual_seed(0))
    assert batch.embedding is not None
    assert batch.guess is not None
    seen = set()
    for embedding, masks, classes in zip(batch.embedding, batch.masks, batch.guess, strict=True):
        places = [
            index
            for index in np.ndindex(*(3,) * ndim)
            if torch.allclose(whole[0][(slice(None), *(slice(i, i + 2) for i in index))], embedding, atol=1e-5)
        ]
        assert len(places) == 1
        pixels = tuple(slice(4 * i, 4 * i + 8) for i in places[0])
        assert torch.equal(case.masks[(slice(None), *pixels)], masks)
        assert torch.equal(guess[0].argmax(dim=0)[pixels], classes)
        seen.add(places[0])
    assert len(seen) > 2


def test_other_views_are_mirrored_or_augmented_together_with_their_masks() -> None:
    model = a_model(2, **RICH)
    labels = square(16, 2, 7)
    case = a_case()
    image = torch.from_numpy(labels).float().expand(3, 16, 16)
    case = Case(image, torch.stack([1 - image[0], image[0]]), case.source, labels, "a", "a")
    cases = EmbeddedCases([case], (16, 16), TrainConfig(cached_views=4), rotate=True, device=torch.device("cpu"))
    assert list(cases.fill(model)) == [1, 2, 3, 4]
    assert cases.full
    batch = cases.draw([0] * 40, 4, torch.Generator().manual_seed(0))
    different = {tuple(mask[1].flatten().tolist()) for mask in batch.masks}
    assert 3 <= len(different) <= 4
    turned = [mask[1] for mask in batch.masks if set(mask[1].unique().tolist()) == {0.0, 1.0}]
    assert all(int(mask.sum()) == 25 for mask in turned)


# --- the whole way ------------------------------------------------------------------------------------------------


def same(first: LDSeg, second: LDSeg, *parts: str) -> bool:
    return all(
        torch.equal(a, b)
        for part in parts
        for a, b in zip(first.get_submodule(part).parameters(), second.get_submodule(part).parameters(), strict=True)
    )


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_model_that_takes_prompts_starts_from_what_it_was(ndim: int) -> None:
    model = a_model(ndim, **RICH)
    taking = with_prompts(model)
    assert taking.config.network.prompt_widths == (16, 32)
    assert with_prompts(taking) is taking
    embedding, _ = model.embed(torch.rand(1, 3, *(16,) * ndim))
    prompts = torch.rand(1, 2, *(16,) * ndim)
    known, guess = taking.condition(embedding, prompts).tensor_split([-4], dim=1)
    assert torch.equal(known, model.condition(embedding))
    assert torch.equal(guess, embedding[:, -4:])
    latent, t = torch.rand(1, 4, *(4,) * ndim), torch.tensor([300.0])
    told = taking.condition(embedding, prompts)
    assert torch.equal(taking.predict(latent, t, told), model.predict(latent, t, model.condition(embedding)))
    three = with_classes(taking, ("background", "foreground", "third"))
    assert three.condition(embedding, torch.rand(1, 3, *(16,) * ndim)).shape == told.shape


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("residual_sd", [0.0, 0.5])
def test_prompts_correct_the_first_guess_near_them_and_nowhere_else(ndim: int, residual_sd: float) -> None:
    """The denoiser is told of the corrected guess exactly as if its image encoder had guessed it."""
    torch.manual_seed(0)
    model = with_prompts(a_model(ndim, **RICH, residual_sd=residual_sd))
    assert model.prompt_encoder is not None
    torch.nn.init.normal_(model.prompt_encoder.out.weight)
    side = 64 if ndim == 2 else 40
    embedding = torch.rand(1, model.config.network.embedding_channels + 4, *(side // 4,) * ndim)
    prompts = torch.zeros(1, 2, *(side,) * ndim)
    plain = model.condition(embedding)
    assert torch.equal(model.tell(plain, prompts), plain)  # nothing said: bit for bit
    prompts[(0, 1, *(2,) * ndim)] = 1
    told = model.tell(plain, prompts)
    change = (told - plain)[0, -4:].abs().amax(dim=0)
    assert change[(0,) * ndim] > 0
    far = torch.zeros(change.shape, dtype=torch.bool)
    far[(slice(7, None), ...)] = True
    assert not change[far].any()
    corrected = embedding.clone()
    corrected[:, -4:] = told[:, -4:]
    torch.testing.assert_close(model.condition(corrected), told, atol=1e-5, rtol=1e-4)


def test_a_corrected_guess_learns_from_true_prompts() -> None:
    """A few steps on one image whose guess is wrong: told where, the guess is less wrong there."""
    torch.manual_seed(0)
    model = with_prompts(a_model(2, **RICH))
    masks = torch.eye(2)[torch.from_numpy(make_disk(2, 32, 10)).long()].movedim(-1, 0)[None]
    nothing = torch.eye(2)[torch.zeros(1, 32, 32, dtype=torch.long)].movedim(-1, 1)
    seen = torch.rand(1, model.config.network.embedding_channels, 8, 8)
    embedding = torch.cat([seen, model.encode(nothing).detach()], dim=1)
    batch = Batch(embedding, masks, masks, embedding=embedding, guess=torch.zeros(1, 32, 32, dtype=torch.long))
    model.requires_grad_(False)
    assert model.prompt_encoder is not None
    model.prompt_encoder.requires_grad_(True)
    optimizer = torch.optim.Adam(model.prompt_encoder.parameters(), lr=3e-3)
    generator = torch.Generator().manual_seed(0)
    losses = []
    for _ in range(30):
        loss = prompt_loss(model, batch, TrainConfig(decoded_weight=0.5), generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-5:]) < 0.7 * losses[0]


def test_fine_tuning_teaches_prompts_and_leaves_encoder_and_autoencoder_alone(tmp_path: Path) -> None:
    parent = a_model(2, **RICH)
    config = TrainConfig.for_fine_tuning(
        learn="prompts", denoiser_steps=4, batch=2, crop=(16, 16), validate_every=2, validation_samples=1,
        validation=0.3, device="cpu", cached_views=2,
    )  # fmt: skip
    seen, tuned = finish(fine_tune(parent, some_pairs(tmp_path), config, tmp_path / "run"))
    assert {epoch.stage for epoch in seen} == {"prompts"}
    notes = [epoch.text for epoch in seen if epoch.text]
    assert "4 views of the images are embedded, once for all steps." in notes
    assert sum("after 1 to 3 clicks" in note for note in notes) == 3
    assert tuned.config.network.prompt_widths == (16, 32)
    assert "clicks on 1 validation image" in tuned.config.score
    assert same(parent, tuned, "image_encoder", "mask_encoder", "mask_decoder", "denoiser")


def test_without_a_first_guess_the_denoiser_learns_prompts_with_their_encoder(tmp_path: Path) -> None:
    parent = a_model(2)
    config = TrainConfig.for_fine_tuning(
        learn="prompts", denoiser_steps=2, batch=2, crop=(16, 16), validate_every=2, validation=0, device="cpu",
        cached_views=1,
    )  # fmt: skip
    _, tuned = finish(fine_tune(parent, some_pairs(tmp_path), config, tmp_path / "run"))
    assert tuned.config.network.prompt_blocks == 0
    assert same(parent, tuned, "image_encoder", "mask_encoder", "mask_decoder")
    assert not same(parent, tuned, "denoiser")


def test_a_killed_training_of_prompts_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    parent, pairs = a_model(2, **RICH), some_pairs(tmp_path)
    config = TrainConfig.for_fine_tuning(
        learn="prompts", denoiser_steps=6, batch=2, crop=(16, 16), validate_every=2, validation=0, device="cpu",
        cached_views=2,
    )  # fmt: skip
    _, whole = finish(fine_tune(parent, pairs, config, tmp_path / "whole"))
    run = fine_tune(parent, pairs, config, tmp_path / "killed")
    for epoch in run:
        if epoch.done == 2:
            break
    run.close()
    _, resumed = finish(fine_tune(parent, pairs, config, tmp_path / "killed"))
    for name, value in whole.state_dict().items():
        assert torch.allclose(value, resumed.state_dict()[name], atol=1e-6), name
    assert whole.prompt_encoder is not None
    assert whole.prompt_encoder.out.weight.any()


def test_partly_annotated_images_teach_prompts_too(tmp_path: Path) -> None:
    labels = make_disk(2, 32, 8)
    labels[:, 20:] = 255
    pairs = [write_case(tmp_path, f"i{n}", labels) for n in range(2)]
    config = TrainConfig.for_fine_tuning(
        learn="prompts", denoiser_steps=2, batch=2, crop=(16, 16), validation=0, device="cpu", cached_views=2,
        prompt_share=1,
    )  # fmt: skip
    _, tuned = finish(fine_tune(a_model(2, **RICH), pairs, config, tmp_path / "run"))
    assert all(torch.isfinite(value).all() for value in tuned.state_dict().values())


def test_networks_of_the_release_take_no_prompts(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="take no prompts"):
        with_prompts(import_keras(write_release(tmp_path / "keras", 2)))


# --- scores after clicks ------------------------------------------------------------------------------------------


def test_clicks_are_true_in_the_result_and_painting_is_told_to_nobody() -> None:
    model = a_model(2, **RICH, prompt_widths=(8, 8))
    subject = subject_of(model, a_case())
    assert subject.known.all()
    painted = click_through(model, subject, 3, radius=2, samples=2, way="painted")
    assert len(painted.clicks) == 3
    assert len(painted.labels) == len(painted.scores) == 4
    assert painted.scores[1] > painted.scores[0]  # the first disk mends the largest error
    assert painted.scores == sorted(painted.scores)
    places: tuple[Place, ...] = ("suggested", "uncertain", "random")
    for where in places:  # the samples say where
        elsewhere = click_through(model, subject, 2, radius=2, samples=4, way="painted", place=where)
        assert all(subject.reference[click.centre] == click.label for click in elsewhere.clicks)
        assert elsewhere.scores[0] <= elsewhere.scores[-1]
    with pytest.raises(InputError, match="correct no first guess"):
        click_through(model, subject, 1, radius=2, samples=2, way="guess")
    guessed = click_through(with_prompts(a_model(2, **RICH)), subject, 1, radius=2, samples=2, way="guess")
    assert guessed.scores[1] > guessed.scores[0]
    told = click_through(model, subject, 3, radius=2, samples=2)
    assert told.scores[0] == painted.scores[0]
    for number, click in enumerate(told.clicks, start=1):
        place = click.pixels(subject.reference.shape)
        assert all((labels[place] == click.label).all() for labels in told.labels[number:])
    # what is told changes more than the disks
    assert (told.labels[-1] != painted.labels[-1]).sum() > 0


def test_where_nothing_is_wrong_nothing_is_clicked() -> None:
    model = a_model(2, **RICH)
    case = a_case()
    subject = Subject(subject_of(model, case).embedding, case.labels, np.zeros(case.labels.shape, bool))
    assert click_through(model, subject, 2, radius=2, samples=1).clicks == []


def test_numbers_of_clicks() -> None:
    assert clicks_needed([0.8, 0.85, 0.91, 0.9], 0.9, 20) == 2
    assert clicks_needed([0.95], 0.9, 20) == 0
    assert clicks_needed([0.1, 0.2], 0.9, 20) == 20
    assert prompted_score([[0.8, 0.9, 1.0], [0.6, 0.7, 0.8]]) == pytest.approx((0.7 + 0.85) / 2)
