"""The sweep file: what W&B takes is taken and means the same; what it refuses is refused, all problems at once."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

from muslin.documents import is_number, read_document
from muslin.errors import InputError
from muslin.sweeps.file.hyperband import Hyperband
from muslin.sweeps.file.problems import problems, runs_program, warnings
from muslin.sweeps.file.space import Space


@dataclass(frozen=True)
class Metric:
    name: str
    goal: str = "minimize"
    target: float | None = None
    impute: str = "worst"
    impute_while_running: str = "false"

    @property
    def extreme(self) -> str:
        """The best value is the highest, or the lowest."""
        return "highest" if self.goal == "maximize" else "lowest"

    def best(self, values: Iterable[float | None]) -> float | None:
        """The best of the finite values that a run logged, which is what it counts for; None if there are none."""
        return min((v for v in values if v is not None and is_number(v)), key=self.cost, default=None)

    def cost(self, value: float | None) -> float:
        """What the better of two values has less of; without one it is infinite."""
        return math.inf if value is None else -value if self.goal == "maximize" else value

    def reached(self, value: float | None) -> bool:
        """Whether a run with this value, or None, ends the sweep."""
        if self.target is None or value is None:
            return False
        return value >= self.target if self.goal == "maximize" else value <= self.target


@dataclass(frozen=True)
class Sweep:
    """A valid sweep file. ``raw`` is all of it as it was read, ``warnings`` what is doubtful in it."""

    method: str
    parameters: dict[str, Any]
    metric: Metric | None = None
    early_terminate: Hyperband | None = None
    run_cap: int | None = None
    program: str | None = None
    command: list[Any] | None = None
    name: str | None = None
    description: str | None = None
    project: str | None = None
    entity: str | None = None
    raw: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def runs_program(self) -> bool:
        """Whether a trial is a program of the user's own, else it is our own network."""
        return runs_program(self.raw)

    @cached_property
    def space(self) -> Space:
        return Space.of(self.parameters)


class InvalidSweep(InputError):
    """``problems`` has a sentence for each; the message has a line for each."""

    def __init__(self, problems: Sequence[str], where: object):
        self.problems = problems
        lines = problems if len(problems) == 1 else [f"{len(problems)} problems", *problems]
        super().__init__(f"{where}: " + "\n  ".join(lines))


def read(path: str | PathLike[str]) -> Sweep:
    """The sweep in a YAML or JSON file. Raises InputError: a file that cannot be read, or `InvalidSweep`."""
    return parse(load(path), where=path)


def parse(raw: Any, where: object = "The sweep", also: Sequence[str] = ()) -> Sweep:
    """The sweep that a dictionary describes. Raises `InvalidSweep`: what is wrong in it, and ``also``."""
    if wrong := [*problems(raw), *also]:
        raise InvalidSweep(wrong, where)
    parts = {key: raw[key] for key in raw if key in Sweep.__dataclass_fields__}
    if "run_cap" in raw:
        parts["run_cap"] = int(raw["run_cap"])
    if "metric" in raw:
        parts["metric"] = Metric(**raw["metric"])
    if "early_terminate" in raw:
        parts["early_terminate"] = Hyperband.of(raw["early_terminate"])
    return Sweep(**parts, raw=raw, warnings=tuple(warnings(raw)))


def load(path: str | PathLike[str]) -> Any:
    """What a YAML or JSON file holds. Raises InputError, naming the file."""
    return read_document(Path(path), "sweep file")
