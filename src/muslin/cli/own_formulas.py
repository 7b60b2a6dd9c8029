"""Options of commands that take formulas of the user's own, and their hyperparameters."""

import importlib.util
import traceback
from pathlib import Path
from typing import Annotated

import typer

from muslin.errors import InputError

Formulas = Annotated[
    list[Path] | None,
    typer.Option(
        "--formulas", metavar="FILE.py", help="A Python file that adds rows of your own to the tables; repeatable."
    ),
]
Hyperparameters = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=X", help="A hyperparameter of the optimizer, such as beta1=0.8; repeatable."),
]


def run(paths: list[Path] | None) -> None:
    """Run the files, which add their rows. Raises InputError: no such file, or an error in one."""
    for path in paths or ():
        if not path.is_file():
            raise InputError(f"There is no file {path}; --formulas takes a Python file.")
        spec = importlib.util.spec_from_file_location(path.stem, path)
        if spec is None or spec.loader is None:
            raise InputError(f"{path} is no Python file; --formulas takes one whose name ends in .py.")
        try:
            spec.loader.exec_module(importlib.util.module_from_spec(spec))
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            lines = [frame.lineno for frame in frames if frame.filename == spec.origin]
            where = f", line {lines[-1]}" if lines else ""
            raise InputError(f"{path}{where}: {type(error).__name__}: {error}") from error


def numbers(pairs: list[str] | None) -> dict[str, float]:
    """{name: number} of NAME=X. Raises InputError for what is none."""
    own = {}
    for pair in pairs or ():
        name, _, text = pair.partition("=")
        try:
            own[name.strip().replace("-", "_")] = float(text)
        except ValueError as error:
            raise InputError(f"--set {pair!r}: it must be a name and a number, such as beta1=0.8.") from error
    return own


def whole_numbers(flag: str, text: str | None) -> list[int] | None:
    """The numbers of a list such as "3,4,2". Raises InputError for what is none."""
    try:
        return None if text is None else [int(word) for word in text.split(",")]
    except ValueError as error:
        raise InputError(f"{flag} is {text!r}; it must be whole numbers, such as 3,4,2.") from error
