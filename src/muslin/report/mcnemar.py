"""McNemar's test: is one of two classifiers right more often than the other on the same samples?

Q. McNemar, Psychometrika 12, 1947. Of five tests compared by Dietterich (Neural Computation 10, 1998) it is the one to
take where each network was trained once. It knows nothing of how another seed would have come out.
"""

import math
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

#: discordant samples below which the distribution is summed exactly
FEW = 25


@dataclass(frozen=True)
class McNemar:
    """b samples only the first has right, c only the second; ``p`` two-sided."""

    b: int
    c: int

    @property
    def exact(self):
        return self.b + self.c < FEW

    @property
    def p(self):
        return exact(self.b, self.c) if self.exact else chi_squared(self.b, self.c)


def mcnemar(right, other):
    """The test of two arrays (N,) of booleans: which samples each classifier has right."""
    right, other = np.asarray(right), np.asarray(other)
    return McNemar(int((right & ~other).sum()), int((~right & other).sum()))


def exact(b, c):
    """p = 2 P(X ≤ min(b, c)), at most 1, with X binomial (b + c, ½): no difference means that either is as likely."""
    n = b + c
    return min(1.0, 2 * sum(math.comb(n, k) for k in range(min(b, c) + 1)) / 2**n)


def chi_squared(b, c):
    """p of χ² = (|b − c| − 1)² / (b + c), one degree of freedom; the 1 is Edwards' correction for continuity (1948)."""
    chi = max(0, abs(b - c) - 1) / math.sqrt(b + c)
    return math.erfc(chi / math.sqrt(2))


def holm(ps):
    """p-values of several tests, adjusted so that any false alarm among all is as rare as in one alone.

    The smallest is multiplied by m, the next by m − 1, …; none is below the one before it.
    S. Holm, Scandinavian Journal of Statistics 6, 1979.
    """
    order = sorted(range(len(ps)), key=ps.__getitem__)
    scaled = (min(1.0, ps[i] * (len(ps) - place)) for place, i in enumerate(order))
    adjusted = dict(zip(order, accumulate(scaled, max), strict=True))
    return [adjusted[i] for i in range(len(ps))]
