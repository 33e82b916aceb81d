"""The map that is shown: the mean of the samples mixed with the first guess; noise that is smoothed away first."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from ..._util import follow
from ...config import ModelConfig, SegmentConfig
from ...data import Image
from ...errors import InputError
from ...inference import segment
from ...inference._gate import choose_smoothing, estimate_noise
from ...inference._statistics import RunningStatistics
from ...networks import LDSeg
from ...plan import plan_image
from ..builders import make_ramp, make_tiny_model, mean_of

QUICK = SegmentConfig(samples=3, steps=2, device="cpu")
PICTURE = Image(make_ramp((20, 24, 3)), "yxc", (1.0, 1.0), "micrometer", "ramp")


def with_guess(scales: tuple[float, ...] = (), **trust: object) -> LDSeg:
    """Return a tiny model with a first guess, which says this of its map."""
    model = make_tiny_model(2, guess=True, embedding_channels=2)
    values = model.config.model_dump()
    values["trust"] = {"guess_scales": scales, **trust}
    values["input"] |= {"mode": "spacing", "spacing": (1.0, 1.0)}
    model.config = ModelConfig.parse(values)
    return model


def test_shown_map_and_highest_counted_by_hand() -> None:
    statistics = RunningStatistics(weight=0.25)
    statistics.add(torch.tensor([[0.8, 0.2], [0.6, 0.4]]).reshape(2, 2, 1))  # mean 0.7, 0.3
    statistics.guesses = [torch.tensor([[0.5], [0.5]]), torch.tensor([[0.1], [0.9]])]  # mean 0.3, 0.7
    assert statistics.shown.flatten().tolist() == pytest.approx([0.6, 0.4])
    assert statistics.highest.item() == pytest.approx(0.9)


def test_without_weight_the_map_is_the_mean_of_the_samples() -> None:
    result = follow(segment(with_guess(), PICTURE, QUICK))
    assert result.probability is result.mean
    assert result.highest is not None
    assert (result.highest >= 1 - mean_of(result)[0] - 1e-6).all()


@pytest.mark.parametrize("tiles", ["never", "always"])
def test_weight_mixes_and_leaves_mean_and_sd_alone(tiles: str) -> None:
    model, config = with_guess((0.7, 1.4)), QUICK.replace(tiles=tiles, tile=16, overlap=8)
    plain = follow(segment(model, PICTURE, config))
    guess = follow(segment(model, PICTURE, config.replace(guess_weight=1.0))).probability
    half = follow(segment(model, PICTURE, config.replace(guess_weight=0.5)))
    assert np.array_equal(mean_of(plain), mean_of(half))
    assert np.array_equal(plain.sd, half.sd)
    assert guess is not None
    assert half.probability is not None
    assert np.allclose(half.probability, (mean_of(plain) + guess) / 2, atol=1e-6)
    assert np.allclose(guess.sum(axis=0), 1, atol=1e-5)
    assert np.array_equal(half.labels, half.probability.argmax(axis=0))
    assert half.provenance["guess_weight"] == 0.5
    assert half.provenance["guess_scales"] == [0.7, 1.4]


def test_smoothed_sequences_mix_as_well() -> None:
    still = Image(np.stack([PICTURE.array] * 3), "tyxc", (1.0, 1.0), "micrometer", "still")
    found = follow(segment(with_guess(), still, QUICK.replace(smoothing=1.0, guess_weight=1.0)))
    alone = follow(segment(with_guess(), PICTURE, QUICK.replace(guess_weight=1.0)))
    assert found.probability is not None
    assert alone.probability is not None
    assert np.allclose(found.probability, alone.probability, atol=1e-5)


def test_models_without_a_guess_cannot_mix() -> None:
    with pytest.raises(InputError, match="makes no first guess"):
        follow(segment(make_tiny_model(2), PICTURE, QUICK.replace(guess_weight=0.5)))
    values = make_tiny_model(2).config.model_dump()
    with pytest.raises(InputError, match="need a network with a first guess"):
        ModelConfig.parse({**values, "trust": {"guess_weight": 0.5}})


@pytest.mark.parametrize("shape", [(1, 200, 200), (3, 200, 200), (1, 30, 40, 50)])
def test_noise_is_estimated_on_flat_and_on_edged_pictures(shape: tuple[int, ...]) -> None:
    picture = np.zeros(shape, np.float32)
    picture[..., 60:] = 0.5
    noisy = picture + np.random.default_rng(0).normal(0, 0.1, shape)
    assert estimate_noise(picture) == 0
    assert estimate_noise(noisy) == pytest.approx(0.1, rel=0.05)


def test_smoothing_goes_by_the_limit() -> None:
    found = [choose_smoothing(sigma, 0.05) for sigma in (0.0, 0.05, 0.06, 0.15, 0.16)]
    assert found == [0, 0, 0.7, 0.7, 1.0]
    assert choose_smoothing(0.5, None) == 0


@pytest.mark.parametrize("tiles", ["never", "always"])
def test_noisy_images_are_smoothed_first(tiles: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (32, 40, 3)).astype(np.uint8)
    image = Image(noise, "yxc", (1.0, 1.0), "micrometer", "noise")
    smooth = ndimage.gaussian_filter(noise.astype(np.float32) / 255, (1, 1, 0), mode="reflect")
    config = QUICK.replace(tiles=tiles, tile=16, overlap=8)
    model = with_guess(denoise_above=0.05)
    gated = follow(segment(model, image, config))
    assert gated.provenance["denoising"] == 1.0
    assert gated.provenance["noise"] == pytest.approx(np.sqrt(1 / 12), rel=0.1)
    by_hand = follow(segment(with_guess(), image.replace(array=smooth), config))
    assert np.allclose(mean_of(gated), mean_of(by_hand), atol=1e-3)
    off = follow(segment(model, image, config.replace(denoise=False)))
    plain = follow(segment(with_guess(), image, config))
    assert np.array_equal(mean_of(off), mean_of(plain))
    assert off.provenance["denoising"] == 0


def test_the_out_of_distribution_score_counted_by_hand() -> None:
    statistics = RunningStatistics()
    statistics.add(torch.tensor([[0.2, 0.9, 0.9], [0.8, 0.1, 0.1]])[None])  # three pixels; the first is foreground
    assert np.isnan(statistics.disagreement)
    statistics.guesses = [torch.tensor([[0.3, 0.4, 0.9], [0.7, 0.6, 0.1]])]  # so are the first and the second
    assert statistics.disagreement == pytest.approx((0.1 + 0.5) / (2 + 1))


def test_a_strange_image_is_said_to_be_one() -> None:
    quiet = follow(segment(with_guess(), PICTURE, QUICK))
    guess = follow(segment(with_guess(), PICTURE, QUICK.replace(guess_weight=1.0))).probability
    assert guess is not None
    apart = np.abs(mean_of(quiet) - guess).sum() / 2
    found = ((mean_of(quiet)[0] < 0.5) | (guess[0] < 0.5)).sum()
    assert quiet.ood is not None
    assert float(quiet.ood) == pytest.approx(apart / (found + 1), rel=0.05)
    assert quiet.doubts() == ()
    assert "ood_scores" not in quiet.provenance
    still = Image(np.stack([PICTURE.array] * 2), "tyxc", (1.0, 1.0), "micrometer", "still")
    for limits, count in (((1e-6, 1e-5), 1), ((1e5, 1e6), 0)):
        model = with_guess(ood_limits=limits)
        assert len(follow(segment(model, PICTURE, QUICK)).doubts()) == count
        cine = follow(segment(model, still, QUICK))
        assert cine.provenance["ood_limits"] == list(limits)
        assert len(cine.provenance["ood_scores"]) == 2
        assert [sentence[:39] for sentence in cine.doubts()] == ["2 of 2 frames look unlike those that th"] * count
    values = make_tiny_model(2).config.model_dump()
    with pytest.raises(InputError, match="two positive scores, rising"):
        ModelConfig.parse({**values, "trust": {"ood_limits": (0.5, 0.2)}})


def test_long_sequences_are_smoothed_as_the_model_says() -> None:
    """Fewer than eight frames are not, and what was asked for counts first."""
    model = with_guess()
    model.config = model.config.replace(smoothing=1.0)
    rng = np.random.default_rng(0)
    cine = Image(rng.integers(0, 255, (8, 20, 24, 3), np.uint8), "tyxc", (1.0, 1.0), "micrometer", "cine")
    own = follow(segment(model, cine, QUICK))
    asked = follow(segment(model, cine, QUICK.replace(smoothing=1.0)))
    alone = follow(segment(model, cine, QUICK.replace(smoothing=0.0)))
    assert np.array_equal(mean_of(own), mean_of(asked))
    assert not np.array_equal(mean_of(own), mean_of(alone))
    assert [each.provenance["time_smoothing"] for each in (own, asked, alone)] == [1.0, 1.0, 0.0]
    short = cine.replace(array=cine.array[:7])
    found = follow(segment(model, short, QUICK))
    assert np.array_equal(mean_of(found), mean_of(alone)[:7])
    assert "smoothed over 1 frames" in plan_image(cine, model.config, QUICK).sentence()
    assert "each segmented on its own" in plan_image(short, model.config, QUICK).sentence()
