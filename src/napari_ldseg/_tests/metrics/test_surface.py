"""Distances and the GlaS challenge's metrics, on shapes whose numbers can be counted by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ...errors import InputError
from ...metrics import average_surface_distance, hausdorff, hd95, label_objects, object_scores, surface_distances


def box(shape: tuple[int, ...], low: int, high: int) -> NDArray[np.uint8]:
    mask = np.zeros(shape, np.uint8)
    mask[(slice(low, high),) * len(shape)] = 1
    return mask


def bar(start: int, stop: int, length: int = 40) -> NDArray[np.int64]:
    """A row of pixels."""
    mask = np.zeros((3, length), np.int64)
    mask[1, start:stop] = 1
    return mask


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_mask_lies_on_itself(ndim: int) -> None:
    mask = box((12,) * ndim, 3, 9)
    assert hd95(mask, mask) == hausdorff(mask, mask) == average_surface_distance(mask, mask) == 0


@pytest.mark.parametrize("spacing", [None, (1.0, 1.0), (5.0, 0.5)])
def test_a_shifted_bar_is_as_far_as_its_pixels_are_wide(spacing: tuple[float, float] | None) -> None:
    width = 1.0 if spacing is None else spacing[1]
    one, other = bar(5, 15), bar(8, 18)
    assert hausdorff(one, other, spacing) == 3 * width
    # Of each bar, 7 pixels lie on the other and 3 stick out by 1, 2 and 3.
    assert average_surface_distance(one, other, spacing) == pytest.approx(6 / 10 * width)
    of_one, of_other = surface_distances(one, other, spacing)
    assert sorted(of_one) == sorted(of_other) == [0] * 7 + [width, 2 * width, 3 * width]


def test_a_stray_island_is_not_hidden_by_the_larger_surface() -> None:
    """Pooling both directions, as MedPy does, would give a far smaller number."""
    small, both = bar(0, 2), bar(0, 2)
    both[1, 30] = 1
    assert hd95(both, small) == pytest.approx(np.percentile([0, 0, 29], 95))
    assert hd95(small, both) == hd95(both, small)


def test_the_inside_is_no_surface() -> None:
    of_box, of_point = surface_distances(box((9, 9), 2, 7), box((9, 9), 4, 5))
    assert len(of_box) == 16
    assert len(of_point) == 1
    assert of_point[0] == 2


@pytest.mark.parametrize("measure", [hd95, hausdorff, average_surface_distance])
def test_distance_to_nothing_is_nan(measure: object) -> None:
    with pytest.warns(UserWarning, match="A mask is empty"):
        assert np.isnan(measure(bar(0, 3), bar(0, 0)))  # type: ignore[operator]


@pytest.mark.parametrize("spacing", [(1.0,), (1.0, 0.0), (1.0, np.nan)])
def test_pixel_size_that_does_not_fit_is_refused(spacing: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="one positive number for each axis"):
        hd95(bar(0, 3), bar(0, 3), spacing)


def test_touching_corners_are_one_object() -> None:
    assert label_objects(np.eye(3, dtype=int)).max() == 1
    assert label_objects(np.array([[1, 0, 1]])).max() == 2


def test_objects_that_agree_score_one() -> None:
    mask = bar(0, 5) + 2 * bar(10, 20)
    assert object_scores(mask, mask * 7) == (1, 1, 0)


def test_two_objects_one_missed() -> None:
    """Areas 10 and 30; the small one is found half, the large one is missed."""
    reference = bar(0, 10) + 2 * bar(10, 40)
    reference[1, 9:12] = 0  # 9 and 28 pixels, two apart
    prediction = bar(0, 5)
    scores = object_scores(prediction, reference)
    assert scores.f1 == pytest.approx(2 * 1 / (1 + 2))  # 5 of 9 pixels are at least half
    dice = 2 * 5 / (5 + 9)
    assert scores.dice == pytest.approx((dice + (dice * 9 + 0 * 28) / 37) / 2)
    assert scores.hausdorff == pytest.approx((4 + (4 * 9 + 35 * 28) / 37) / 2)


def test_two_halves_of_an_object_are_one_hit() -> None:
    halves = bar(0, 5) + 2 * bar(5, 10)
    assert object_scores(halves, bar(0, 10)).f1 == pytest.approx(2 / 3)


def test_less_than_half_is_no_hit() -> None:
    assert object_scores(bar(0, 4), bar(0, 10)).f1 == 0
    assert object_scores(bar(0, 5), bar(0, 10)).f1 == 1


def test_nothing_found_and_nothing_there() -> None:
    empty = bar(0, 0)
    assert object_scores(empty, bar(0, 3))[:2] == object_scores(bar(0, 3), empty)[:2] == (0, 0)
    with pytest.warns(UserWarning, match="Both masks are empty"):
        assert np.isnan(object_scores(empty, empty)).all()


def test_masks_without_background_are_measured_too() -> None:
    assert object_scores(np.ones((4, 4), int), np.ones((4, 4), int)) == (1, 1, 0)
