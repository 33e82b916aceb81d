"""The networks: shapes in two and three dimensions, and the properties that the rest relies on."""

import numpy as np
import pytest
import torch

from ...config import ModelConfig, NetworkConfig
from ...diffusion import alpha_bar, to_clean
from ...errors import InputError
from ...networks import LDSeg, pixel_shuffle, pixel_unshuffle
from ..builders import make_tiny_config, make_tiny_model

RICH = {"latent_channels": 4, "latent_norm": "channel", "embedding_channels": 6, "guess": True, "image_refine": 1}


@pytest.fixture(autouse=True)
def seeded() -> None:
    """The same random inputs at every run."""
    torch.manual_seed(0)


@pytest.mark.parametrize("ndim", [2, 3])
def test_pixel_unshuffle_moves_blocks_into_channels_and_pixel_shuffle_brings_them_back(ndim: int) -> None:
    image = torch.arange(2 * 3 * 4**ndim, dtype=torch.float32).reshape(2, 3, *[4] * ndim)
    channels = pixel_unshuffle(image, 2)
    assert channels.shape == (2, 3 * 2**ndim, *[2] * ndim)
    # the first cell of the first channel holds the first block of pixels, in reading order
    block = image[0, 0]
    for axis in range(ndim):
        block = block.narrow(axis, 0, 2)
    assert torch.equal(channels[0, : 2**ndim].flatten(1)[:, 0], block.flatten())
    assert torch.equal(pixel_shuffle(channels, 2), image)


@pytest.mark.parametrize("changes", [{}, RICH], ids=["paper", "rich"])
@pytest.mark.parametrize("ndim", [2, 3])
def test_all_shapes(ndim: int, changes: dict[str, object]) -> None:
    model = make_tiny_model(ndim, **changes)
    network = model.config.network
    side, cells = 16, 16 // network.factor
    image = torch.rand(2, 3, *[side] * ndim)
    masks = torch.rand(2, 2, *[side] * ndim).softmax(dim=1)

    latent = model.encode(masks)
    assert latent.shape == (2, network.latent_channels, *[cells] * ndim)
    assert model.decode(latent).shape == masks.shape

    embedding, guess = model.embed(image)
    channels = network.embedding_channels + (network.latent_channels if network.guess else 0)
    assert embedding.shape == (2, channels, *[cells] * ndim)
    assert (guess is not None) == network.guess
    if guess is not None:
        assert guess.shape == masks.shape

    prediction = model.predict(latent, torch.tensor([3.0, 700.0]), model.condition(embedding))
    assert prediction.shape == latent.shape


@pytest.mark.parametrize("shuffle", [0, 1])
def test_decoder_shuffle_keeps_the_mask_s_shape(shuffle: int) -> None:
    model = make_tiny_model(2, decoder_shuffle=shuffle, decoder_widths=(8,) * (2 - shuffle))
    assert model.decode(torch.zeros(1, 1, 4, 8)).shape == (1, 2, 16, 32)


@pytest.mark.parametrize("ndim", [2, 3])
def test_layer_norm_over_the_whole_latent(ndim: int) -> None:
    latent = make_tiny_model(ndim, latent_channels=2).encode(torch.rand(2, 2, *[16] * ndim))
    for one in latent:
        assert one.mean().item() == pytest.approx(0, abs=1e-5)
        assert one.var(unbiased=False).item() == pytest.approx(1, abs=1e-2)


def test_channel_norm_normalises_each_cell_over_its_channels() -> None:
    model = make_tiny_model(2, latent_channels=4, latent_norm="channel")
    latent = model.encode(torch.rand(1, 2, 32, 32))
    assert torch.allclose(latent.mean(dim=1), torch.zeros(1, 8, 8), atol=1e-5)
    assert torch.allclose(latent.var(dim=1, unbiased=False), torch.ones(1, 8, 8), atol=5e-2)


def test_odd_latent_grids_are_denoised_too() -> None:
    model = make_tiny_model(2)
    latent = torch.zeros(1, 1, 5, 7)
    assert model.predict(latent, torch.tensor([5.0]), torch.zeros(1, 8, 5, 7)).shape == latent.shape


def test_condition_plus_latent_is_the_convolution_of_their_concatenation() -> None:
    denoiser = make_tiny_model(2, embedding_channels=3).denoiser
    embedding, latent = torch.rand(1, 3, 6, 6), torch.rand(1, 1, 6, 6)
    weight = torch.cat([denoiser.latent_in.weight, denoiser.condition_in.weight], dim=1)
    assert denoiser.latent_in.bias is not None
    assert denoiser.condition_in.bias is not None
    bias = denoiser.latent_in.bias + denoiser.condition_in.bias
    both = torch.nn.functional.conv2d(torch.cat([latent, embedding], dim=1), weight, bias, padding=1)
    assert torch.allclose(denoiser.latent_in(latent) + denoiser.condition(embedding), both, atol=1e-6)


def test_one_timestep_for_a_batch_equals_one_for_each() -> None:
    model = make_tiny_model(2)
    latent, condition = torch.rand(3, 1, 8, 8), torch.rand(1, 8, 8, 8)
    one = model.predict(latent, torch.tensor([40.0]), condition)
    each = model.predict(latent, torch.full((3,), 40.0), condition.expand(3, -1, -1, -1))
    assert torch.allclose(one, each, atol=1e-5)
    assert not torch.allclose(one, model.predict(latent, torch.tensor([900.0]), condition), atol=1e-3)


def test_samples_of_a_batch_do_not_touch_each_other() -> None:
    model = make_tiny_model(2)
    latent, condition = torch.rand(3, 1, 8, 8), torch.rand(1, 8, 8, 8)
    together = model.predict(latent, torch.tensor([40.0]), condition)
    assert torch.allclose(together[1:2], model.predict(latent[1:2], torch.tensor([40.0]), condition), atol=1e-5)


def test_the_guess_is_not_trained_through_the_denoiser() -> None:
    model = make_tiny_model(2, **RICH).requires_grad_(True)
    embedding, _ = model.embed(torch.rand(1, 3, 16, 16))
    embedding[:, -4:].sum().backward()  # the latent of the guess
    assert all(p.grad is None or not p.grad.any() for p in model.parameters())


@pytest.mark.parametrize("ndim", [2, 3])
def test_no_prompts_are_told_exactly_as_none(ndim: int) -> None:
    """Whatever its weights, the encoder maps zero to zero: without a prompt nothing changes, bit for bit."""
    model = make_tiny_model(ndim, **RICH, prompt_widths=(8, 8))
    embedding, _ = model.embed(torch.rand(1, 3, *[16] * ndim))
    nothing, one = torch.zeros(2, 1, 2, *[16] * ndim)
    one[(0, 1, *[3] * ndim)] = 1
    without = model.condition(embedding)
    assert torch.equal(model.condition(embedding, nothing), without)
    changed = (model.condition(embedding, one) != without).any(dim=1)[0]
    assert changed[(0,) * ndim]
    # a single pixel says nothing beyond the reach of the convolutions
    assert not changed[(3,) * ndim]


@pytest.mark.parametrize("ndim", [2, 3])
def test_an_untrained_prompt_encoder_and_correction_change_nothing(ndim: int) -> None:
    torch.manual_seed(0)
    plain = LDSeg(make_tiny_config(ndim, **RICH)).eval()
    torch.manual_seed(0)
    changed = LDSeg(make_tiny_config(ndim, **RICH, prompt_widths=(8, 8), residual_sd=0.5)).eval()
    for name, value in plain.state_dict().items():
        assert torch.equal(value, changed.state_dict()[name]), name
    embedding, _ = changed.embed(torch.rand(1, 3, *[16] * ndim))
    guess = embedding[:, -4:]
    condition = changed.condition(embedding, torch.ones(1, 2, *[16] * ndim))
    assert torch.equal(condition[:, :-4], plain.condition(embedding))
    assert torch.equal(condition[:, -4:], guess)
    # at pure noise the estimate of the clean latent is the guess
    t = torch.tensor([999.0])
    latent, abar = torch.randn(1, 4, *[4] * ndim), alpha_bar(t, "cosine", 1000)
    clean = to_clean("epsilon", changed.predict(latent, t, condition), latent, abar)
    assert torch.allclose(clean, guess, atol=0.02)


def test_models_that_take_no_prompts_say_so() -> None:
    model = make_tiny_model(2)
    with pytest.raises(InputError, match=r"takes no prompts; teach it to: `napari-ldseg fine-tune tiny-2d --learn"):
        model.condition(torch.zeros(1, 1, 4, 4), torch.zeros(1, 2, 16, 16))


def test_paper_preset_has_one_channel_and_four_downsamplings() -> None:
    network = NetworkConfig()
    assert (network.latent_channels, network.embedding_channels, network.factor) == (1, 1, 16)
    parameters = sum(p.numel() for p in LDSeg(ModelConfig()).parameters())
    assert 3.5e6 < parameters < 5e6  # the paper's GlaS networks have 4.74 million


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"image_widths": (8,)}, "image_widths needs as many"),
        ({"decoder_widths": (8,)}, "decoder_widths needs one entry per down-sampling"),
        ({"denoiser_attention": (True,)}, "denoiser_attention one entry for each"),
        ({"latent_norm": "channel"}, "at least two latent channels"),
        ({"latent_channels": 0}, "latent_channels"),
        ({"residual_sd": 0.5}, "residual_sd needs a first guess"),
        ({"prompt_widths": (8,)}, "prompt_widths needs as many entries as mask_widths, or none"),
        ({"no_such_setting": 1}, "no_such_setting"),
    ],
)
def test_impossible_networks_are_refused_in_words(change: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        make_tiny_config(2, **change)


def test_configs_survive_json() -> None:
    config = make_tiny_config(3, **RICH)
    assert ModelConfig.model_validate_json(config.model_dump_json()) == config
    assert np.prod(config.input.shape) == 16**3
