"""What may be said of differences between networks that are pairs: the same seed, and so the same split and order."""

import math

import numpy as np


def paired(differences):
    """(mean, its standard error, margin) of differences (pairs,): mean ± margin is Student's 95 % interval.

    With one difference, standard error and margin are NaN.
    """
    from scipy.special import stdtrit

    n = len(differences)
    error = spread(differences) / math.sqrt(n)
    return float(np.mean(differences)), error, error * float(stdtrit(n - 1, 0.975))


def spread(values):
    """Standard deviation of a sample; NaN of one value."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan


def listed(words):
    """ "a", "a and b", "a, b and c" """
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
