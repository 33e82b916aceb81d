"""Grids and pixels: what the networks see of an image, and back."""

from collections.abc import Generator
from typing import Any

import numpy as np
import pytest

from ...config import InputConfig, SegmentConfig
from ...data import Image, convert_spacing
from ...errors import InputError
from ...inference import Segmentation, SegmentProgress, segment
from ...inference._preprocess import prepare, restore
from ...networks import LDSeg
from ...plan._frames import frames
from ...plan._grid import plan_grid
from ...plan._intensity import match_channels, normalize
from ..builders import make_ramp, make_tiny_config, make_tiny_model

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


def test_fit_resizes_the_whole_image_to_the_training_shape() -> None:
    grid = plan_grid((100, 50), None, make_tiny_config(2))
    assert (grid.inner, grid.outer) == ((32, 32), (32, 32))


def test_spacing_resamples_and_pads_to_whole_cells() -> None:
    config = make_tiny_config(2).replace(
        input=InputConfig(mode="spacing", shape=(32, 32), spacing=(2.0, 1.0), source_spacing=(1.0, 1.0)).model_dump()
    )
    grid = plan_grid((50, 30), (1.0, 2.0), config)
    assert (grid.inner, grid.outer) == ((25, 60), (28, 60))
    assert plan_grid((50, 30), None, config).inner == (25, 30)  # source_spacing is assumed


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("micrometer", (2.0, 1.0)),
        ("nanometer", (0.002, 0.001)),
        ("mm", (2000.0, 1000.0)),
        ("pixel", None),
        ("parsec", None),
    ],
)
def test_pixel_sizes_are_converted_to_the_model_s_unit(unit: str, expected: tuple[float, ...] | None) -> None:
    found = convert_spacing((2.0, 1.0), unit, "micrometer")
    assert found == (None if expected is None else pytest.approx(expected))


def test_linear_pictures_survive_the_way_to_the_grid_and_back() -> None:
    config = make_tiny_config(2)
    ramp = np.linspace(0, 1, 64, dtype=np.float32)[None, None, :].repeat(64, axis=1)
    grid = plan_grid((64, 64), None, config)
    back = restore(prepare(ramp, grid, config), grid)[0, 0].numpy()
    assert np.abs(back - ramp[0])[:, 4:-4].max() < 1e-3


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([0, 255], np.uint8), [0, 1]),
        (np.array([0, 51], np.uint8), [0, 0.2]),
        (np.array([0, 4095], np.uint16), [0, 1]),
        (np.array([0, 65535], np.uint16), [0, 1]),
        (np.array([False, True]), [0, 1]),
        (np.array([0.25, 1.0], np.float32), [0.25, 1]),
        (np.array([-2.0, 2.0], np.float64), [0, 1]),
        (np.array([0.5, np.nan, np.inf, 0.5]), [0.5, 0.5, 0.5, 0.5]),
        (np.array([7, 7], np.uint8), [7 / 255, 7 / 255]),
    ],
)
def test_intensities_become_zero_to_one(values: Any, expected: list[float]) -> None:
    assert normalize(values, "range") == pytest.approx(np.array(expected), abs=1e-6)


def test_minmax_stretches_and_a_constant_becomes_zero() -> None:
    assert normalize(np.array([10, 20, 30], np.uint8), "minmax").tolist() == [0, 0.5, 1]
    assert normalize(np.array([10, 10], np.uint8), "minmax").tolist() == [0, 0]


@pytest.mark.parametrize("values", [np.array([np.nan, np.inf]), np.array([1j]), np.array(["a"])])
def test_pixels_that_are_no_numbers_are_refused(values: Any) -> None:
    with pytest.raises(InputError, match=r"finite pixel|can be segmented"):
        normalize(values, "range")


def test_channels_are_matched_or_refused_in_words() -> None:
    rgb, gray = make_tiny_config(2), make_tiny_config(2, image_channels=1)
    assert match_channels(np.zeros((1, 4, 4)), rgb).shape == (3, 4, 4)
    assert match_channels(np.zeros((4, 4, 4)), rgb).shape == (3, 4, 4)
    white = np.ones((3, 2, 2), np.uint8) * 200
    assert match_channels(white, gray) == pytest.approx(np.full((1, 2, 2), 200), rel=1e-3)
    with pytest.raises(InputError, match="has 5 channels, but the model 'tiny-2d' was trained on 3"):
        match_channels(np.zeros((5, 4, 4)), rgb)


def test_frames_of_a_stack_are_channels_first() -> None:
    stack = make_ramp((2, 5, 6, 7, 3))
    found = dict(frames(Image(stack, "tzyxc"), make_tiny_config(2)))
    assert list(found) == [(t, z) for t in range(2) for z in range(5)]
    assert np.array_equal(found[1, 4], stack[1, 4].transpose(2, 0, 1))
    volumes = dict(frames(Image(stack, "tzyxc"), make_tiny_config(3)))
    assert np.array_equal(volumes[(1,)], stack[1].transpose(3, 0, 1, 2))


@pytest.mark.parametrize(
    ("image", "ndim", "words"),
    [
        (
            Image(np.zeros((16, 16)), "yx"),
            3,
            "has only the spatial axes .yx.; choose a 2D model",
        ),
        (Image(np.zeros((4, 90)), "yx"), 2, "only 4 x 90 pixels; at least 8"),
        (Image(np.zeros((16, 16, 2)), "yxc"), 2, "2 channels"),
    ],
)
def test_images_that_do_not_fit_are_refused(image: Image, ndim: int, words: str) -> None:
    with pytest.raises(InputError, match=words):
        run(make_tiny_model(ndim), image)


def test_an_image_too_large_for_one_pass_says_so() -> None:
    config = make_tiny_config(2).replace(
        input=InputConfig(mode="spacing", shape=(32, 32), spacing=(1.0, 1.0)).model_dump()
    )
    with pytest.raises(InputError, match="40000 x 40000 pixels, more than"):
        plan_grid((40_000, 40_000), (1.0, 1.0), config)
