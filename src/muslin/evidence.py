"""What may be said of differences, and what may be chance.

Between networks that are pairs (the same seed, and so the same split, order and initial weights): Student's interval of
the mean difference. Between two trained networks on the same samples: McNemar's test, which knows nothing of how
another seed would have come out.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import ArrayLike

# Pairs, seed by seed


def paired(differences: Sequence[float] | np.ndarray, samples: int | None = None) -> tuple[float, float, float]:
    """(mean, its standard error, margin) of differences (pairs,): mean ± margin is Student's 95 % interval.

    samples: of how many samples the figures are shares, if they are accuracies. Then the differences are taken to
    scatter at least as counts do (see `counted`): two that are equal by chance are not certain for that.
    With one difference, standard error and margin are NaN.
    """
    from scipy.special import stdtrit

    n = len(differences)
    error = spread(differences) / math.sqrt(n)
    if samples is not None and n > 1:
        error = max(error, counted(np.asarray(differences), samples) / math.sqrt(n))
    return float(np.mean(differences)), error, error * float(stdtrit(n - 1, 0.975))


def counted(differences: np.ndarray, samples: int) -> float:
    """The least standard deviation of differences between two accuracies on the same samples.

    Of a difference d, |d| of the samples at least are right with one of the two only. With half a sample more of either
    kind the variance is never 0: Agresti & Min, Statistics in Medicine 24, 2005, section 3.
    """
    d, n = differences * samples, samples + 2
    return math.sqrt(float(np.mean((np.abs(d) + 1) / n - (d / n) ** 2)) / n)


def spread(values: Sequence[float] | np.ndarray) -> float:
    """Standard deviation of a sample; NaN of one value."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan


def lead(one: np.ndarray, other: np.ndarray, samples: int | None = None) -> tuple[float, float]:
    """(mean, margin) of the differences one − other of two arrays (seeds,), as `paired` has them.

    A pair without two finite figures is left out; the margin is infinite where there are fewer than two pairs.
    """
    d = one - other
    d = d[np.isfinite(d)]
    if len(d) < 2:
        return (float(d[0]) if len(d) else math.nan), math.inf
    mean, _, margin = paired(d, samples)
    return mean, margin


def clear(one: np.ndarray, other: np.ndarray, samples: int | None = None) -> bool:
    """Whether the interval of the difference leaves out zero."""
    mean, margin = lead(one, other, samples)
    return abs(mean) > margin


# The same samples: McNemar's test, Psychometrika 12, 1947. Of five tests compared by Dietterich (Neural Computation 10,
# 1998) it is the one to take where each network was trained once.

#: discordant samples below which the distribution is summed exactly
FEW = 25


@dataclass(frozen=True)
class McNemar:
    """b samples only the first has right, c only the second; ``p`` two-sided."""

    b: int
    c: int

    @property
    def exact(self) -> bool:
        return self.b + self.c < FEW

    @property
    def p(self) -> float:
        return exact(self.b, self.c) if self.exact else chi_squared(self.b, self.c)


def mcnemar(right: ArrayLike, other: ArrayLike) -> McNemar:
    """The test of two arrays (N,) of booleans: which samples each classifier has right."""
    first, second = np.asarray(right), np.asarray(other)
    return McNemar(int((first & ~second).sum()), int((~first & second).sum()))


def exact(b: int, c: int) -> float:
    """p = 2 P(X ≤ min(b, c)), at most 1, with X binomial (b + c, ½): no difference means that either is as likely."""
    n = b + c
    return min(1.0, 2 * sum(math.comb(n, k) for k in range(min(b, c) + 1)) / 2**n)


def chi_squared(b: int, c: int) -> float:
    """p of χ² = (|b − c| − 1)² / (b + c), one degree of freedom; the 1 is Edwards' correction for continuity (1948)."""
    chi = max(0, abs(b - c) - 1) / math.sqrt(b + c)
    return math.erfc(chi / math.sqrt(2))


def holm(ps: Sequence[float]) -> list[float]:
    """p-values of several tests, adjusted so that any false alarm among all is as rare as in one alone.

    The smallest is multiplied by m, the next by m − 1, …; none is below the one before it.
    S. Holm, Scandinavian Journal of Statistics 6, 1979.
    """
    order = sorted(range(len(ps)), key=ps.__getitem__)
    scaled = (min(1.0, ps[i] * (len(ps) - place)) for place, i in enumerate(order))
    adjusted = dict(zip(order, accumulate(scaled, max), strict=True))
    return [adjusted[i] for i in range(len(ps))]


# Words


def points(one: np.ndarray, other: np.ndarray, samples: int | None = None) -> str:
    """The difference of two accuracies, such as "0.61 ± 0.30 points"."""
    mean, margin = lead(one, other, samples)
    return f"{100 * mean:.2f} points" if math.isinf(margin) else f"{100 * mean:.2f} ± {100 * margin:.2f} points"


def listed(words: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c" """
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
