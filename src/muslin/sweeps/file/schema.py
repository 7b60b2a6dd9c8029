"""The sweep file: what W&B takes is taken and means the same; what it refuses is refused, all problems at once."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from muslin.documents import is_number, read_document
from muslin.errors import InputError
from muslin.sweeps.file.check import problems, runs_program, unlisted, warnings
from muslin.sweeps.file.hyperband import Hyperband
from muslin.sweeps.file.space import Space


@dataclass(frozen=True)
class Metric:
    name: str
    goal: str = "minimize"
    target: float | None = None
    impute: str = "worst"
    impute_while_running: str = "false"

    def best(self, values):
        """The best of the finite values that a run logged, which is what it counts for; None if there are none."""
        return (max if self.goal == "maximize" else min)(filter(is_number, values), default=None)

    def reached(self, value):
        """Whether a run with this value, or None, ends the sweep."""
        if self.target is None or value is None:
            return False
        return value >= self.target if self.goal == "maximize" else value <= self.target


@dataclass(frozen=True)
class Sweep:
    """A valid sweep file. ``raw`` is all of it as it was read, ``warnings`` what is doubtful in it."""

    method: str
    parameters: dict
    metric: Metric | None = None
    early_terminate: Hyperband | None = None
    run_cap: int | None = None
    program: str | None = None
    command: list | None = None
    name: str | None = None
    description: str | None = None
    project: str | None = None
    entity: str | None = None
    raw: dict = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def runs_program(self):
        """Whether a trial is a program of the user's own, else it is our own network."""
        return runs_program(self.raw)

    @cached_property
    def space(self):
        return Space.of(self.parameters)


class InvalidSweep(InputError):
    """``problems`` has a sentence for each; the message has a line for each."""

    def __init__(self, problems, where):
        self.problems = problems
        lines = problems if len(problems) == 1 else [f"{len(problems)} problems", *problems]
        super().__init__(f"{where}: " + "\n  ".join(lines))


def read(path):
    """The sweep in a YAML or JSON file. Raises InputError: a file that cannot be read, or `InvalidSweep`."""
    return parse(load(path), where=path)


def parse(raw, where="The sweep"):
    """The sweep that a dictionary describes. Raises `InvalidSweep`."""
    found = problems(raw)
    if found:
        raise InvalidSweep(found, where)
    parts = {key: raw[key] for key in raw if key in Sweep.__dataclass_fields__}
    if "run_cap" in raw:
        parts["run_cap"] = int(raw["run_cap"])
    if "metric" in raw:
        parts["metric"] = Metric(**raw["metric"])
    if "early_terminate" in raw:
        parts["early_terminate"] = Hyperband.of(unlisted(raw["early_terminate"]))
    return Sweep(**parts, raw=raw, warnings=tuple(warnings(raw)))


def load(path):
    """What a YAML or JSON file holds. Raises InputError, naming the file."""
    return read_document(Path(path), "sweep file")
