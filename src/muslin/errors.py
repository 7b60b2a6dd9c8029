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


def known(table: Mapping[str, object], kind: str, name: object) -> str:
    """The key of the table that is meant by the name, in any case of letters; raises `unknown` if there is none."""
    if isinstance(name, str):
        for key in (name, name.lower(), *(key for key in table if key.lower() == name.lower())):
            if key in table:
                return key
    raise unknown(kind, name, table)


def lookup(table: Mapping[str, object], kind: str, name: object):
    """The value in the table that is meant by the name: see `known`."""
    return table[known(table, kind, name)]


class Diverged(FloatingPointError):
    """Training left the finite numbers. The message says when, in which layer, and what to try."""
