"""The distributions of W&B's sweep files: each is a map from u in (0, 1) to a value, the inverse of its CDF.

So every search that knows a plain uniform number can serve them all. Names, fields, defaults and meaning are W&B's.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, TypeVar

from scipy.special import betaincinv, ndtri

from muslin.sweeps.file.fields import INTEGER, NOT_NEGATIVE, NUMBER, POSITIVE, PROBABILITIES, VALUE, VALUES, Field

N = TypeVar("N", bound=float)

# u → value; the fields follow in the order of the table below


def constant(u: float, value: Any) -> Any:
    return value


def categorical(u: float, values: Sequence[Any]) -> Any:
    return values[place(u, len(values))]


def weighted(u: float, values: Sequence[Any], probabilities: Sequence[float]) -> Any:
    cdf = list(accumulate(probabilities))
    return values[bisect_left(cdf, u * cdf[-1])]


def int_uniform(u: float, low: int, high: int) -> int:
    return low + place(u, high - low + 1)


def uniform(u: float, low: float, high: float) -> float:
    return between(low, low + u * (high - low), high)


def log_uniform(u: float, low: float, high: float) -> float:
    """log X is uniform between low and high."""
    return exp(uniform(u, low, high))


def log_uniform_values(u: float, low: float, high: float) -> float:
    """log X is uniform between log low and log high."""
    return between(low, log_uniform(u, math.log(low), math.log(high)), high)


def inv_log_uniform(u: float, low: float, high: float) -> float:
    """log 1/X is uniform between low and high."""
    return exp(-uniform(1 - u, low, high))


def inv_log_uniform_values(u: float, low: float, high: float) -> float:
    """log 1/X is uniform between log 1/high and log 1/low: the same as log_uniform_values."""
    return between(low, inv_log_uniform(u, -math.log(high), -math.log(low)), high)


def normal(u: float, mu: float, sigma: float) -> float:
    return float(mu + sigma * ndtri(u))


def log_normal(u: float, mu: float, sigma: float) -> float:
    """log X is normal."""
    return exp(normal(u, mu, sigma))


def beta(u: float, a: float, b: float) -> float:
    return float(betaincinv(a, b, u))


def quantized(inverse: Callable[..., float]) -> Callable[..., float]:
    """The q_ variant: the nearest multiple of q, halves to the even one; it may lie outside of the bounds."""
    return lambda u, *fields: nearest_multiple(inverse(u, *fields[:-1]), fields[-1])


def nearest_multiple(x: float, q: float) -> float:
    """A whole number where q is one."""
    return round(x / q) * q


def place(u: float, n: int) -> int:
    """The place, from 0, of u among n equal parts of (0, 1]."""
    return between(0, math.ceil(u * n) - 1, n - 1)


def between(low: N, x: N, high: N) -> N:
    return min(max(x, low), high)


def exp(x: float) -> float:
    return math.exp(min(x, 709.0))  # e⁷⁰⁹ is about the largest double


BOUNDS = {"min": NUMBER, "max": NUMBER}
POSITIVE_BOUNDS = {"min": POSITIVE, "max": POSITIVE}
NORMAL = {"mu": NUMBER.or_else(0), "sigma": NOT_NEGATIVE.or_else(1)}
BETA = dict.fromkeys(("a", "b"), POSITIVE.or_else(1))
STEP = {"q": POSITIVE.or_else(1)}


@dataclass(frozen=True)
class Distribution:
    inverse: Callable[..., Any]  # (u, *fields) → value
    fields: dict[str, Field]
    words: str


#: those that have a q_ variant
CONTINUOUS = {
    "uniform": Distribution(uniform, BOUNDS, "{min} to {max}"),
    "log_uniform": Distribution(log_uniform, BOUNDS, "e^{min} to e^{max}, log-uniform"),
    "log_uniform_values": Distribution(log_uniform_values, POSITIVE_BOUNDS, "{min} to {max}, log-uniform"),
    "normal": Distribution(normal, NORMAL, "normal, mean {mu}, standard deviation {sigma}"),
    "log_normal": Distribution(log_normal, NORMAL, "e^x with x normal, mean {mu}, standard deviation {sigma}"),
    "beta": Distribution(beta, BETA, "beta, a {a}, b {b}"),
}

#: name → distribution. A new one is one function and a row here.
DISTRIBUTIONS = {
    "constant": Distribution(constant, {"value": VALUE}, "{value}"),
    "categorical": Distribution(categorical, {"values": VALUES}, "one of {values}"),
    "categorical_w_probabilities": Distribution(
        weighted,
        {"values": VALUES, "probabilities": PROBABILITIES},
        "one of {values}, with probabilities {probabilities}",
    ),
    "int_uniform": Distribution(int_uniform, {"min": INTEGER, "max": INTEGER}, "{min} to {max}, whole numbers"),
    **CONTINUOUS,
    "inv_log_uniform": Distribution(inv_log_uniform, BOUNDS, "e^-{max} to e^-{min}, log-uniform"),
    "inv_log_uniform_values": Distribution(inv_log_uniform_values, POSITIVE_BOUNDS, "{min} to {max}, log-uniform"),
    **{
        f"q_{name}": Distribution(quantized(d.inverse), d.fields | STEP, d.words + ", in multiples of {q}")
        for name, d in CONTINUOUS.items()
    },
}
