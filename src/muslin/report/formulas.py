"""The tables of formulas for a page: as JavaScript, every row that can be translated."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from muslin import activations, schedules
from muslin.engines import javascript
from muslin.errors import InputError, known
from muslin.network import FeedForwardNeuralNetwork

#: table → what its rows are called
KINDS = {
    "activations": "activation",
    "losses": "loss",
    "optimizers": "optimizer",
    "initializers": "initializer",
    "schedules": "schedule",
}


def tables() -> dict[str, dict[str, Any]]:
    """{table: {name: formulas}}, as they are now: with the rows that someone added."""
    own = {kind: dict(getattr(FeedForwardNeuralNetwork, kind)) for kind in KINDS if kind != "schedules"}
    own["losses"] = {name: pair for name, row in own["losses"].items() if (pair := _of_softmax(row))}
    return own | {
        "schedules": dict(schedules.SCHEDULES),
        "outputs": {"log_softmax": activations.log_softmax},
        "helpers": {"warm_up": schedules.warm_up},
    }


def _of_softmax(row):
    """(loss, delta) of a row, which may have others for other outputs; None where it has none for softmax."""
    return row.get("softmax") if isinstance(row, Mapping) else row


def program() -> tuple[str, dict[str, dict[str, str]]]:
    """(the tables as JavaScript, {table: {name: why it is not there}})."""
    return _program(tuple((kind, tuple(table.items())) for kind, table in tables().items()))


@cache
def _program(rows):
    return javascript.program({kind: dict(table) for kind, table in rows})


def translated(kind: str) -> list[str]:
    """The names of a table's rows that a page has."""
    return [name for name in tables()[kind] if name not in program()[1].get(kind, {})]


def checked(kind: str, name: str) -> str:
    """The name of a row that the page has. Raises InputError: unknown, or not to be translated, and why."""
    name = known(tables()[kind], KINDS[kind], name)
    if reason := program()[1].get(kind, {}).get(name):
        raise InputError(f"The {KINDS[kind]} {name} cannot be translated to JavaScript: {reason}.")
    return name


def missing() -> list[str]:
    """A sentence for each row that no page has: ["The optimizer x cannot …"]."""
    return [
        f"The {KINDS.get(kind, kind)} {name} is not in the page: {reason}."
        for kind, names in program()[1].items()
        for name, reason in names.items()
    ]
