"""McNemar's test and Holm's correction, against SciPy and numbers from textbooks."""

import numpy as np
import pytest
from scipy.stats import binomtest, chi2

from muslin.report.mcnemar import FEW, McNemar, chi_squared, exact, holm, mcnemar


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
