"""Differences of pairs, McNemar's test and Holm's correction, against SciPy and numbers from textbooks."""

import numpy as np
import pytest
from scipy.stats import binomtest, chi2

from muslin.evidence import FEW, McNemar, chi_squared, clear, counted, exact, holm, lead, listed, mcnemar, points


def test_what_is_counted():
    right = np.array([1, 1, 1, 0, 0, 1], bool)
    other = np.array([0, 1, 0, 1, 0, 0], bool)
    assert mcnemar(right, other) == McNemar(b=3, c=1)


@pytest.mark.parametrize(("b", "c"), [(0, 0), (1, 0), (0, 8), (5, 5), (3, 9), (12, 12), (20, 4)])
def test_exact(b, c):
    assert exact(b, c) == pytest.approx(binomtest(b, b + c, 0.5).pvalue if b + c else 1)


@pytest.mark.parametrize(("b", "c"), [(13, 12), (20, 20), (61, 43), (150, 86), (3000, 2000), (0, 400)])
def test_chi_squared(b, c):
    statistic = max(0, abs(b - c) - 1) ** 2 / (b + c)
    assert chi_squared(b, c) == pytest.approx(chi2.sf(statistic, df=1))


def test_numbers_worked_by_hand():
    assert exact(1, 5) == 2 * (1 + 6) / 64  # of 2⁶ outcomes, 1 has none and 6 have one
    assert chi_squared(150, 86) == pytest.approx(0.00004115, rel=1e-3)  # χ² = 63²/236 = 16.82


@pytest.mark.parametrize(("b", "c", "small"), [(24, 0, True), (25, 0, False), (12, 12, True), (13, 12, False)])
def test_few_samples_are_counted_exactly(b, c, small):
    test = McNemar(b, c)
    assert test.exact == small == (b + c < FEW)
    assert test.p == (exact if small else chi_squared)(b, c)


def test_it_does_not_matter_which_is_first():
    assert McNemar(3, 9).p == McNemar(9, 3).p
    assert McNemar(61, 43).p == McNemar(43, 61).p


@pytest.mark.parametrize(
    ("ps", "adjusted"),
    [
        ([], []),
        ([0.03], [0.03]),
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),  # 4 · 0.005, 3 · 0.01, 2 · 0.03, then not below it
        ([0.5, 0.6], [1, 1]),
        ([0.2, 0.2], [0.4, 0.4]),
    ],
)
def test_holm(ps, adjusted):
    assert holm(ps) == pytest.approx(adjusted)


def test_lead_by_hand():
    """Differences 1, 2, 3: mean 2, standard deviation 1; the table of Student's t has 4.303 for two degrees."""
    mean, half = lead(np.array([5.0, 7, 9]), np.array([4.0, 5, 6]))
    assert mean == 2
    assert half == pytest.approx(4.303 / np.sqrt(3), rel=1e-3)


def test_lead_is_the_paired_t_test():
    from scipy.stats import ttest_rel

    rng = np.random.default_rng(0)
    for n in (2, 3, 5, 20):
        one, other = rng.normal(size=n), rng.normal(0.8, size=n)
        mean, half = lead(one, other)
        test = ttest_rel(one, other)
        assert (mean - half, mean + half) == pytest.approx(tuple(test.confidence_interval(0.95)))
        assert clear(one, other) == (test.pvalue < 0.05)


def test_lead_leaves_out_what_diverged():
    nan = np.nan
    assert lead(np.array([1.0, nan, 3, 9]), np.array([0.0, 5, 2, nan])) == (1, 0)
    assert lead(np.array([1.0, nan]), np.array([0.0, 5])) == (1, np.inf)
    assert not clear(np.array([1.0]), np.array([0.0]))
    assert not clear(np.array([nan]), np.array([0.0]))


def test_words():
    assert listed(["a"]) == "a"
    assert listed(["a", "b"]) == "a and b"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert points(np.array([0.9, 0.91]), np.array([0.89, 0.9])) == "1.00 ± 0.00 points"
    assert points(np.array([0.9]), np.array([0.88])) == "2.00 points"


def test_equal_differences_of_counts_are_no_certainty():
    """By hand, 2 of 180 twice: (2 + 1)/182 − (2/182)² = 0.016363, over 182: 0.009482²; Student's t 12.706."""
    one, other = np.array([0.9, 0.9]), np.array([0.9, 0.9]) - 2 / 180
    assert clear(one, other)  # as figures of any other kind
    assert not clear(one, other, samples=180)
    mean, margin = lead(one, other, samples=180)
    assert (mean, margin) == (pytest.approx(2 / 180), pytest.approx(12.7062 * 0.009482 / np.sqrt(2), rel=1e-3))
    assert lead(one, one, samples=180)[1] > 0


def test_the_least_scatter_of_counts_is_that_of_agresti_and_min():
    """b = 9 and c = 0 of 200: the adjusted interval of the paired difference, as statsmodels and PropCIs have it."""
    b, c, n = 9 + 0.5, 0.5, 202
    expected = np.sqrt(((b + c) / n - ((b - c) / n) ** 2) / n)
    assert counted(np.array([9 / 200]), 200) == pytest.approx(expected)


def test_what_scatters_more_than_counts_keeps_its_own_scatter():
    one, other = np.array([0.9, 0.8, 0.95]), np.array([0.85, 0.6, 0.92])
    assert lead(one, other, samples=10_000) == lead(one, other)
