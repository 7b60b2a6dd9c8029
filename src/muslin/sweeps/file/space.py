"""The search space: parameters → leaves, and the two searches that learn nothing, random and grid.

A point of the space is one u in (0, 1) for each leaf that is not constant; `Space.config` makes a run's configuration
of it. Names sort as W&B sorts them, so that its grid's order is ours.
"""

import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self, TypeAlias

import numpy as np

from muslin.sweeps.file.distributions import DISTRIBUTIONS, between

STREAM = int.from_bytes(b"sweep")  # keeps these draws apart from others made with the same seed
LISTS = ("values", "probabilities")  # the fields that are lists; a constant's value may be one by chance
SMALLEST, LARGEST = 2.0**-54, 1 - 2.0**-53  # u stays inside (0, 1), where every inverse is finite


#: a run's configuration, nested as the file is
Config: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Leaf:
    """One parameter: the path of keys to it, its distribution and all fields of that."""

    path: tuple[str, ...]
    distribution: str
    fields: Mapping[str, Any]

    @property
    def name(self) -> str:
        return ".".join(self.path)

    @property
    def constant(self) -> bool:
        return self.distribution == "constant"

    def __call__(self, u: float) -> Any:
        """The value at u: the inverse of the CDF."""
        return DISTRIBUTIONS[self.distribution].inverse(between(SMALLEST, u, LARGEST), *self.fields.values())

    def __str__(self) -> str:
        words = {key: ", ".join(map(_word, v)) if key in LISTS else _word(v) for key, v in self.fields.items()}
        return DISTRIBUTIONS[self.distribution].words.format(**words)


def _word(value: object) -> str:
    """A value as a person writes it: text as it is, but for the empty one."""
    return str(value) or '""'


def infer(spec: Mapping[str, Any]) -> Any:
    """The name of a parameter's distribution: its own word for it, or the one that W&B infers; None if there is none.

    "nested" where it holds parameters, "ambiguous" where one bound is whole and the other is not.
    """
    named = spec.get("distribution")
    if "parameters" in spec and named in (None, "nested"):
        return "nested"
    if {"values", "probabilities"} <= spec.keys() and named in (None, "categorical"):
        return "categorical_w_probabilities"
    if named is not None:
        return named
    if "value" in spec:
        return "constant"
    if "values" in spec:
        return "categorical"
    return _infer_uniform(spec) if {"min", "max"} & spec.keys() else None


def _infer_uniform(spec: Mapping[str, Any]) -> str:
    kinds = {type(spec.get(key)) for key in ("min", "max")}
    return "int_uniform" if kinds == {int} else "ambiguous" if kinds == {int, float} else "uniform"


def leaf(path: tuple[str, ...], spec: Mapping[str, Any]) -> Leaf:
    """The leaf of a parameter that is valid."""
    name = infer(spec)
    fields = DISTRIBUTIONS[name].fields
    return Leaf(path, name, {key: spec.get(key, field.default) for key, field in fields.items()})


@dataclass(frozen=True)
class Space:
    leaves: tuple[Leaf, ...]

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Self:
        """From the ``parameters`` of a valid sweep file."""
        return cls(tuple(_leaves(parameters, ())))

    @cached_property
    def searched(self) -> tuple[Leaf, ...]:
        """The leaves that are not constant."""
        return tuple(leaf for leaf in self.leaves if not leaf.constant)

    @cached_property
    def size(self) -> float:
        """How many configurations there are; inf where one parameter or more is continuous."""
        return math.prod(map(_count, self.searched))

    def key(self, config: Config) -> str:
        """What tells a configuration from others: the values that are searched."""
        return json.dumps([_whole(at(config, leaf.name)) for leaf in self.searched], sort_keys=True)

    def values(self, point: Sequence[float]) -> dict[str, Any]:
        """Every leaf's value at a point, by name."""
        us = dict(zip((leaf.name for leaf in self.searched), point, strict=True))
        return {leaf.name: leaf(us.get(leaf.name, 0.5)) for leaf in self.leaves}

    def assemble(self, values: Mapping[str, Any]) -> Config:
        """The run's configuration, nested as the file is, from the values by name; constants may be left out."""
        config: Config = {}
        for leaf in self.leaves:
            *groups, last = leaf.path
            place = config
            for group in groups:
                place = place.setdefault(group, {})
            place[last] = leaf(0.5) if leaf.constant else values[leaf.name]
        return config

    def config(self, point: Sequence[float]) -> Config:
        """The run's configuration at a point."""
        return self.assemble(self.values(point))


def at(config: Config, name: str) -> Any:
    """The value at a name such as a.b in a nested configuration. A name may have points of its own."""
    if name in config:
        return config[name]
    for group, inner in config.items():
        if isinstance(inner, dict) and name.startswith(f"{group}."):
            return at(inner, name.removeprefix(f"{group}."))
    raise KeyError(name)


#: q_ distributions of which every value between the bounds is drawn some time
BOUNDED = ("q_uniform", "q_log_uniform", "q_log_uniform_values", "q_beta")


def _count(leaf: Leaf) -> float:
    """How many values a leaf has."""
    if "values" in leaf.fields:
        likely = leaf.fields.get("probabilities", itertools.repeat(1))
        return len(_distinct([v for v, p in zip(leaf.fields["values"], likely, strict=False) if p]))
    if leaf.distribution == "int_uniform":
        return leaf.fields["max"] - leaf.fields["min"] + 1
    if leaf.distribution in BOUNDED:
        return round((leaf(LARGEST) - leaf(SMALLEST)) / leaf.fields["q"]) + 1
    return math.inf


def _leaves(parameters: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[Leaf]:
    for name, spec in sorted(parameters.items()):
        if infer(spec) == "nested":
            yield from _leaves(spec["parameters"], (*path, name))
        else:
            yield leaf((*path, name), spec)


def point(space: Space, seed: int, index: int) -> list[float]:
    """The point of run ``index`` in a random search: it depends on (seed, index) alone, whoever draws it."""
    return np.random.default_rng([seed, index, STREAM]).random(len(space.searched)).tolist()


def draw(space: Space, seed: int, index: int) -> Config:
    """The configuration of run ``index`` in a random search."""
    return space.config(point(space, seed, index))


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _distinct(values: Sequence[Any]) -> list[Any]:
    """Without repetitions, as W&B's grid leaves them out; 1 and 1.0 are the same, 1 and true are not."""
    return list({json.dumps(_whole(v), sort_keys=True): v for v in values}.values())


def _multiples(low: float, high: float, q: float) -> list[float]:
    return np.arange(low, high, q).tolist()  # as W&B has it: from low in steps of q, high left out


#: distribution → the values that a grid takes of it
GRID: dict[str, Callable[..., Sequence[Any]]] = {
    "categorical": _distinct,
    "int_uniform": lambda low, high: range(low, high + 1),
    "q_uniform": _multiples,
}


class Grid(Sequence[Config]):
    """The product of all values over the sorted names; the last name varies fastest. No list is built.

    ``grid[i]`` is a configuration. ``grid.space`` has each leaf as the list of its values; ``grid.point(i)`` is in it.
    """

    def __init__(self, space: Space):
        self.space = Space(tuple(leaf if leaf.constant else _listed(leaf) for leaf in space.leaves))
        self.sizes = [len(leaf.fields["values"]) for leaf in self.space.searched]
        self.size: int = math.prod(self.sizes)  # len() cannot hold all of them

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, i: Any) -> Any:
        return self.space.config(self.point(i))

    def point(self, i: int) -> list[float]:
        if not 0 <= i < self.size:
            raise IndexError(i)
        places = []
        for size in reversed(self.sizes):
            i, place = divmod(i, size)
            places.append((place + 0.5) / size)
        return places[::-1]


def _listed(leaf: Leaf) -> Leaf:
    return Leaf(leaf.path, "categorical", {"values": GRID[leaf.distribution](*leaf.fields.values())})
