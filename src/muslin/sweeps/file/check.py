"""What is wrong with a sweep file, all of it at once; and what in a valid one is doubtful."""

import re
from collections import Counter
from datetime import date
from difflib import get_close_matches

from muslin.documents import is_number
from muslin.errors import shown, unknown, visible
from muslin.sweeps.file.distributions import DISTRIBUTIONS
from muslin.sweeps.file.fields import (
    CONTROLLER,
    COUNT_IS_NONE,
    CUSTOM,
    EARLY_TERMINATE,
    EXAMPLE,
    METRIC,
    OTHERS,
    PARAMETERS,
    REQUIRED,
    TOP,
    choice,
)
from muslin.sweeps.file.hyperband import MANY, Hyperband
from muslin.sweeps.file.space import GRID, infer, leaf

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
LONGEST = 100  # name that a message has whole
LARGEST_AXIS = 1_000_000  # values of one parameter of a grid

#: distributions that W&B's schema does not have, but that say what is meant → the key that they come with
LOOSE = {"nested": "parameters", "categorical": "probabilities"}


def problems(raw):
    """All that is wrong with a sweep file, a sentence each, naming the key and what is right; none if it is valid."""
    if not isinstance(raw, dict):
        return ["A sweep file holds keys, a line each, such as 'method: random'."]
    found = [*_top(raw), *_metric(raw), *_early_terminate(raw), *_parameters(raw)]
    return [*found, *_strangers(raw)] if found else []


def unlisted(given):
    """``early_terminate`` with each list of one number, ``min_iter: [3]``, as that number."""
    return {key: v[0] if isinstance(v, list) and len(v) == 1 and is_number(v[0]) else v for key, v in given.items()}


def _top(raw):
    if raw.get("method") == "custom":
        yield CUSTOM
    yield from (OTHERS[key] for key in raw if key in OTHERS)
    fields = {key: rule for key, rule in TOP.items() if key != "method" or raw.get("method") != "custom"}
    yield from _keys("", {key: value for key, value in raw.items() if key in fields}, fields)
    controller = raw.get("controller")
    if isinstance(controller, dict):  # other keys than type are right in it
        yield from _keys("controller", {key: v for key, v in controller.items() if key in CONTROLLER}, CONTROLLER)


def _strangers(raw):
    """Keys at the top that W&B does not know. It warns of them; they may be the home of YAML's anchors."""
    for key in raw.keys() - TOP.keys() - OTHERS.keys():
        near = get_close_matches(str(key)[:100], TOP, n=1)
        hint = COUNT_IS_NONE if key == "count" else f" Did you mean {near[0]!r}?" if near else ""
        yield f"{named(key)} is no key of a sweep file, and is not used.{hint}"


def named(key):
    """A key in a message."""
    if not isinstance(key, str):
        return shown(key)
    return visible(key if len(key) <= LONGEST else f"{key[:LONGEST]}…")


def _metric(raw):
    if isinstance(raw.get("metric"), dict):
        yield from _keys("metric", raw["metric"], METRIC)
    elif "metric" not in raw:
        askers = (("method bayes", raw.get("method") == "bayes"), ("early_terminate", "early_terminate" in raw))
        yield from (f"metric is missing; {asker} needs one, such as {EXAMPLE}." for asker, asks in askers if asks)


def _early_terminate(raw):
    given = raw.get("early_terminate")
    if not isinstance(given, dict):
        return
    given = unlisted(given)
    wrong = [*_keys("early_terminate", given, EARLY_TERMINATE)]
    yield from wrong or _bands(given)


def _bands(given):
    if "min_iter" not in given and not {"max_iter", "s"} <= given.keys():
        yield "early_terminate has neither min_iter nor both max_iter and s; give one of them, such as min_iter: 3."
    elif Hyperband.of(given).many:
        yield f"early_terminate has more than {MANY:,} bands; a larger eta, or a smaller s, has fewer."
    elif not Hyperband.of(given).bands(max(given.get("min_iter", 1), given.get("max_iter", 1))):
        yield "early_terminate has no band: the last one, max_iter/eta, must be at least 1, and s at least 1."


def _parameters(raw):
    parameters = raw.get("parameters")
    if not isinstance(parameters, dict):
        return
    yield from _group("parameters", parameters, raw.get("method"))
    for name, times in Counter(map(".".join, paths(raw))).items():
        if times > 1:
            yield f"parameters: {times} parameters have the name {name}, by a point or by nesting; rename one."


def paths(raw):
    """The path of keys to each parameter that is no group, whether it is right or not."""
    return [*_paths(raw.get("parameters"))] if isinstance(raw.get("parameters"), dict) else []


def _paths(parameters, groups=()):
    for name, spec in parameters.items():
        if isinstance(spec, dict) and isinstance(spec.get("parameters"), dict):
            yield from _paths(spec["parameters"], (*groups, str(name)))
        else:
            yield (*groups, str(name))


def sound(raw):
    """Those of the parameters in which nothing is wrong."""
    parameters = raw.get("parameters")
    parameters = parameters if isinstance(parameters, dict) else {}
    return {name: spec for name, spec in parameters.items() if not [*_group("", {name: spec}, raw.get("method"))]}


def _group(path, parameters, method):
    for name, spec in parameters.items():
        if not isinstance(name, str) or not NAME.fullmatch(name):
            yield f"{path}: the name {shown(name)} must begin with a letter or _ and have letters, digits, _ . - only."
        yield from _parameter(f"{path}.{named(name)}", spec, method)


def _parameter(path, spec, method):
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
    return [*_keys(path, spec, fields)] or [*_relations(path, spec), *_grid(path, spec, name, method)]


def _nested(path, spec, method):
    yield from _keys(path, spec, {"parameters": PARAMETERS, "distribution": choice("nested").or_else(None)})
    if isinstance(spec.get("parameters"), dict):
        yield from _group(f"{path}.parameters", spec["parameters"], method)


def _shapeless(path, spec):
    """Neither a distribution nor keys from which one could be inferred."""
    known = {"distribution", "parameters"}.union(*(d.fields for d in DISTRIBUTIONS.values()))
    strangers = [f"{path}.{named(key)}: {unknown('key', named(key), known)}" for key in spec if key not in known]
    return strangers or [f"{path} must have value, values, min and max, a distribution, or parameters."]


def _relations(path, spec):
    """Between keys that are right by themselves."""
    if "min" in spec and not spec["min"] < spec["max"]:
        yield f"{path}.min is {spec['min']}; it must be less than max, {spec['max']}."
    if "probabilities" in spec and len(spec["probabilities"]) != len(spec["values"]):
        n, m = len(spec["probabilities"]), len(spec["values"])
        yield f"{path}.probabilities has {n} numbers; it must have one for each of the {m} values."


def _grid(path, spec, name, method):
    if method != "grid" or name == "constant":
        return
    if name not in GRID:
        yield f"{path}: method grid cannot have {name}; it must be constant, {', '.join(GRID)}: give the values."
    elif name == "q_uniform" and (spec["max"] - spec["min"]) / spec.get("q", 1) > LARGEST_AXIS:
        yield f"{path}.q is {spec.get('q', 1)}; it must be larger: a grid takes {LARGEST_AXIS:,} values at most."


def _keys(path, given, fields):
    """Keys that are unknown, wrong or missing."""
    for key, value in given.items():
        at = f"{path}.{named(key)}" if path else named(key)
        if key not in fields:
            yield f"{at}: {unknown('key', named(key), fields)}"
        elif not fields[key].test(value):
            yield _wrong(at, value, fields[key].right)
    for key in fields:
        if fields[key].default is REQUIRED and key not in given:
            yield f"{path}{'.' * bool(path)}{key} is missing; it must be {_words(fields[key].right)}."


def _wrong(at, value, right):
    if isinstance(right, tuple) and isinstance(value, str):
        return str(unknown(at, named(value), right))
    return f"{at} is {shown(value)}; it must be {_words(right)}{_hint(value)}."


def _words(right):
    return " or ".join(map(repr, right)) if isinstance(right, tuple) else right


def _hint(value):
    """For what YAML 1.1 takes for something else than is meant."""
    if dates := [v for v in (value if isinstance(value, list) else [value]) if isinstance(v, date)]:
        return f" (YAML takes {dates[0]} for a date; as a text it has quotes: '{dates[0]}')"
    return f" ({TEXT_NUMBER})" if _is_text_number(value) else ""


#: for the numbers that YAML 1.1 takes for texts, such as 1e-5
TEXT_NUMBER = "this is a text to YAML; its numbers have no quotes, and a point before the e: 1.0e-5"


def _is_text_number(value):
    try:
        return isinstance(value, str) and float(value) is not None
    except ValueError:
        return False


def runs_program(raw):
    """Whether the trials of a sweep file are programs: it names one, or a command."""
    return bool(raw.get("program") or raw.get("command"))


def warnings(raw):
    """What a valid file says in a way that W&B refuses or discourages, or that may not be meant, a sentence each."""
    return [*_strangers(raw), *_doubtful_bands(raw), *_doubtful_goal(raw), *_doubtful_parameters(raw)]


def _doubtful_bands(raw):
    given = raw.get("early_terminate", {})
    for key, value in unlisted(given).items():
        if value is not given[key]:
            yield f"early_terminate.{key} is the list {given[key]}, which W&B refuses; it is taken for {value}."
    pair = given.keys() & {"max_iter", "s"}
    if "min_iter" in given and len(pair) == 2:
        yield "early_terminate.min_iter is not used where max_iter and s are given, as on W&B."
    elif len(pair) == 1:
        yield f"early_terminate.{pair.pop()} is not used, as on W&B: max_iter and s go together."


def _doubtful_goal(raw):
    metric = raw.get("metric", {})
    if "goal" not in metric and "acc" in metric.get("name", "").lower():
        yield f"metric.goal is missing, so {metric['name']} is minimized; write goal: maximize if more is better."


def _doubtful_parameters(raw):
    for path, spec in _specs("parameters", raw["parameters"]):
        name = spec.get("distribution")
        if f"{name}_values" in DISTRIBUTIONS:
            words = f"{leaf((), spec)}"
            yield f"{path}: {name} is deprecated, its bounds are exponents ({words}); W&B has {name}_values instead."
        texts = [v for v in (*spec.get("values", ()), spec.get("value")) if _is_text_number(v)]
        if texts and runs_program(raw):  # our own settings read them as numbers
            yield f"{path} has {shown(texts[0])}: {TEXT_NUMBER}. The program gets the text, as on W&B."
        if LOOSE.get(name) in spec:
            yield f"{path}: W&B refuses distribution: {name} with {LOOSE[name]}; leave the distribution out."


def _specs(path, parameters):
    """(path, parameter), the groups among them."""
    for name, spec in parameters.items():
        yield f"{path}.{name}", spec
        if infer(spec) == "nested":
            yield from _specs(f"{path}.{name}.parameters", spec["parameters"])
