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
