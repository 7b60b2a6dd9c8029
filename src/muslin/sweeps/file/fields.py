"""The keys of W&B's sweep files and what each may be, as its schema.json has them (github.com/wandb/sweeps, MIT).

The keys of a parameter stand with its distribution, in distributions.py.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from muslin.documents import is_number

REQUIRED = object()
LARGEST_INTEGER = 2**63  # of W&B's server, and of databases


@dataclass(frozen=True)
class Field:
    """One key: what is right, as a test and in words (or the tuple of choices that it has)."""

    right: str | tuple[str, ...]
    test: Callable[[Any], bool]
    default: object = REQUIRED

    def or_else(self, default: object) -> "Field":
        """The same field, with a default instead of being required."""
        return replace(self, default=default)


def is_whole(value: Any) -> bool:
    return is_number(value) and value == int(value)


def is_json(value: object) -> bool:
    """Whether JSON can hold it; run configurations are JSON."""
    try:
        json.dumps(value, sort_keys=True)
    except (TypeError, ValueError):
        return False
    return True


def _is_probabilities(value: object) -> bool:
    """W&B asks np.isclose whether they sum to 1."""
    return isinstance(value, list) and all(is_number(p) and p >= 0 for p in value) and abs(sum(value) - 1) <= 1.001e-5


def _is_command(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(v, str) or is_number(v) for v in value)


def choice(*choices: str) -> Field:
    return Field(choices, lambda v: isinstance(v, str) and v in choices)


def mapping(example: str) -> Field:
    return Field(f"a mapping such as {example}", lambda v: isinstance(v, dict), None)


NUMBER = Field("a finite number", is_number)
POSITIVE = Field("a positive number", lambda v: is_number(v) and v > 0)
NOT_NEGATIVE = Field("a number from 0", lambda v: is_number(v) and v >= 0)
INTEGER = Field(
    "a whole number of at most 19 digits, written without a point",
    lambda v: isinstance(v, int) and not isinstance(v, bool) and abs(v) < LARGEST_INTEGER,
)
COUNT = Field("a whole number from 1", lambda v: is_whole(v) and v >= 1, None)
FLAG = Field("true or false", lambda v: isinstance(v, bool))
TEXT = Field("a text", lambda v: isinstance(v, str), None)
VALUE = Field("what JSON can hold: numbers, texts, true, false, null, lists and mappings of them", is_json)
VALUES = Field("a list of values, at least one", lambda v: isinstance(v, list) and len(v) > 0 and is_json(v))
PROBABILITIES = Field("a list of numbers from 0 that sum to 1", _is_probabilities)
PARAMETERS = Field("a mapping of names to parameters, at least one", lambda v: isinstance(v, dict) and len(v) > 0)

METHODS = ("bayes", "grid", "random")
IMPUTE = ("worst", "best", "latest")
EXAMPLE = "{name: val_accuracy, goal: maximize}"

TOP = {
    "method": choice(*METHODS),
    "parameters": PARAMETERS,
    "metric": mapping(EXAMPLE),
    "early_terminate": mapping("{type: hyperband, min_iter: 3}"),
    "run_cap": COUNT,
    "command": Field("a list of texts, such as [python, '${program}', '${args}']", _is_command, None),
    "controller": mapping("{type: local}"),
    "kind": choice("sweep").or_else("sweep"),
} | dict.fromkeys(("program", "name", "description", "project", "entity", "apiVersion", "job", "image_uri"), TEXT)

METRIC = {
    "name": Field("a text, the name that the runs log it by", lambda v: isinstance(v, str) and v != ""),
    "goal": choice("minimize", "maximize").or_else("minimize"),
    "target": NUMBER.or_else(None),
    "impute": choice(*IMPUTE).or_else("worst"),
    "impute_while_running": choice(*IMPUTE, "false").or_else("false"),
}

EARLY_TERMINATE = {
    "type": choice("hyperband"),
    "min_iter": COUNT,
    "max_iter": COUNT,
    "s": Field("a whole number from 0", lambda v: is_whole(v) and v >= 0, None),
    "eta": Field("a number above 1", lambda v: is_number(v) and v > 1, 3),
    "strict": FLAG.or_else(True),
}

CONTROLLER = {"type": choice("local", "cloud")}

#: keys at the top that change what a sweep is, and are none here → what to do
OTHERS = {
    "metrics": "metrics, several at once, is for W&B's own schedulers only; give one metric.",
    "scheduler": "scheduler is for W&B's own schedulers only; leave it out.",
}
COUNT_IS_NONE = " Give --count N on the command line, or run_cap: N here."
CUSTOM = f"method custom is for W&B's own schedulers, on its servers only; here it must be one of {', '.join(METHODS)}."
