"""YAML and JSON files that a person wrote: settings, sweeps. They are small, and may be a stranger's."""

import json
import sys
from collections.abc import Mapping
from os import PathLike
from typing import Any

from muslin.errors import InputError, visible
from muslin.files import MIB, check_size, read_bytes

#: values that a document stands for, with its aliases unfolded
ITEMS = 100_000


def read_document(path: str | PathLike[str], what: str = "file") -> Any:
    """The value in a YAML or JSON file. Raises InputError, naming the file and the line, where it is neither, or cannot
    be meant: megabytes, nested a hundred levels deep, aliases that unfold to more than `ITEMS` values."""
    try:
        text = read_bytes(path, what, MIB).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _invalid(path, error) from error
    return document_of(text, path)


def document_of(text: str, path: Any) -> Any:
    """The value in a text, of which ``path`` is the name; see `read_document`."""
    value = _parsed(text, path)
    check_size(value, path, ITEMS)
    return value


def _parsed(text, path):
    import yaml

    try:
        return json.loads(text)  # first: YAML would take JSON's 1e-5 for a text
    except RecursionError as error:  # PyYAML would take seconds to say so
        raise _invalid(path, error) from error
    except ValueError as error:
        if getattr(path, "suffix", "").lower() == ".json":
            raise _invalid(path, error) from error
    try:
        return yaml.safe_load(text)
    except Exception as error:  # of a value that does not fit its tag, such as !!int x, PyYAML lets anything through
        raise _invalid(path, error) from error


def _invalid(path, error):
    mark = getattr(error, "problem_mark", None)
    line = mark.line + 1 if mark else getattr(error, "lineno", None)
    return InputError(f"{visible(str(path))}{f', line {line}' if line else ''}: not valid YAML or JSON.")


def is_number(value: Any) -> bool:
    """Whether it is a finite number, to a double."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def flat(row: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """A row with its nested keys joined by points, as W&B names them; a logged medium stays whole."""
    values: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, dict) and "_type" not in value and value:
            values |= flat(value, f"{before}{key}.")
        else:
            values[f"{before}{key}"] = value
    return values
