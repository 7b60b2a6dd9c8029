"""Options that several commands have, and flags made from the model of the settings."""

import inspect
import io
import json as json_
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from muslin.errors import masked, visible
from muslin.files import make_folder
from muslin.runs.settings import CHOICES, Settings

if TYPE_CHECKING:
    from muslin.executors import Executor

Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on standard output, all else on standard error.")
]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="A run directory, such as runs/NAME.")]
DatasetName = Annotated[str, typer.Option("--dataset", "-d", help=Settings.model_fields["dataset"].description)]
DataDir = Annotated[str | None, typer.Option("--data-dir", help=Settings.model_fields["data_dir"].description)]
Encoding = Annotated[
    str | None, typer.Option(help="Of a table's text, such as windows-1252 (default: UTF-8, or as in training).")
]

Workers = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Trainings at a time (default: a process a core).")
]
SideBySide = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Trainings at a time (default: one after the other).")
]
Cluster = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Train there: local:N, tcp://HOST:8786, slurm, pbs, sge or k8s.")
]
ClusterFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="How a node is started, in YAML; of slurm, pbs, sge and k8s.")
]

SHORT = {"dataset": "-d", "epochs": "-e", "batch_size": "-b", "loss": "-l", "optimizer": "-o", "activation": "-a"}


def console(json: bool) -> "SafeConsole":
    """Where a command talks to a person: standard output, or standard error if that is kept for JSON."""
    return SafeConsole(stderr=json, highlight=False, soft_wrap=True, markup=False, emoji=False)


def aside(markup: bool = False) -> "SafeConsole":
    """Where is told how work goes on: standard error. A picture is drawn on a terminal that can redraw it."""
    draws = sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
    return SafeConsole(
        stderr=True, force_terminal=draws, highlight=False, soft_wrap=not markup, markup=markup, emoji=False
    )


class SafeConsole(Console):
    """Shows what steers a terminal, in the names and texts of others, instead of sending it. Where nothing can be
    written to standard error any more (a full disk, a pipe whose reader has gone), work goes on without it."""

    def print(self, *objects: Any, **options: Any) -> None:
        try:
            super().print(*objects, **options)
        except OSError:
            if not self._goes_without():
                raise

    def on_broken_pipe(self) -> None:
        if not self._goes_without():
            super().on_broken_pipe()

    def _goes_without(self):
        if self.stderr:
            self.quiet, sys.stderr = True, io.StringIO()
        return self.stderr

    def tell(self, line: str) -> None:
        """A line as it is, however long."""
        self.print(line, markup=False, emoji=False, soft_wrap=True)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(visible(segment.text, keep="\n\t"), segment.style)


def emit(value: Any) -> None:
    """Print the command's one JSON object."""
    from muslin.files import finite

    sys.stdout.write(json_.dumps(finite(value), allow_nan=False) + "\n")  # in ASCII: no control is raw


def executor(
    tasks: float,
    log: str | Path,
    workers: int | None = None,
    cluster: str | None = None,
    file: Path | None = None,
    **more: Any,
) -> "Executor":
    """`muslin.executors.executor`; of a cluster it is said where more of it is to be seen."""
    from muslin import executors

    workforce = executors.executor(tasks, log, workers, cluster, file, **more)
    if cluster:
        print(f"muslin: cluster {cluster}: {workforce}", file=sys.stderr)
    return workforce


def side_by_side(folder: Path, **who: Any) -> "Callable[[int], Executor] | None":
    """What makes an executor for so many trainings, where one is asked for; its log is in the folder."""
    if not any(who.values()):
        return None
    make_folder(folder)
    return partial(executor, log=folder / "workers.log", **who)


def same_command() -> str:
    """The command line that was typed, to be typed again; a password has to be typed anew."""
    return shlex.join(["muslin", *map(masked, sys.argv[1:])])


def with_settings(function: Callable[..., None]) -> Callable[..., None]:
    """Gives the command a flag for every setting; its argument ``flags`` is a dictionary of those that were given."""
    own = [p for p in inspect.signature(function).parameters.values() if p.name != "flags"]
    flags = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_annotation(name, field))
        for name, field in Settings.model_fields.items()
    ]

    def command(**arguments: Any) -> None:
        values = {name: arguments.pop(name) for name in Settings.model_fields}
        return function(**arguments, flags={name: value for name, value in values.items() if value is not None})

    signature = inspect.Signature([*(p.replace(kind=p.KEYWORD_ONLY) for p in own), *flags])
    command.__signature__ = signature  # type: ignore[attr-defined]
    command.__doc__ = function.__doc__
    return command


def _annotation(name, field):
    flag = name.replace("_", "-")
    default = "" if field.default is None else f" (default {field.default})"
    if field.annotation is bool:
        return Annotated[bool | None, typer.Option(f"--{flag}/--no-{flag}", help=field.description, show_default=False)]
    choices = f": {', '.join(CHOICES[name])}" if name in CHOICES else ""
    names = [f"--{flag}", *([SHORT[name]] if name in SHORT else [])]
    text = f"{field.description}{choices}{default}"
    return Annotated[str | None, typer.Option(*names, metavar=_metavar(field), help=text, show_default=False)]


def _metavar(field):
    kinds = get_args(field.annotation) if isinstance(field.annotation, UnionType) else (field.annotation,)
    kinds = [kind for kind in kinds if kind is not NoneType]
    return {int: "N", float: "X", str: "TEXT"}.get(kinds[0] if len(kinds) == 1 else None, "N")
