"""The filters and orders of W&B's public API: MongoDB's query language on the parts of a run."""

import re
from collections.abc import Callable, Mapping
from operator import ge, gt, le, lt
from typing import Any, Protocol, TypeVar

R = TypeVar("R")
P = TypeVar("P", bound="Parts")


class Parts(Protocol):
    """A run, by the names of its parts."""

    def __getitem__(self, path: str) -> Any: ...


def passes(wanted: Mapping[str, Any], run: Parts) -> bool:
    """Whether a run passes. ``run[path]`` is its part, such as config.lr, summary_metrics.loss, state; or None."""
    return all(
        _group(key, value, run) if key.startswith("$") else _part(run[key], value) for key, value in wanted.items()
    )


def _group(key: str, value: Any, run: Parts) -> bool:
    if key == "$and":
        return all(passes(each, run) for each in value)
    if key in ("$or", "$nor"):
        return any(passes(each, run) for each in value) == (key == "$or")
    return not passes(value, run) if key == "$not" else False


def _part(field: Any, value: Any) -> bool:
    if isinstance(value, dict) and value and all(key.startswith("$") for key in value):
        return all(_holds(field, sign, right) for sign, right in value.items())
    return _equal(field, value)


def _equal(field: Any, value: Any) -> bool:
    return value in field if isinstance(field, list) and not isinstance(value, list) else field == value


def _compared(sign: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def holds(field: Any, value: Any) -> bool:
        try:
            return field is not None and sign(field, value)
        except TypeError:
            return False

    return holds


def _matches(field: Any, pattern: str) -> bool:
    if pattern.startswith("/") and pattern.endswith("/") and len(pattern) > 1:
        pattern = pattern[1:-1]
    try:
        return isinstance(field, str) and re.search(pattern[:1000], field[:10_000]) is not None
    except re.error:
        return False


SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "$eq": _equal,
    "$ne": lambda field, value: not _equal(field, value),
    "$gt": _compared(gt),
    "$gte": _compared(ge),
    "$lt": _compared(lt),
    "$lte": _compared(le),
    "$in": lambda field, values: any(_equal(field, value) for value in values),
    "$nin": lambda field, values: not any(_equal(field, value) for value in values),
    "$exists": lambda field, value: (field is not None) == bool(value),
    "$regex": _matches,
    "$not": lambda field, value: not _part(field, value),
}


def _holds(field: Any, sign: str, right: Any) -> bool:
    return sign in SIGNS and SIGNS[sign](field, right)


def ordered(pairs: list[tuple[R, P]], order: str) -> list[tuple[R, P]]:
    """(row, run) pairs by an order such as "+created_at" or "-summary_metrics.loss"; what lacks it comes last."""
    for word in reversed([word.strip() for word in order.split(",") if word.strip()]):
        path, down = word.lstrip("+-"), word.startswith("-")
        kinds: dict[int, list[tuple[Any, tuple[R, P]]]] = {0: [], 1: [], 2: []}  # numbers, texts, the rest
        for pair in pairs:
            key = pair[1][path]
            text = isinstance(key, str) and key not in ("NaN", "Infinity", "-Infinity")
            kinds[0 if isinstance(key, int | float) else 1 if text else 2].append((key, pair))
        sorted_kinds = [sorted(kinds[kind], key=lambda keyed: keyed[0], reverse=down) for kind in (0, 1)]
        pairs = [pair for kind in (*sorted_kinds, kinds[2]) for _, pair in kind]
    return pairs
