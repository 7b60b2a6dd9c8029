"""What muslin says when it cannot go on: one sentence that names what, where, and which values are right."""

import re
import reprlib
import sys
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from typing import TypeVar

T = TypeVar("T")

#: characters of a value, and of a whole message, that are shown
VALUE, MESSAGE = 100, 2000
#: what a terminal obeys or hides: controls, separators, changes of direction, halves of characters
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class InputError(ValueError):
    """The input was wrong. The message is one line for a person; the commands print it and exit with 2."""


def unknown(kind: str, name: object, known: Iterable[str]) -> InputError:
    """The error for a name that a table does not have: lists those that it has, and the nearest."""
    known, name = sorted(known), (name if isinstance(name, str) else shown(name))[:VALUE]
    near = get_close_matches(name.lower(), known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return InputError(f"Unknown {kind} {shown(name)}; choose from {', '.join(known)}.{hint}")


def known(table: Mapping[str, object], kind: str, name: object) -> str:
    """The key of the table that is meant by the name, in any case of letters; raises `unknown` if there is none."""
    if isinstance(name, str):
        for key in (name, name.lower(), *(key for key in table if key.lower() == name.lower())):
            if key in table:
                return key
    raise unknown(kind, name, table)


def lookup(table: Mapping[str, T], kind: str, name: object) -> T:
    """The value in the table that is meant by the name: see `known`."""
    return table[known(table, kind, name)]


def shown(value: object) -> str:
    """The value as a message shows it: its repr, cut before it is made, so that megabytes (or the 10⁹ items that a few
    YAML aliases unfold to) cost nothing."""
    text = visible(_Short().repr(value))
    return text if len(text) <= VALUE else f"{text[: VALUE - 1]}…"


def visible(text: str, keep: str = "") -> str:
    """The text with escapes in place of what would steer a terminal; those of the characters ``keep`` stay."""
    return CONTROLS.sub(lambda match: match[0] if match[0] in keep else _escape(match[0]), text)


#: the password in a URL, after the user's name (also where the host was forgotten), and in its query
PASSWORDS = (
    (re.compile(r"(\w[\w+.-]*://[^:@/\s]*):\S*@"), r"\1:***@"),
    (re.compile(r"(\w[\w+.-]*://[^:@/\[\s]*):(?!\d+(?:[/?#\s]|$)|\*\*\*)[^@/?#\s]+"), r"\1:***"),
    (re.compile(r"([?&][^=&\s]*(?:pass|pwd|secret|token|key)[^=&\s]*=)[^&#\s]*", re.IGNORECASE), r"\1***"),
)


def masked(text: str) -> str:
    """The text with asterisks in place of each password in a URL."""
    for pattern, replacement in PASSWORDS:
        text = pattern.sub(replacement, text)
    return text


def _escape(character: str) -> str:
    return ascii(character)[1:-1]


class _Short(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxstring, self.maxother = 3, VALUE, VALUE

    def repr_int(self, value: int, level: int) -> str:
        if abs(value) < 10**30:
            return repr(value)
        return f"a whole number of about {round(value.bit_length() * 0.30103):,} digits"  # all of them take seconds


@cache
def note(message: str) -> None:
    """A word on standard error, once each, for what is no error but must not happen in silence."""
    print(f"muslin: {visible(message)}", file=sys.stderr)


class Diverged(FloatingPointError):
    """Training left the finite numbers. The message says when, in which layer, and what to try."""
