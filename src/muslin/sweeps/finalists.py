"""The best configurations of a sweep once more, each with the same new seeds: the best of many trials is the luckiest,
too, and its own value says more than it will do again. Seeds that the sweep did not have know nothing of that luck."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from muslin.errors import InputError
from muslin.evidence import paired, spread
from muslin.executors import Executor, executor
from muslin.executors.jobs import Jobs
from muslin.runs import Run
from muslin.runs.settings import Settings
from muslin.sweeps.directory import SweepDirectory
from muslin.sweeps.file import spellings
from muslin.sweeps.file.schema import Metric
from muslin.sweeps.trial_store import Trial


@dataclass
class Finalist:
    """``values``: the sweep's metric, the best of each run, by seed; None of one that failed."""

    trial: Trial
    values: dict[int, float | None] = field(default_factory=dict)

    @property
    def known(self) -> list[float]:
        return [value for value in self.values.values() if value is not None]

    @property
    def whole(self) -> bool:
        return len(self.known) == len(self.values)

    @property
    def mean(self) -> float | None:
        return fmean(self.known) if self.whole else None

    @property
    def deviation(self) -> float | None:
        """The standard deviation over the seeds; NaN of one seed."""
        return spread(self.known) if self.whole else None


def contest(
    directory: SweepDirectory,
    trials: Sequence[Trial],
    count: int,
    seeds: int,
    make: Callable[[int], Executor] | None = None,
    show: Callable[[int, int], Any] = lambda done, all: None,
) -> list[Finalist]:
    """The ``count`` best configurations, each trained with so many new seeds, the best mean first.

    The runs are directories in SWEEP/finalists; what is there already is not trained again. ``show(done, all)`` is
    called after each; ``make(n)`` gives the executor for n trainings. Raises InputError: there are no trials, or each
    of the finalists failed.
    """
    finalists = [Finalist(trial) for trial in _best(directory, trials, count)]
    tasks = [task for finalist in finalists for task in _tasks(directory, finalist, trials, seeds)]
    failed = _train(tasks, make or partial(executor, log=directory.path / "workers.log"), show)
    for task in tasks:
        value = None if task.run in failed else _value(directory, task.run)
        task.finalist.values[task.settings["seed"]] = value
    if not any(finalist.whole for finalist in finalists):
        raise InputError(f"No finalist could be trained with each seed: {next(iter(failed.values()), 'no value')}.")
    return sorted(finalists, key=lambda finalist: directory.metric.cost(finalist.mean))


def _best(directory: SweepDirectory, trials: Sequence[Trial], count: int) -> list[Trial]:
    """The trials with the best values; of a configuration's repeats one."""
    metric = directory.metric
    valued = [trial for trial in trials if trial.value is not None and trial.state != "failed"]
    if not valued:
        raise InputError(f"The sweep {directory.path} has no finished trial yet.")
    ranked = sorted(valued, key=lambda t: (metric.cost(t.value), t.parameters or 0, t.number))
    first = {_key(directory, trial): trial for trial in reversed(ranked)}
    return [trial for trial in ranked if first[_key(directory, trial)] is trial][:count]


def _key(directory: SweepDirectory, trial: Trial) -> str:
    return json.dumps(directory.searched(trial), sort_keys=True)


@dataclass(frozen=True)
class Task:
    finalist: Finalist
    run: Path
    settings: dict[str, Any]


def _tasks(directory: SweepDirectory, finalist: Finalist, trials: Sequence[Trial], seeds: int) -> Iterator[Task]:
    settings = Settings.read(spellings.settings(finalist.trial.config)).model_dump()
    same = [trial.config for trial in trials if _key(directory, trial) == _key(directory, finalist.trial)]
    used = max(Settings.read(spellings.settings(config)).seed for config in same)
    for seed in range(used + 1, used + 1 + seeds):
        run = directory.path / "finalists" / f"{finalist.trial.run}-seed-{seed}"
        yield Task(finalist, run, settings | {"seed": seed})


def _train(tasks: Sequence[Task], make: Callable[[int], Executor], show: Callable[[int, int], Any]) -> dict[Path, str]:
    """Train the runs that are not finished. Returns {run: reason} of those that failed."""
    missing, left = {str(task.run): task for task in tasks if not Run(task.run).finished}, list[str]()

    def over(run: str, message: dict[str, Any]) -> None:
        if "done" in message:
            Run(missing[run].run).checkpoint.unlink(missing_ok=True)
        left.append(run)
        show(len(tasks) - len(missing) + len(left), len(tasks))

    train = {"function": "muslin.executors.training:train"}
    jobs = {run: train | {"run": run, "settings": task.settings} for run, task in missing.items()}
    ended = Jobs(jobs, make(len(jobs)), over).run() if jobs else {}
    return {missing[run].run: message["failed"] for run, message in ended.items() if "failed" in message}


def _value(directory: SweepDirectory, path: Path) -> float | None:
    key = spellings.metric(directory.metric.name)
    return directory.metric.best([row[key] for row in Run(path).history if key in row])


def why(finalists: Sequence[Finalist], metric: Metric) -> str:
    """A sentence on what made the first of them the winner, and on how sure that is."""
    winner, *others = [finalist for finalist in finalists if finalist.whole]
    words = f"{metric.name} {figure(winner)} over {len(winner.values)} new seeds"
    if not others:
        return f"{words}; in the sweep {winner.trial.value:.4f}"
    return f"{words}, the {metric.extreme} mean of {len(finalists)} finalists; {_ahead(winner, others[0], metric)}"


def _ahead(winner: Finalist, second: Finalist, metric: Metric) -> str:
    """The same seeds are the same splits and orders: differences of pairs."""
    seeds = winner.values.keys() & second.values.keys()
    pairs = [metric.cost(second.values[seed]) - metric.cost(winner.values[seed]) for seed in sorted(seeds)]
    mean, _, margin = paired(pairs) if pairs else (math.nan, math.nan, math.nan)
    if mean > margin:
        return f"ahead of the second, trial {second.trial.number}, by {mean:.2g} ± {margin:.2g}"
    return f"the second, trial {second.trial.number} with {figure(second)}, cannot be told from it"


def figure(finalist: Finalist) -> str:
    """ "0.8812 ± 0.0011" """
    if not finalist.whole:
        return "failed"
    return f"{finalist.mean:.4f}" + (f" ± {finalist.deviation:.4f}" if len(finalist.values) > 1 else "")
