"""Calibration, error detection and several annotators, on cases that can be counted by hand."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from ...errors import InputError
from ...metrics import (
    auprc,
    aurc,
    auroc,
    boundary_band,
    disagreement_correlation,
    energy_distance,
    pairwise_dice,
    reliability,
    soft_dice_confidence,
    sparsification_error,
)


def test_reliability_counts_each_bin() -> None:
    found = reliability(np.array([0.1, 0.1, 0.9, 0.9]), np.array([0, 1, 1, 1]), bins=2)
    assert found.pixels.tolist() == [2, 2]
    np.testing.assert_allclose(found.confidence, [0.1, 0.9])
    np.testing.assert_allclose(found.accuracy, [0.5, 1.0])
    assert found.ece == pytest.approx((0.4 * 2 + 0.1 * 2) / 4)


def test_probability_one_falls_into_the_last_bin_and_empty_bins_are_nan() -> None:
    found = reliability(np.array([[1.0, 0.0]]), np.array([[1, 0]]), bins=3)
    assert found.pixels.tolist() == [1, 0, 1]
    assert np.isnan(found.accuracy[1])
    assert found.ece == 0


@pytest.mark.parametrize(
    ("p", "mask", "match"),
    [([0.1], [0, 1], "same grid"), ([1.5], [1], "between 0 and 1"), ([np.nan], [1], "between 0 and 1")],
)
def test_what_is_no_probability_is_refused(p: list[float], mask: list[int], match: str) -> None:
    with pytest.raises(InputError, match=match):
        reliability(np.array(p), np.array(mask))


def test_band_follows_the_outline() -> None:
    mask = np.zeros(10, int)
    mask[4:] = 1
    assert boundary_band(mask, 1).tolist() == [False] * 3 + [True] * 2 + [False] * 5
    assert boundary_band(mask, 2).sum() == 4
    assert not boundary_band(np.ones(4), 2).any()


def test_error_detection_counted_by_hand() -> None:
    score, error = np.array([0.9, 0.8, 0.3, 0.1]), np.array([True, False, True, False])
    assert auroc(score, error) == 3 / 4  # of four pairs one is in the wrong order
    assert auprc(score, error) == pytest.approx((1 / 1 + 2 / 3) / 2)


def test_equal_scores_are_chance() -> None:
    error = np.array([True, False, False, False])
    assert auroc(np.ones(4), error) == 0.5
    assert auprc(np.ones(4), error) == 1 / 4


@pytest.mark.parametrize("measure", [auroc, auprc])
@pytest.mark.parametrize("error", [[False, False], [True, True]])
def test_without_two_kinds_of_pixels_it_is_nan(measure: object, error: list[bool]) -> None:
    with pytest.warns(UserWarning, match="not defined here"):
        assert np.isnan(measure(np.array([0.1, 0.2]), np.array(error)))  # type: ignore[operator]


def test_risk_coverage_counted_by_hand() -> None:
    assert aurc([0.1, 0.2, 0.3], [0, 0, 1]) == pytest.approx((0 + 0 + 1 / 3) / 3)
    assert aurc([0.3, 0.2, 0.1], [0, 0, 1]) == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)
    assert aurc([1, 1, 1], [0, 0, 1]) == pytest.approx(1 / 3)
    assert sparsification_error([0.1, 0.2, 0.3], [0, 0, 1]) == 0
    with pytest.raises(InputError, match="2 scores do not fit 1 risks"):
        aurc([1, 2], [1])


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 1)), min_size=1, max_size=30))
def test_no_score_beats_the_oracle(cases: list[tuple[int, float]]) -> None:
    score, risk = map(np.array, zip(*cases, strict=True))
    assert sparsification_error(score, risk) >= -1e-9


def test_soft_dice_confidence_of_sure_and_unsure_masks() -> None:
    assert soft_dice_confidence([0, 1, 1], [0, 1, 1]) == 1
    assert soft_dice_confidence([0.5, 0.5], [1, 0]) == pytest.approx(2 * 0.5 / (1 + 1))
    assert soft_dice_confidence([0.5, 0.5], [0, 0]) == soft_dice_confidence([0.0], [0]) == 0


def test_samples_that_agree_and_that_do_not() -> None:
    one, other = np.array([1, 1, 0, 0]), np.array([0, 1, 1, 0])
    assert pairwise_dice([one, one, one]) == 1
    assert pairwise_dice([one, other]) == 0.5
    assert pairwise_dice([one, one, other]) == pytest.approx((1 + 0.5 + 0.5) / 3)
    assert pairwise_dice(np.zeros((2, 3))) == 1
    with pytest.raises(InputError, match="draw at least two"):
        pairwise_dice([one])


def test_energy_distance_counted_by_hand() -> None:
    one, other = np.array([1, 1, 0, 0]), np.array([0, 0, 1, 1])
    assert energy_distance([one, other], [one, other]) == 0
    assert energy_distance([one], [other]) == 2
    assert energy_distance([one, other], [one]) == 0.5
    with pytest.raises(InputError, match="masks of one shape"):
        energy_distance([one], [one[:2]])


def test_uncertainty_that_follows_the_raters() -> None:
    raters = np.array([[1, 1, 0, 0], [1, 0, 0, 0]])
    assert disagreement_correlation([0, 1, 0, 0], raters) == pytest.approx(1)
    assert disagreement_correlation([1, 0, 1, 1], raters) == pytest.approx(-1)
    with pytest.warns(UserWarning, match="constant map"):
        assert np.isnan(disagreement_correlation(np.ones(4), raters))
    with pytest.raises(InputError, match="raters' masks have"):
        disagreement_correlation(np.ones(3), raters)
