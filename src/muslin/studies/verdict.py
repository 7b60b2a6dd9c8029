"""What may be said of figures that scatter: differences between variations, seed by seed, with their uncertainty."""

import numpy as np

from muslin.paired import paired


def lead(one, other):
    """(mean, h) of the differences one − other of two arrays (seeds,): mean ± h is Student's 95 % interval.

    The seeds are pairs: both networks had the same split, the same order and initial weights from the same generator.
    h is infinite where there are fewer than two pairs.
    """
    d = one - other
    d = d[np.isfinite(d)]
    if len(d) < 2:
        return (float(d[0]) if len(d) else float("nan")), float("inf")
    mean, _, margin = paired(d)
    return mean, margin


def clear(one, other):
    """Whether the interval of the difference leaves out zero."""
    mean, half = lead(one, other)
    return abs(mean) > half


def points(one, other):
    """The difference of two accuracies in words, such as "0.61 ± 0.30 points"."""
    mean, half = lead(one, other)
    return f"{100 * mean:.2f} points" if np.isinf(half) else f"{100 * mean:.2f} ± {100 * half:.2f} points"
