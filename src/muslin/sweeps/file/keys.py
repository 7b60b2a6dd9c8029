"""Keys that are unknown, wrong or missing, a sentence each."""

from collections.abc import Iterator, Mapping
from datetime import date

from muslin.errors import shown, unknown, visible
from muslin.sweeps.file.fields import REQUIRED, Field

LONGEST = 100  # name that a message has whole

#: for the numbers that YAML 1.1 takes for texts, such as 1e-5
TEXT_NUMBER = "this is a text to YAML; its numbers have no quotes, and a point before the e: 1.0e-5"


def wrong_keys(path: str, values: Mapping[str, object], fields: Mapping[str, Field]) -> Iterator[str]:
    """What is wrong with the keys at a path, of which ``fields`` says what each may be."""
    for key, value in values.items():
        at = f"{path}.{named(key)}" if path else named(key)
        if key not in fields:
            yield f"{at}: {unknown('key', named(key), fields)}"
        elif not fields[key].test(value):
            yield _wrong(at, value, fields[key].right)
    for key, field in fields.items():
        if field.default is REQUIRED and key not in values:
            yield f"{path}{'.' * bool(path)}{key} is missing; it must be {_words(field.right)}."


def named(key: object) -> str:
    """A key in a message."""
    if not isinstance(key, str):
        return shown(key)
    return visible(key if len(key) <= LONGEST else f"{key[:LONGEST]}…")


def is_text_number(value: object) -> bool:
    """Whether it is a text that means a number."""
    try:
        return isinstance(value, str) and float(value) is not None
    except ValueError:
        return False


def _wrong(at: str, value: object, right: str | tuple[str, ...]) -> str:
    if isinstance(right, tuple) and isinstance(value, str):
        return str(unknown(at, named(value), right))
    return f"{at} is {shown(value)}; it must be {_words(right)}{_hint(value)}."


def _words(right: str | tuple[str, ...]) -> str:
    return " or ".join(map(repr, right)) if isinstance(right, tuple) else right


def _hint(value: object) -> str:
    """For what YAML 1.1 takes for something else than is meant."""
    if dates := [v for v in (value if isinstance(value, list) else [value]) if isinstance(v, date)]:
        return f" (YAML takes {dates[0]} for a date; as a text it has quotes: '{dates[0]}')"
    return f" ({TEXT_NUMBER})" if is_text_number(value) else ""
