"""The leaves of a space as Optuna's distributions, and back.

Where Optuna has the distribution, a search sees the value itself: a choice, a whole number, a number on a linear, a
logarithmic or a stepped scale. Else it sees u, uniform between 0 and 1. `Parameter.value` makes W&B's value of either.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from types import ModuleType
from typing import Any, TypeAlias

from muslin.errors import InputError
from muslin.sweeps.file.distributions import between, exp, nearest_multiple, place
from muslin.sweeps.file.space import Leaf, Space


@dataclass(frozen=True)
class Parameter:
    """A leaf as Optuna sees it."""

    distribution: Any  # Optuna's
    seen: Callable[[float], Any]  # u → what Optuna sees
    value: Callable[[Any], Any]  # what Optuna sees → the leaf's value


Route: TypeAlias = Callable[[Leaf, ModuleType], Parameter]


def parameters(space: Space) -> dict[str, Parameter]:
    """name → `Parameter`, without the constants.

    trial = study.ask({name: p.distribution for name, p in parameters(space).items()}), and then
    space.assemble({name: p.value(trial.params[name]) for name, p in parameters(space).items()}) is its configuration.
    """
    try:
        from optuna import distributions
    except ImportError as error:
        raise InputError("This search needs Optuna: pip install 'muslin[sweep]'") from error
    return {leaf.name: ROUTES.get(leaf.distribution, _u)(leaf, distributions) for leaf in space.searched}


def _u(leaf: Leaf, optuna: ModuleType) -> Parameter:
    return Parameter(optuna.FloatDistribution(0.0, 1.0), float, leaf)


def _categorical(leaf: Leaf, optuna: ModuleType) -> Parameter:
    """Optuna stores numbers, texts, booleans and None; a list or mapping it sees as its JSON."""
    values = leaf.fields["values"]
    scalars = all(isinstance(v, str | int | float | None) for v in values)
    choices = list(values) if scalars else [json.dumps(v) for v in values]
    if len(set(choices)) < len(choices):  # to Optuna the repeated ones were one, or 1 and true were
        return _u(leaf, optuna)
    return Parameter(
        optuna.CategoricalDistribution(choices),
        lambda u: choices[place(u, len(choices))],
        lambda seen: values[choices.index(seen)],
    )


def _int_uniform(leaf: Leaf, optuna: ModuleType) -> Parameter:
    return Parameter(optuna.IntDistribution(leaf.fields["min"], leaf.fields["max"]), leaf, int)


def _q_uniform(leaf: Leaf, optuna: ModuleType) -> Parameter:
    """From the lowest to the highest multiple of q that W&B may draw."""
    low, high, q = leaf.fields.values()
    first, last = round(low / q), round(high / q)
    if isinstance(q, int):
        return Parameter(optuna.IntDistribution(first * q, last * q, step=q), leaf, int)
    step = Decimal(str(q))  # Optuna counts steps in decimals too
    low, high = float(first * step), float(last * step)
    if (Decimal(str(high)) - Decimal(str(low))) % step:
        return _u(leaf, optuna)
    return Parameter(
        optuna.FloatDistribution(low, high, step=q),
        lambda u: between(low, leaf(u), high),
        lambda seen: nearest_multiple(seen, q),
    )


def _logarithmic(bounds: Callable[[float, float], tuple[float, float]]) -> Route:
    """Log-uniform between the ``bounds`` of its fields; a q_ variant is rounded afterwards."""

    def route(leaf: Leaf, optuna: ModuleType) -> Parameter:
        low, high, *q = leaf.fields.values()
        bare = Leaf(leaf.path, leaf.distribution.removeprefix("q_"), {"min": low, "max": high})
        low, high = bounds(low, high)
        if not 0 < low < high:  # exponents so far apart that the ends are 0 or the same to a double
            return _u(leaf, optuna)
        return Parameter(
            optuna.FloatDistribution(low, high, log=True),
            bare,
            lambda seen: nearest_multiple(seen, q[0]) if q else seen,
        )

    return route


def _q_log_uniform_values(leaf: Leaf, optuna: ModuleType) -> Parameter:
    """Optuna has whole numbers on a logarithmic scale in steps of 1."""
    low, high, q = leaf.fields.values()
    if q != 1 or round(low) < 1:
        return _logarithmic(_values)(leaf, optuna)
    return Parameter(optuna.IntDistribution(round(low), round(high), log=True), lambda u: int(leaf(u)), lambda k: k * q)


def _uniform(leaf: Leaf, optuna: ModuleType) -> Parameter:
    return Parameter(optuna.FloatDistribution(leaf.fields["min"], leaf.fields["max"]), leaf, float)


def _values(low: float, high: float) -> tuple[float, float]:
    return low, high


def _exponents(low: float, high: float) -> tuple[float, float]:
    return exp(low), exp(high)


def _inverse_exponents(low: float, high: float) -> tuple[float, float]:
    return exp(-high), exp(-low)


#: distribution → how Optuna sees it; those that are not here it sees as u
ROUTES: dict[str, Route] = {
    "categorical": _categorical,
    "int_uniform": _int_uniform,
    "uniform": _uniform,
    "q_uniform": _q_uniform,
    "log_uniform": _logarithmic(_exponents),
    "q_log_uniform": _logarithmic(_exponents),
    "inv_log_uniform": _logarithmic(_inverse_exponents),
    "log_uniform_values": _logarithmic(_values),
    "q_log_uniform_values": _q_log_uniform_values,
    "inv_log_uniform_values": _logarithmic(_values),
}
