"""segment(): statistics, results on the image's grid, samples, failures, kept masks."""

import math
from collections.abc import Generator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor

from ..._util import follow
from ...config import ModelConfig, SegmentConfig
from ...data import Image
from ...errors import EngineError, InputError
from ...inference import Segmentation, SegmentProgress, _sampling as sampling, segment
from ...inference._memory import MemoryCanvas
from ...inference._noise import mirror, sample_generator
from ...inference._statistics import RunningStatistics
from ...networks import LDSeg
from ...plan import plan_image
from ..builders import make_ramp, make_tiny_config, make_tiny_model, mean_of

FAST = SegmentConfig(samples=3, steps=2, batch=2)


def run(model: LDSeg, image: Image, config: SegmentConfig = FAST) -> tuple[list[SegmentProgress], Segmentation]:
    """Consume segment(): all progress, and the result."""
    seen: list[SegmentProgress] = []
    generator: Generator[SegmentProgress, None, Segmentation] = segment(model, image, config)
    while True:
        try:
            seen.append(next(generator))
        except StopIteration as stop:
            return seen, stop.value


def picture(ndim: int, *, channels: int = 3, side: int = 20, dtype: Any = np.uint8) -> Image:
    shape = (*[side] * (ndim - 1), side + 4, channels)
    axes = "zyx"[-ndim:] + "c"
    return Image(make_ramp(shape, dtype), axes, (2.0,) * ndim, "micrometer", "ramp")


@given(st.lists(st.integers(1, 5), min_size=1, max_size=5), st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_running_statistics_equal_those_of_all_samples_at_once(batches: list[int], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    samples = torch.rand(sum(batches), 3, 4, 5, generator=generator, dtype=torch.float64)
    statistics = RunningStatistics()
    for batch in samples.split(batches):
        statistics.add(batch)
    assert torch.allclose(statistics.mean, samples.mean(dim=0))
    expected = (samples.var(dim=0).sum(dim=0) / 2).sqrt() if len(samples) > 1 else torch.zeros(4, 5).double()
    assert torch.allclose(statistics.sd, expected)


def test_sd_of_two_classes_is_that_of_the_foreground() -> None:
    foreground = torch.tensor([0.1, 0.5, 0.9]).reshape(3, 1, 1)
    statistics = RunningStatistics()
    statistics.add(torch.stack([1 - foreground, foreground], dim=1))
    assert statistics.sd.item() == pytest.approx(0.4)
    assert statistics.standard_error() == pytest.approx(0.4 / math.sqrt(3))


@pytest.mark.parametrize("sampler", ["ddpm", "ddim", "dpm-solver++"])
def test_result_lies_on_the_input_s_grid(tiny_model: LDSeg, sampler: str) -> None:
    ndim = tiny_model.config.network.ndim
    image = picture(ndim)
    seen, result = run(tiny_model, image, FAST.replace(sampler=sampler))
    assert result.labels.shape == result.sd.shape == image.shape
    assert mean_of(result).shape == (2, *image.shape)
    assert result.labels.dtype == np.uint8
    assert result.sd.dtype == np.float32
    assert result.axes == "zyx"[-ndim:]
    assert np.allclose(mean_of(result).sum(axis=0), 1, atol=1e-4)
    assert np.array_equal(result.labels, mean_of(result).argmax(axis=0))
    assert 0 < result.sd.max() <= math.sqrt(0.5)
    assert (result.spacing, result.unit, result.samples) == ((2.0,) * ndim, "micrometer", 3)
    # every sample shares the whole image among its classes
    assert result.sizes.shape == (3, 2)
    assert result.sizes.sum(axis=1) == pytest.approx([np.prod(image.shape) * 2.0**ndim] * 3)
    assert result.provenance["sampler"] == sampler
    assert (result.provenance["seed"], result.provenance["steps"], result.provenance["samples"]) == (0, 2, 3)
    assert [p.preview.samples for p in seen if p.preview] == [1, 3]
    assert seen[-1].done == seen[-1].total == 5


def test_progress_comes_at_every_step_and_rises() -> None:
    seen, _ = run(make_tiny_model(2), picture(2), SegmentConfig(samples=5, steps=4, batch=2))
    done = [p.done for p in seen]
    assert done == sorted(done)
    assert done[-1] == 1 + 4 * 3  # the embedding, then batches of 1, 2 and 2 samples
    assert {p.total for p in seen} == {13}


def test_a_sample_depends_only_on_seed_and_index() -> None:
    model, image = make_tiny_model(2), picture(2)
    _, few = run(model, image, SegmentConfig(samples=3, steps=3, batch=1, sampler="ddpm"))
    _, many = run(model, image, SegmentConfig(samples=9, steps=3, batch=8, sampler="ddpm"))
    assert np.array_equal(few.sizes, many.sizes[:3])
    _, batched = run(model, image, SegmentConfig(samples=3, steps=3, batch=3, sampler="ddpm"))
    assert np.allclose(mean_of(few), mean_of(batched), atol=1e-5)
    _, other = run(model, image, SegmentConfig(samples=3, steps=3, batch=3, sampler="ddpm", seed=1))
    assert not np.allclose(mean_of(few), mean_of(other), atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("ndim", [2, 3])
def test_bfloat16_moves_little_and_leaves_samples_independent_of_the_batch(ndim: int) -> None:
    model, image = make_tiny_model(ndim), picture(ndim)
    config = SegmentConfig(samples=6, steps=3, precision="bfloat16", device="cpu")
    _, alone = run(model, image, config.replace(batch=1))
    for batch in (2, 3, 5):  # 1 + 2 + 2 + 1, 1 + 3 + 2, 1 + 5 samples
        _, together = run(model, image, config.replace(batch=batch))
        assert np.array_equal(alone.sizes, together.sizes)
        assert np.allclose(alone.sd, together.sd, atol=1e-5)
    _, exact = run(model, image, config.replace(precision="float32"))
    assert 0 < np.abs(mean_of(exact) - mean_of(alone)).max() < 0.03
    assert np.abs(exact.sd - alone.sd).mean() < 0.02 * exact.sd.mean()


@pytest.mark.parametrize("ndim", [2, 3])
def test_samples_take_turns_with_mirror_images(ndim: int) -> None:
    model, image = make_tiny_model(ndim), picture(ndim)
    config = SegmentConfig(samples=2**ndim + 1, steps=2, batch=3)
    seen, plain = run(model, image, config)
    more, viewed = run(model, image, config.replace(views=2**ndim))
    assert len(more) == len(seen) + 2**ndim - 1  # one embedding for each view
    assert more[-1].done == more[-1].total
    # samples 0 and 2^ndim see the image as it is, the others a mirror image
    same = [bool(np.array_equal(a, b)) for a, b in zip(plain.sizes, viewed.sizes, strict=True)]
    assert same[0]
    assert same[-1]
    assert not all(same)


@pytest.mark.parametrize("view", range(8))
def test_mirror_is_its_own_inverse_and_flips_the_axes_of_its_bits(view: int) -> None:
    x = torch.arange(8.0).reshape(1, 2, 2, 2)
    out = mirror(x, view, 3)
    assert torch.equal(mirror(out, view, 3), x)
    # the first pixel now shows the one whose number has the view's bits
    assert out.flatten()[0] == view


def test_generators_of_different_samples_differ() -> None:
    drawn = {float(torch.rand((), generator=sample_generator(s, i))) for s in range(5) for i in range(5)}
    assert len(drawn) == 25


def test_frames_of_a_still_sequence_are_equal() -> None:
    still = Image(np.repeat(make_ramp((1, 20, 24)), 3, axis=0), "tyx")
    _, result = run(make_tiny_model(2), still)
    assert result.axes == "tyx"
    assert result.sizes.shape == (3, 3, 2)
    assert np.array_equal(result.labels[0], result.labels[1])
    assert np.array_equal(result.sd[0], result.sd[2])


def test_one_sample_has_no_spread() -> None:
    _, result = run(make_tiny_model(2), picture(2), SegmentConfig(samples=1, steps=2))
    assert result.sd.max() == 0


def test_auto_stops_when_the_mean_has_settled() -> None:
    model, image = make_tiny_model(2), picture(2)
    _, loose = run(model, image, SegmentConfig(samples="auto", steps=2, tolerance=0.9, max_samples=64))
    assert loose.samples < 64
    _, strict = run(model, image, SegmentConfig(samples="auto", steps=2, tolerance=1e-6, max_samples=20))
    assert strict.samples == 20


def test_closing_the_generator_cancels() -> None:
    generator = segment(make_tiny_model(2), picture(2), FAST)
    next(generator)
    generator.close()
    with pytest.raises(StopIteration):
        next(generator)


def test_out_of_memory_halves_the_batch_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    model, image = make_tiny_model(2), picture(2)
    decode = sampling.decode_probabilities
    batches: list[int] = []

    def greedy(model: LDSeg, latents: torch.Tensor, *settings: Any) -> torch.Tensor:
        batches.append(len(latents))
        if len(latents) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")
        return decode(model, latents, *settings)

    _, plain = run(model, image, SegmentConfig(samples=6, steps=2, batch=8))
    monkeypatch.setattr("napari_ldseg.inference._runner.decode_probabilities", greedy)
    _, result = run(model, image, SegmentConfig(samples=6, steps=2, batch=8))
    assert batches == [1, 5, 2, 2, 1]
    assert np.allclose(mean_of(result), mean_of(plain), atol=1e-5)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "not enough memory on cpu for a single sample"),
        (RuntimeError("mat1 and mat2 shapes"), "The computation failed on cpu: mat1 and mat2 shapes"),
    ],
)
def test_failures_of_the_engine_are_said_in_words(
    monkeypatch: pytest.MonkeyPatch, fault: RuntimeError, words: str
) -> None:
    def broken(*settings: Any) -> torch.Tensor:
        raise fault

    monkeypatch.setattr("napari_ldseg.inference._runner.decode_probabilities", broken)
    with pytest.raises(EngineError, match=words):
        run(make_tiny_model(2), picture(2))


def test_a_model_that_returns_no_numbers_is_noticed() -> None:
    model = make_tiny_model(2)
    for parameter in model.mask_decoder.head.parameters():
        parameter.data.fill_(float("nan"))
    with pytest.raises(EngineError, match="not numbers"):
        run(model, picture(2))


@pytest.mark.parametrize("change", [{"samples": 0}, {"steps": 0}, {"seed": -1}, {"samples": "many"}, {"device": "tpu"}])
def test_settings_out_of_range_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(change))):
        SegmentConfig().replace(**change)


def test_model_config_names_what_is_missing() -> None:
    with pytest.raises(InputError, match="input mode 'spacing' needs a spacing"):
        ModelConfig.parse({"input": {"mode": "spacing"}})


def test_no_mask_is_kept_where_no_memory_is_given() -> None:
    assert run(make_tiny_model(2), picture(2), SegmentConfig(samples=1, steps=1, keep_mb=0))[1].masks is None


def test_masks_are_those_that_the_sizes_count(tiny_model: LDSeg) -> None:
    ndim = tiny_model.config.network.ndim
    image = picture(ndim)
    _, result = run(tiny_model, image, SegmentConfig(samples=5, steps=2, batch=2, keep_mb=1))
    assert result.masks is not None
    assert (result.masks.count, result.masks.grid) == (5, tiny_model.config.input.shape)
    assert result.masks.shape == image.shape
    share = np.prod(image.shape) / np.prod(result.masks.grid) * 2.0**ndim
    counts = [[np.count_nonzero(mask == c) * share for c in range(2)] for mask in result.masks.at(())]
    assert result.sizes == pytest.approx(np.array(counts))


def test_as_many_masks_are_kept_as_fit_into_the_memory() -> None:
    # 32 x 32 pixels a mask: 1024 of them fill one MiB
    frames_of_one = Image(np.repeat(make_ramp((1, 20, 24)), 400, axis=0)[:2], "tyx")
    _, result = run(make_tiny_model(2), frames_of_one, SegmentConfig(samples=3, steps=1, keep_mb=1))
    assert result.masks is not None
    assert result.masks.array.shape == (2, 3, 32, 32)
    assert kept(300, samples=100).shape == (300, 3, 32, 32)
    assert kept(2000, samples=9).shape == (2000, 0, 32, 32)


def kept(number: int, samples: int) -> Any:
    """The room for masks in one MiB."""
    image = Image(np.zeros((number, 20, 24)), "tyx")
    settings = SegmentConfig(samples=samples, keep_mb=1)
    return MemoryCanvas(plan_image(image, make_tiny_config(2), settings)).masks


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_all_frames_of_a_sequence_are_brought_to_one_range(dtype: Any) -> None:
    """1023 and 1024 lie in two ranges: chosen frame by frame, equal pixels would be seen four times as bright."""
    model = make_tiny_model(image_channels=1)
    frames = np.full((2, 32, 32), 500, dtype)
    frames[0, 0, 0], frames[1, 0, 0] = 1023, 1024
    seen: list[Tensor] = []
    model.image_encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    follow(segment(model, Image(frames, "tyx"), SegmentConfig(samples=1, steps=1)))
    assert len(seen) == 2
    torch.testing.assert_close(seen[0][..., 8:, 8:], seen[1][..., 8:, 8:])
    assert float(seen[0][..., 8:, 8:].mean()) == pytest.approx(500 / 4095, rel=1e-3)


def test_missing_pixels_of_a_later_frame_still_count_as_its_median() -> None:
    model = make_tiny_model(image_channels=1)
    frames = np.full((2, 32, 32), 40, np.float32)
    frames[1, :4] = np.nan
    seen: list[Tensor] = []
    model.image_encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    follow(segment(model, Image(frames, "tyx"), SegmentConfig(samples=1, steps=1)))
    torch.testing.assert_close(seen[0], seen[1])
