"""Sweeps from Python: `muslin.sweep`. The same search, workers and directory as the command's."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from html import escape
from os import PathLike
from pathlib import Path
from typing import Any

from muslin import tracking
from muslin.documents import flat
from muslin.errors import InputError, lookup, note
from muslin.executors import Executor, executor
from muslin.sweeps import directory, notebook, search
from muslin.sweeps.directory import SweepDirectory
from muslin.sweeps.file import ours, schema, spellings
from muslin.sweeps.file.schema import Sweep
from muslin.sweeps.functions import Functions
from muslin.sweeps.scheduler import Scheduler, best
from muslin.sweeps.trial_store import Trial, TrialStore


class SweepStudy:
    """What a sweep found. ``path`` is its directory, ``trials`` every trial, ``best`` the best of them, or None.

    A trial has ``number``, ``config``, ``value``, ``state``, ``history``, ``reason`` and ``run``, its folder's name.
    """

    def __init__(self, path: str | PathLike[str], storage: str | None = None):
        self.directory = SweepDirectory(Path(path))
        self.path, self.metric = self.directory.path, self.directory.metric
        self.trials: list[Trial] = sorted(self.directory.trials(storage), key=lambda trial: trial.number)

    @property
    def best(self) -> Trial | None:
        return best(self.trials, self.metric)

    def frame(self) -> Any:
        """A pandas DataFrame, a row a trial: number, state, the metric, and each hyperparameter.

        Raises InputError where pandas is missing.
        """
        try:
            import pandas
        except ImportError:
            raise InputError("frame() needs pandas: pip install 'muslin[tables]'.") from None
        return pandas.DataFrame([self._row(trial) for trial in self.trials])

    def report(self, output: str | PathLike[str] | None = None) -> Path:
        """Write the sweep's page, to report.html in its directory or to ``output``; needs muslin[report]."""
        from muslin.sweeps.report import write

        return write(self.path, output)["report"]

    def _row(self, trial: Trial) -> dict[str, Any]:
        return {"trial": trial.number, "state": trial.state, self.metric.name: trial.value, **flat(trial.config)}

    def __repr__(self) -> str:
        so_far = f", best {self.metric.name} {self.best.value:.6g}" if self.best else ""
        return f"<SweepStudy {self.path}, {len(self.trials)} trials{so_far}>"

    def _repr_html_(self) -> str:
        rows = [self._row(trial) for trial in sorted(self.trials, key=lambda t: self.metric.cost(t.value))[:10]]
        names = list(dict.fromkeys(name for row in rows for name in row))
        head = "".join(f"<th>{escape(str(name))}</th>" for name in names)
        cells = ("".join(f"<td>{escape(str(row.get(name, '')))}</td>" for name in names) for row in rows)
        body = "".join(f"<tr>{row}</tr>" for row in cells)
        return f"<p>{escape(repr(self))}</p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def sweep(
    file: str | PathLike[str] | Mapping[str, Any],
    function: Callable[[dict[str, Any]], Any] | None = None,
    *,
    count: int | None = None,
    workers: int | None = None,
    cluster: str | None = None,
    cluster_file: str | Path | None = None,
    name: str | None = None,
    runs_dir: str | PathLike[str] = "runs",
    storage: str | None = None,
    seed: int | None = None,
    sampler: str = "tpe",
    repeats: int | None = None,
    trial_timeout: float | None = None,
    tracker: str = "none",
    show: Callable[[Scheduler], Any] | None = None,
) -> SweepStudy:
    """Search for good settings, as `muslin sweep` does; the same call again goes on.

    file      a sweep file as W&B takes it, or what would be in it as a dictionary
    function  what a trial calls, ``function(config)``, in this process: it returns the metric, or a dictionary that
              holds it; a generator yields it after each epoch, and so can be stopped early. Without it a trial trains
              muslin's own network, in a process of its own, or the file's program
    show      called with the scheduler after each event (default: a bar in a notebook, nothing elsewhere)
    The others are the options of the command.

    Raises InputError: `InvalidSweep` with all that is wrong in the file, or options that do not go together.
    """
    plan = _read(file, function)
    for warning in plan.warnings:
        note(f"the sweep: {warning}")
    _check(plan, function, count, workers, trial_timeout, cluster)
    name = name or plan.name or ("sweep" if isinstance(file, Mapping) else Path(file).stem)
    where, study, told = begin(plan, name, runs_dir, seed, sampler, storage, repeats, tracker)
    if function:
        pool: Executor = Functions(function, where.metric.name)
    else:
        log, asks = where.path / "workers.log", bool(plan.early_terminate)
        pool = executor(math.inf, log, workers, cluster, cluster_file, asks=asks)
    Scheduler(where, study, pool, count, show or notebook.shown(), told, trial_timeout).run()
    return SweepStudy(where.path, storage)


def begin(
    plan: Sweep,
    name: str,
    runs_dir: str | PathLike[str],
    seed: int | None = None,
    sampler: str = "tpe",
    storage: str | None = None,
    repeats: int | None = None,
    tracker: str = "none",
) -> tuple[SweepDirectory, TrialStore, dict[str, Any] | None]:
    """(directory, study, arguments of the workers' trackers) of a sweep that begins or goes on; its data are here.

    Raises InputError: as `directory.begin`, and where the data are not to be had, or options do not go together.
    """
    tracker, sampler = tracker.lower(), sampler.lower()
    tracking.check(tracker)
    lookup(search.SAMPLERS, "sampler", sampler)
    if plan.runs_program and tracker != "none":
        raise InputError("A program or a function logs to W&B itself: tracker must be none.")
    if repeats and repeats > 1:
        search.seed_at(plan)  # or it raises
    fetch(plan)
    where, study = directory.begin(plan, name, runs_dir, seed, sampler, storage, repeats)
    return where, study, tracker_arguments(tracker, where)


def _read(file: str | PathLike[str] | Mapping[str, Any], function: Callable[[dict[str, Any]], Any] | None) -> Sweep:
    if function is None:
        return ours.checked(dict(file), "The sweep") if isinstance(file, Mapping) else ours.read(file)
    raw = dict(file) if isinstance(file, Mapping) else schema.load(file)
    if "program" in raw or "command" in raw:
        raise InputError("The sweep has a program or a command, and a function is given; give one of them.")
    if "metric" not in raw:
        raise InputError("A sweep of a function needs its metric: {'metric': {'name': …, 'goal': 'minimize'}}.")
    named = getattr(function, "__qualname__", type(function).__qualname__)
    return schema.parse(raw | {"program": f"function {named}"})


def _check(
    plan: Sweep,
    function: Callable[[dict[str, Any]], Any] | None,
    count: int | None,
    workers: int | None,
    timeout: float | None,
    cluster: str | None,
) -> None:
    for name, value in {"count": count, "workers": workers}.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise InputError(f"{name} is {value!r}; it must be a whole number from 1.")
    if function and ((workers or 1) > 1 or cluster):
        raise InputError(
            "A function is called in this process, one trial at a time: workers must be 1, and no cluster."
        )
    if function and timeout is not None:
        raise InputError("A function cannot be ended from outside: trial_timeout is for programs and our own network.")
    if count is None and plan.run_cap is None and plan.method != "grid" and not (plan.metric and plan.metric.target):
        raise InputError("This sweep would never end: give count=, or run_cap or metric.target in the sweep.")


def fetch(plan: Sweep) -> None:
    """Have the data set, which the workers share, before they all want it; say at once if it is not to be had."""
    if plan.runs_program:
        return
    searched = spellings.settings({leaf.path[-1]: None for leaf in plan.space.searched}).keys()
    settings = spellings.fixed(plan)
    if settings.dataset != "digits" and not searched & {"dataset", "data_dir"}:
        settings.load_data()


def tracker_arguments(name: str, where: SweepDirectory) -> dict[str, Any] | None:
    """The arguments of the workers' trackers: one group of runs, the metric under the sweep file's name of it."""
    if name == "none":
        return None
    plan, also = where.sweep, {where.metric.name: spellings.metric(where.metric.name)}
    return {"name": name, "project": plan.project, "entity": plan.entity, "group": where.path.name, "also": also}
