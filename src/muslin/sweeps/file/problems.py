"""What is wrong with a sweep file, all of it at once; and what in a valid one is doubtful."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from muslin.errors import shown
from muslin.sweeps.file import hyperband, parameters
from muslin.sweeps.file.distributions import DISTRIBUTIONS
from muslin.sweeps.file.fields import CONTROLLER, COUNT_IS_NONE, CUSTOM, EXAMPLE, METRIC, OTHERS, TOP
from muslin.sweeps.file.keys import TEXT_NUMBER, is_text_number, named, wrong_keys
from muslin.sweeps.file.parameters import LOOSE
from muslin.sweeps.file.space import infer, leaf


def problems(raw: object) -> list[str]:
    """All that is wrong with a sweep file, a sentence each, naming the key and what is right; none if it is valid."""
    if not isinstance(raw, dict):
        return ["A sweep file holds keys, a line each, such as 'method: random'."]
    wrong = [*_top(raw), *_metric(raw), *hyperband.problems(raw.get("early_terminate"))]
    wrong += parameters.problems(raw.get("parameters"), raw.get("method"))
    return [*wrong, *_strangers(raw)] if wrong else []


def _top(raw: Mapping[str, Any]) -> Iterator[str]:
    if raw.get("method") == "custom":
        yield CUSTOM
    yield from (OTHERS[key] for key in raw if key in OTHERS)
    fields = {key: rule for key, rule in TOP.items() if key != "method" or raw.get("method") != "custom"}
    yield from wrong_keys("", {key: value for key, value in raw.items() if key in fields}, fields)
    controller = raw.get("controller")
    if isinstance(controller, dict):  # other keys than type are right in it
        yield from wrong_keys("controller", {key: v for key, v in controller.items() if key in CONTROLLER}, CONTROLLER)


def _strangers(raw: Mapping[Any, Any]) -> Iterator[str]:
    """Keys at the top that W&B does not know. It warns of them; they may be the home of YAML's anchors."""
    for key in raw.keys() - TOP.keys() - OTHERS.keys():
        near = get_close_matches(str(key)[:100], TOP, n=1)
        hint = COUNT_IS_NONE if key == "count" else f" Did you mean {near[0]!r}?" if near else ""
        yield f"{named(key)} is no key of a sweep file, and is not used.{hint}"


def _metric(raw: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(raw.get("metric"), dict):
        yield from wrong_keys("metric", raw["metric"], METRIC)
    elif "metric" not in raw:
        askers = (("method bayes", raw.get("method") == "bayes"), ("early_terminate", "early_terminate" in raw))
        yield from (f"metric is missing; {asker} needs one, such as {EXAMPLE}." for asker, asks in askers if asks)


def runs_program(raw: Mapping[str, Any]) -> bool:
    """Whether the trials of a sweep file are programs: it names one, or a command."""
    return bool(raw.get("program") or raw.get("command"))


def warnings(raw: Mapping[str, Any]) -> list[str]:
    """What a valid file says in a way that W&B refuses or discourages, or that may not be meant, a sentence each."""
    doubtful = [*_doubtful_goal(raw), *_doubtful_parameters(raw)]
    return [*_strangers(raw), *hyperband.warnings(raw.get("early_terminate", {})), *doubtful]


def _doubtful_goal(raw: Mapping[str, Any]) -> Iterator[str]:
    metric = raw.get("metric", {})
    if "goal" not in metric and "acc" in metric.get("name", "").lower():
        yield f"metric.goal is missing, so {metric['name']} is minimized; write goal: maximize if more is better."


def _doubtful_parameters(raw: Mapping[str, Any]) -> Iterator[str]:
    for path, spec in _specs("parameters", raw["parameters"]):
        name = str(spec.get("distribution"))
        if f"{name}_values" in DISTRIBUTIONS:
            words = f"{leaf((), spec)}"
            yield f"{path}: {name} is deprecated, its bounds are exponents ({words}); W&B has {name}_values instead."
        texts = [v for v in (*spec.get("values", ()), spec.get("value")) if is_text_number(v)]
        if texts and runs_program(raw):  # our own settings read them as numbers
            yield f"{path} has {shown(texts[0])}: {TEXT_NUMBER}. The program gets the text, as on W&B."
        if name in LOOSE and LOOSE[name] in spec:
            yield f"{path}: W&B refuses distribution: {name} with {LOOSE[name]}; leave the distribution out."


def _specs(path: str, parameters: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(path, parameter), the groups among them."""
    for name, spec in parameters.items():
        yield f"{path}.{name}", spec
        if infer(spec) == "nested":
            yield from _specs(f"{path}.{name}.parameters", spec["parameters"])
