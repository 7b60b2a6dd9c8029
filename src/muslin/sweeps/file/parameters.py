"""What is wrong with the parameters of a sweep file, a sentence each."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from muslin.errors import shown, unknown
from muslin.sweeps.file.distributions import DISTRIBUTIONS
from muslin.sweeps.file.fields import PARAMETERS, choice
from muslin.sweeps.file.keys import named, wrong_keys
from muslin.sweeps.file.space import GRID, infer

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
LARGEST_AXIS = 1_000_000  # values of one parameter of a grid

#: distributions that W&B's schema does not have, but that say what is meant → the key that they come with
LOOSE = {"nested": "parameters", "categorical": "probabilities"}


def problems(parameters: object, method: object) -> Iterator[str]:
    """All that is wrong with them; the method of the search forbids some."""
    if not isinstance(parameters, dict):
        return
    yield from _group("parameters", parameters, method)
    for name, times in Counter(map(".".join, paths(parameters))).items():
        if times > 1:
            yield f"parameters: {times} parameters have the name {name}, by a point or by nesting; rename one."


def paths(parameters: object) -> list[tuple[str, ...]]:
    """The path of keys to each parameter that is no group, whether it is right or not."""
    return [*_paths(parameters, ())] if isinstance(parameters, dict) else []


def _paths(parameters: Mapping[object, Any], groups: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name, spec in parameters.items():
        if isinstance(spec, dict) and isinstance(spec.get("parameters"), dict):
            yield from _paths(spec["parameters"], (*groups, str(name)))
        else:
            yield (*groups, str(name))


def sound(parameters: object, method: object) -> dict[str, Any]:
    """Those of the parameters in which nothing is wrong."""
    every = parameters if isinstance(parameters, dict) else {}
    return {name: spec for name, spec in every.items() if not [*_group("", {name: spec}, method)]}


def _group(path: str, parameters: Mapping[Any, Any], method: object) -> Iterator[str]:
    for name, spec in parameters.items():
        if not isinstance(name, str) or not NAME.fullmatch(name):
            yield f"{path}: the name {shown(name)} must begin with a letter or _ and have letters, digits, _ . - only."
        yield from _parameter(f"{path}.{named(name)}", spec, method)


def _parameter(path: str, spec: Any, method: object) -> Iterable[str]:
    if not isinstance(spec, dict):
        example = f"{{values: {shown(spec)}}}" if isinstance(spec, list) else f"{{value: {shown(spec)}}}"
        return [f"{path} is {shown(spec)}; it must be a mapping such as {example}."]
    name = infer(spec)
    if name == "nested":
        return _nested(path, spec, method)
    if name == "ambiguous":
        return [
            f"{path}: of min {spec['min']} and max {spec['max']} one is a whole number, which W&B calls ambiguous; "
            "write both with a point or both without, or name the distribution."
        ]
    if name is None:
        return _shapeless(path, spec)
    if not isinstance(name, str) or name not in DISTRIBUTIONS:
        return [str(unknown(f"{path}.distribution", named(name), DISTRIBUTIONS))]
    fields = DISTRIBUTIONS[name].fields | {"distribution": choice(name, *LOOSE).or_else(name)}
    return [*wrong_keys(path, spec, fields)] or [*_relations(path, spec), *_grid(path, spec, name, method)]


def _nested(path: str, spec: Mapping[str, Any], method: object) -> Iterator[str]:
    yield from wrong_keys(path, spec, {"parameters": PARAMETERS, "distribution": choice("nested").or_else(None)})
    if isinstance(spec.get("parameters"), dict):
        yield from _group(f"{path}.parameters", spec["parameters"], method)


def _shapeless(path: str, spec: Mapping[str, Any]) -> list[str]:
    """Neither a distribution nor keys from which one could be inferred."""
    known = {"distribution", "parameters"}.union(*(d.fields for d in DISTRIBUTIONS.values()))
    strangers = [f"{path}.{named(key)}: {unknown('key', named(key), known)}" for key in spec if key not in known]
    return strangers or [f"{path} must have value, values, min and max, a distribution, or parameters."]


def _relations(path: str, spec: Mapping[str, Any]) -> Iterator[str]:
    """Between keys that are right by themselves."""
    if "min" in spec and not spec["min"] < spec["max"]:
        yield f"{path}.min is {spec['min']}; it must be less than max, {spec['max']}."
    if "probabilities" in spec and len(spec["probabilities"]) != len(spec["values"]):
        n, m = len(spec["probabilities"]), len(spec["values"])
        yield f"{path}.probabilities has {n} numbers; it must have one for each of the {m} values."


def _grid(path: str, spec: Mapping[str, Any], name: str, method: object) -> Iterator[str]:
    if method != "grid" or name == "constant":
        return
    if name not in GRID:
        yield f"{path}: method grid cannot have {name}; it must be constant, {', '.join(GRID)}: give the values."
    elif name == "q_uniform" and (spec["max"] - spec["min"]) / spec.get("q", 1) > LARGEST_AXIS:
        yield f"{path}.q is {spec.get('q', 1)}; it must be larger: a grid takes {LARGEST_AXIS:,} values at most."
