import warnings

import numpy as np
import pytest

from ...errors import InputError
from ...metrics import confusion, dice, foreground_dice, iou
from ..builders import make_two_boxes


@pytest.mark.parametrize("ndim", [2, 3])
def test_two_boxes_that_overlap_by_half(ndim: int) -> None:
    prediction, reference = make_two_boxes(ndim)
    box, every = 4**ndim, 10**ndim
    both, rest = box // 2, every - box - box // 2
    assert confusion(prediction, reference, 2).tolist() == [[rest, both], [both, both]]
    np.testing.assert_allclose(dice(prediction, reference, 2), [2 * rest / (2 * rest + box), 0.5])
    np.testing.assert_allclose(iou(prediction, reference, 2), [rest / (rest + box), 1 / 3])
    assert foreground_dice(prediction, reference) == 0.5


def test_confusion_has_the_reference_in_its_rows() -> None:
    prediction = np.array([0, 1, 2, 2, 2])
    reference = np.array([0, 0, 1, 2, 2])
    assert confusion(prediction, reference, 3).tolist() == [[1, 1, 0], [0, 0, 1], [0, 0, 2]]


def test_dice_of_each_class_is_counted_apart() -> None:
    prediction = np.array([[0, 1, 1, 2]])
    reference = np.array([[0, 1, 2, 2]])
    np.testing.assert_allclose(dice(prediction, reference, 3), [1, 2 / 3, 2 / 3])
    np.testing.assert_allclose(iou(prediction, reference, 3), [1, 1 / 2, 1 / 2])


@pytest.mark.parametrize("ndim", [2, 3])
def test_masks_agree_with_themselves_and_not_with_an_empty_one(ndim: int) -> None:
    mask, _ = make_two_boxes(ndim)
    assert dice(mask, mask, 2).tolist() == iou(mask, mask, 2).tolist() == [1, 1]
    assert foreground_dice(mask, np.zeros_like(mask)) == 0


@pytest.mark.parametrize("ratio", [dice, iou])
def test_a_class_that_both_lack_is_nan_with_one_warning(ratio: object) -> None:
    mask = np.array([0, 0, 2])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = ratio(mask, mask, 5)  # type: ignore[operator]
    assert [str(w.message).split(";")[0] for w in caught] == ["Neither mask holds class 1, 3, 4"]
    assert caught[0].category is UserWarning
    np.testing.assert_array_equal(result, [1, np.nan, 1, np.nan, np.nan])


def test_foreground_of_two_empty_masks_is_nan() -> None:
    empty = np.zeros((3, 3), int)
    with pytest.warns(UserWarning, match="Both masks are empty"):
        assert np.isnan(foreground_dice(empty, empty))


def test_foreground_ignores_which_class_and_takes_bool() -> None:
    assert foreground_dice(np.array([0, 7, 3]), np.array([False, True, True])) == 1


@pytest.mark.parametrize("values", [[0, 1, 3], [0, 1, -1]])
def test_values_that_are_no_class_are_refused(values: list[int]) -> None:
    with pytest.raises(InputError, match=r"reference holds values from .* but 3 classes .*relabel"):
        confusion(np.zeros(3, int), np.array(values), 3)


def test_other_shape_is_refused() -> None:
    with pytest.raises(InputError, match=r"\(2, 3\) and the reference \(3, 2\).*same grid"):
        foreground_dice(np.zeros((2, 3), int), np.zeros((3, 2), int))


def test_probabilities_are_refused() -> None:
    with pytest.raises(InputError, match=r"prediction holds float64 values.*whole numbers"):
        dice(np.zeros(3), np.zeros(3, int), 2)
