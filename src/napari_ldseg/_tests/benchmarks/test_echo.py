"""How the benchmark of the ejection fraction counts."""

import importlib.util

import numpy as np
import pytest

if importlib.util.find_spec("benchmarks") is None:
    pytest.skip("the benchmarks are part of a checkout, not of the wheel", allow_module_level=True)

from benchmarks.evidence import echo  # type: ignore[import-not-found,unused-ignore]


def table(errors: list[float], half: float = 2.0) -> np.ndarray:
    """Intervals of 60 +- ``half``, and references that are off by ``errors``."""
    return np.array([[60.0, 60 - half, 60 + half, 60 - error] for error in errors])


def test_errors_bias_and_limits_of_agreement_are_those_of_bland_and_altman() -> None:
    found = echo.agreement(np.array([[60.0, 58, 62, 57], [50, 48, 52, 51], [40, 38, 42, 38], [30, 28, 32, 30]]))
    assert found["mean absolute error"] == pytest.approx((3 + 1 + 2 + 0) / 4)
    assert found["bias"] == pytest.approx((3 - 1 + 2 + 0) / 4)
    spread = 1.96 * np.std([3, -1, 2, 0], ddof=1)
    assert found["lower limit of agreement"] == pytest.approx(1 - spread)
    assert found["upper limit of agreement"] == pytest.approx(1 + spread)


def test_coverage_counts_the_references_inside_of_the_intervals() -> None:
    assert echo.coverage(table([0, 1, -2, 3]), 1.0) == 0.75
    assert echo.coverage(table([0, 1, -2, 3]), 1.5) == 1.0


def test_the_width_that_covers_95_percent_is_a_quantile_with_the_correction_for_few_cases() -> None:
    errors = np.linspace(0.1, 9.9, 99).tolist()
    assert echo.widened(table(errors)) == pytest.approx(np.sort(errors)[94] / 2)  # ceil(0.95 * 100) = 95th smallest
    assert echo.widened(table([1, 2])) == 1.0  # two cases: the largest error


def test_the_plot_shows_every_patient_and_the_limits() -> None:
    figure = echo.plot(np.array([[60.0, 58, 62, 57], [50, 48, 52, 51], [40, 38, 42, 38], [30, 28, 32, 30]]))
    left, right = figure.axes
    np.testing.assert_allclose(left.lines[0].get_ydata(), [3, -1, 2, 0])
    assert "bias +1.0" in [text.get_text() for text in left.texts]
    assert right.lines[0].get_ydata()[-1] == 1  # at four times the width, all are held
