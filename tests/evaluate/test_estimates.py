import numpy as np
import pytest

from artdet.evaluate.estimates import differences, estimates, number
from artdet.evaluate.results import Estimate

NAN = float("nan")
FIGURES = np.array([[0.1, 0.2, 0.3], [NAN, NAN, NAN], [0.5, 0.4, 0.3]])


def test_no_class_has_no_figure():
    assert estimates((FIGURES, None), []) == {metric: Estimate(None) for metric in ("ap", "ap50", "ap75")}
    assert estimates((FIGURES, None), [1])["ap"] == Estimate(None)


def test_the_mean_leaves_out_classes_without_truth():
    assert estimates((FIGURES, None), [0, 1, 2])["ap"] == Estimate(pytest.approx(0.3))
    assert estimates((FIGURES, None), [0, 1])["ap75"] == Estimate(0.3)


def test_intervals_are_percentiles_of_the_means_without_their_bias():
    rng = np.random.default_rng(0)
    resampled = FIGURES + 0.01 + 0.02 * rng.standard_normal((1000, 3, 3))
    means = (resampled[:, 0, 1] + resampled[:, 2, 1]) / 2
    low, high = np.percentile(means, [2.5, 97.5]) - 2 * (means.mean() - 0.3)
    made = estimates((FIGURES, resampled), [0, 1, 2])["ap50"]
    assert made == Estimate(*(pytest.approx(value) for value in (0.3, low, high)))


def test_resamples_without_truth_say_nothing():
    resampled = np.full((5, 3, 3), NAN)
    assert estimates((FIGURES, resampled), [0])["ap"] == Estimate(0.1)
    resampled[:2, 0] = [[0.05], [0.15]]
    made = estimates((FIGURES, resampled), [0])["ap"]
    assert made == Estimate(0.1, pytest.approx(0.0525), pytest.approx(0.1475))


def test_differences_are_paired():
    """What both runs share on a resample cancels: the interval of a constant difference has no width."""
    first = np.random.default_rng(1).random((500, 3, 3))
    made = differences((FIGURES, first), (FIGURES + 0.25, first + 0.25), [0, 2])
    assert made["ap"] == Estimate(*[pytest.approx(0.25)] * 3)
    assert differences((FIGURES, None), (FIGURES - 0.05, first), [0])["ap"] == Estimate(pytest.approx(-0.05))


def test_number():
    assert number(NAN) is None
    assert number(np.float64(0.5)) == 0.5
