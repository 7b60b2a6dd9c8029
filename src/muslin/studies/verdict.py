"""What may be said of figures that scatter: differences between variations, seed by seed, with their uncertainty."""

import numpy as np


def lead(one, other):
    """(mean, h) of the differences one − other of two arrays (seeds,): mean ± h is Student's 95 % interval.

    The seeds are pairs: both networks had the same split, the same order and initial weights from the same generator.
    h is infinite where there are fewer than two pairs.
    """
    from scipy.stats import t

    d = one - other
    d = d[np.isfinite(d)]
    n = len(d)
    if n < 2:
        return float(d.mean()) if n else float("nan"), float("inf")
    return float(d.mean()), float(t.ppf(0.975, n - 1) * d.std(ddof=1) / np.sqrt(n))


def clear(one, other):
    """Whether the interval of the difference leaves out zero."""
    mean, half = lead(one, other)
    return abs(mean) > half


def points(one, other):
    """The difference of two accuracies in words, such as "0.61 ± 0.30 points"."""
    mean, half = lead(one, other)
    return f"{100 * mean:.2f} points" if np.isinf(half) else f"{100 * mean:.2f} ± {100 * half:.2f} points"


def listed(words):
    """ "a", "a and b", "a, b and c" """
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
