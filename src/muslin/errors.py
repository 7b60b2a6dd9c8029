"""What muslin says when it cannot go on: one sentence that names what, where, and which values are right."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches


class InputError(ValueError):
    """The input was wrong. The message is one line for a person; the commands print it and exit with 2."""


def unknown(kind: str, name: object, known: Iterable[str]) -> InputError:
    """The error for a name that a table does not have: lists those that it has, and the nearest."""
    known = sorted(known)
    near = get_close_matches(str(name).lower(), known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return InputError(f"Unknown {kind} {str(name)!r}; choose from {', '.join(known)}.{hint}")


def lookup(table: Mapping[str, object], kind: str, name: object):
    """``table[name]``, in any case of letters; `unknown` if it is not there."""
    key = name if name in table else str(name).lower()
    if key not in table:
        raise unknown(kind, name, table)
    return table[key]


class Diverged(FloatingPointError):
    """Training left the finite numbers. The message says when, in which layer, and what to try."""
