"""How well a score finds errors, on lists that can be counted."""

import math

import numpy as np
import pytest

from ...errors import InputError
from ...measure._ranking import expected_loss
from ...metrics import aurc, auroc, found_after, found_curve
from ...metrics._overlap import dice_matrix, sample_dice

SCORES = [0.9, 0.8, 0.3, 0.1]


@pytest.mark.parametrize(
    ("errors", "expected", "found"),
    [([1, 1, 0, 0], 1, 1), ([0, 0, 1, 1], 0, 0), ([1, 0, 1, 0], 0.75, 0.5), ([0, 1, 1, 0], 0.5, 0.5)],
)
def test_errors_that_score_high_are_found_first(errors: list[int], expected: float, found: float) -> None:
    assert auroc(SCORES, errors) == expected
    assert found_after(SCORES, errors, 0.5) == found


def test_equal_scores_are_a_random_order() -> None:
    errors, risks = [1, 0, 0, 0], [1.0, 0.0, 0.0, 0.0]
    assert auroc([1] * 4, errors) == 0.5
    assert found_after([1] * 4, errors, 0.5) == 0.5
    assert np.allclose(found_curve([1] * 4, errors, [0, 0.25, 1]), [0, 0.25, 1])
    assert aurc([1] * 4, risks) == 0.25


def test_area_under_the_risk_coverage_curve() -> None:
    # from the most certain on: risks 0, 0, 1, 1, so the curve is 0, 0, 1/3, 1/2
    assert aurc(SCORES, [1, 1, 0, 0]) == pytest.approx((1 / 3 + 1 / 2) / 4)
    assert aurc(SCORES, [0, 0, 1, 1]) == pytest.approx((1 + 1 + 2 / 3 + 1 / 2) / 4)


def test_without_errors_there_is_nothing_to_find() -> None:
    with pytest.warns(UserWarning, match="AUROC is not defined"):
        assert math.isnan(auroc(SCORES, [0] * 4))
    with pytest.warns(UserWarning, match="share of errors found is not defined"):
        assert math.isnan(found_after(SCORES, [0] * 4, 0.5))


def test_scores_that_do_not_exist_are_refused() -> None:
    with pytest.raises(InputError, match="leave out cases that have none"):
        auroc([0.1, math.nan], [0, 1])


def test_pairwise_dice_is_counted_over_all_pairs() -> None:
    masks = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]], bool)
    assert dice_matrix(masks).tolist() == [[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1]]
    assert sample_dice(masks) == pytest.approx(1 - 0.5 / 3)
    assert expected_loss(masks[0], masks) == pytest.approx(1 - 1.5 / 3)
    assert sample_dice(masks[[2, 2]]) == 0  # two empty masks agree
    assert math.isnan(sample_dice(masks[:1]))
