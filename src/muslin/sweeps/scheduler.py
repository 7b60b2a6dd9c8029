"""The sweep's loop: ask the search, give to a worker, note what comes of it, until there is enough.

Only this process, the parent, talks to the storage. The order of writes makes any moment of a kill harmless:

    claim(i) → trial stored as running → run directory → … → summary.json → trial stored as ended

A claim without a trial is stored, and a trial that was not stored as ended is given to a worker again, which goes on
from the run's checkpoint; if that is its last epoch, the worker has only to say so.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from muslin.documents import flat
from muslin.errors import InputError
from muslin.executors import Executor
from muslin.executors.executor import Worker
from muslin.executors.jobs import TRIES
from muslin.files import as_folder, read_json_lines
from muslin.sweeps.claims import BEAT
from muslin.sweeps.directory import SweepDirectory
from muslin.sweeps.file import spellings
from muslin.sweeps.file.hyperband import stops
from muslin.sweeps.file.schema import Metric, Sweep
from muslin.sweeps.file.space import Config
from muslin.sweeps.program import GRACE, run_id
from muslin.sweeps.search import SEARCHES, Exhausted, Repeated, Search, seed_at
from muslin.sweeps.trial_store import ENDED, Trial, TrialStore

#: states of trials whose value counts
VALUED = ("finished", "stopped_early")
#: failures one after another that end a sweep: at its start, later
AT_START, LATER = 3, 25


class Scheduler:
    """``run()`` works until ``count`` trials in all, over all starts, have finished or were stopped early.

    After each event ``show(scheduler)`` is called; ``trials`` is {number: Trial}.
    """

    def __init__(
        self,
        directory: SweepDirectory,
        study: TrialStore,
        pool: Executor,
        count: int | None = None,
        show: Callable[[Scheduler], Any] = lambda scheduler: None,
        tracker: dict[str, Any] | None = None,
        timeout: float | None = None,
        live: dict[str, str] | None = None,
    ):
        self.timeout = timeout  # seconds that a trial may take
        self.live = live  # None, or the variables by which a program's W&B client is heard: see `hear`
        self.directory, self.study, self.sweep, self.show = directory, study, directory.sweep, show
        self.tracker = tracker  # None, or the arguments of `muslin.tracking.tracker`
        agreed = directory.facts["definition"]
        self.metric = directory.metric
        self.key: Any = self.sweep.metric.name if self.sweep.runs_program and self.sweep.metric else None
        if not self.sweep.runs_program:
            self.key = spellings.metric(self.metric.name)
        self.search: Search = SEARCHES[self.sweep.method](self.sweep, agreed["seed"], agreed.get("sampler"))
        if directory.repeats > 1:
            self.search = Repeated(self.search, directory.repeats, seed_at(self.sweep))
        self.limit = min(n for n in (count, self.sweep.run_cap, self.search.size, math.inf) if n is not None)
        self.pool = pool
        self.pool.ahead = not self.search.learns and self.metric.target is None
        self.trials = study.trials()
        self.elsewhere: list[int] = []  # numbers that other processes work at
        self.waiting: list[int] = []  # numbers that are ours and that no worker has
        self.ways: dict[int, str] = {}  # number of a trial → how it tells its metric
        self.late: set[int] = set()  # numbers of trials that took too long
        self.failures = 0  # one after another, since this start
        self.started, self.done_before = time.monotonic(), self.done
        self.ending: str | InputError | None = None  # why no further trial is begun
        for trial in self.trials.values():
            self.search.tell(trial)

    @property
    def counts(self) -> Counter[str]:
        return Counter(trial.state for trial in self.trials.values())

    @property
    def done(self) -> int:
        return self.counts["finished"] + self.counts["stopped_early"]

    @property
    def exhausted(self) -> bool:
        """Whether every configuration of the space has been run."""
        return len(self._ended_numbers) >= self.search.size

    @property
    def best(self) -> Trial | None:
        """The trial with the best value, of equals the one with fewer parameters; None if there is none."""
        return best(self.trials.values(), self.metric)

    def run(self) -> Scheduler:
        self._check_target()
        try:
            self._beat()
            while True:
                self._fill()
                if not self.pool.busy:
                    self._beat()  # the last word of what others did
                    if not self.waiting or self.ending:
                        break
                    continue
                self._prepare()
                worker, message = self.pool.next(timeout=1)
                if worker:
                    self._handle(worker, message)
                elif message:
                    self._hear(**message)
                self._end_late()
                if time.monotonic() - self.beaten > BEAT:
                    self._beat()
                self.show(self)
        finally:
            self.pool.stop()
            with suppress(InputError):  # a storage that fails has said so
                self.study.release()
            self._tidy()
        if isinstance(self.ending, InputError):
            raise self.ending
        if self.exhausted and not self.ending:
            times = self.directory.repeats
            words = "" if times == 1 else f" {times} times"
            self.ending = f"each of the {self.search.size // times:,} configurations has been run{words}"
        return self

    def _beat(self) -> None:
        """Say that we live, learn what others did, and take up what the dead have left."""
        self.beaten = time.monotonic()
        self.study.beat()
        orphans, self.elsewhere = self.study.orphans(self._ended_numbers)
        for number, theirs in self.study.trials().items():  # after: what the dead have stored is there now
            ours = self.trials.get(number)
            if ours is None or (ours.state == "running" and number not in self._working):
                self.trials[number] = theirs
                self.search.tell(theirs)
        self.waiting += [number for number in orphans if number not in self._ended_numbers]
        self.elsewhere = [number for number in self.elsewhere if number not in self._ended_numbers]

    @property
    def _ended_numbers(self) -> set[int]:
        return {number for number, trial in self.trials.items() if trial.state in ENDED}

    @property
    def _working(self) -> set[int]:
        return {trial.number for trial in self.pool.busy.values()} | set(self.waiting)

    def _fill(self) -> None:
        """Work for every free worker, as long as there is any."""
        while self.pool.free and not self.ending:
            number = self.waiting.pop(0) if self.waiting else self.study.take(self._allowed)
            if number is None:
                return
            self._start(number)

    def _prepare(self) -> None:
        """While the workers work, store the next trial, so that the first of them to be free need not wait for that.
        Not where what is running may change it, or end the sweep."""
        ends = self.ending or self.metric.target is not None or self.failures or not self.done
        if self.waiting or self.search.learns or ends or self.pool.waits:
            return
        number = self.study.take(self._allowed)
        if number is not None and self._new(number):
            self.waiting.append(number)

    def _allowed(self, number: int) -> bool:
        """Whether one more may be begun: those that failed do not count, those that run do."""
        return number - self.counts["failed"] < self.limit and number < self.search.size

    def _start(self, number: int) -> None:
        trial = self.trials.get(number) or self._new(number)
        if trial is None:
            return
        trial.history = []  # a run that goes on says what it has, a program begins anew
        self.ways.pop(number, None)
        try:
            self.pool.give(trial, self._task(trial))
        except InputError as error:
            self._end(trial, "failed", str(error))

    def _new(self, number: int) -> Trial | None:
        """The trial of a number, stored as one that runs; None, and the sweep ends, if there is nothing left to try."""
        try:
            asked = self.search.ask(number)
        except Exhausted as error:
            self.ending = str(error)
            return None
        trial = self.study.start(number, asked, self._directory(number, asked.config))
        self.trials[number] = trial
        self.search.tell(trial)
        return trial

    def _directory(self, number: int, config: Config) -> str:
        """The name of a run directory that is ours alone: what makes it sure is that only one process can make it."""
        name = run_name(config, self.sweep)
        if not self.directory.facts["storage"]:  # else there may be another machine with runs of that name
            try:
                (self.directory.path / name).mkdir()
                return name
            except FileExistsError:
                pass
            except OSError as error:
                where = self.directory.path / name
                raise InputError(f"Cannot make the run directory {where}: {error.strerror}.") from error
        return f"{name}-{number}"

    def _tidy(self) -> None:
        """Remove the empty directories of trials that a kill kept from being stored."""
        named = {trial.run for trial in self.trials.values()}
        for path in self.directory.path.iterdir() if not self.elsewhere else ():
            if path.is_dir() and path.name not in named:
                with suppress(OSError):  # not empty
                    path.rmdir()

    def _task(self, trial: Trial) -> dict[str, Any]:
        sweep, task = self.sweep, {"run": str(self.directory.path / trial.run), "metric": self.key}
        if not sweep.runs_program:
            task |= {"function": "muslin.sweeps.trial:network"}
            return task | {"settings": spellings.settings(trial.config), "tracker": self.tracker}
        task |= {"function": "muslin.sweeps.trial:program", "sweep": self.study.name}
        told: dict[str, Any] = {"config": trial.config, "timeout": self.timeout, "live": self.live}
        return task | told | {key: getattr(sweep, key) for key in ("program", "command", "project", "entity")}

    def _end_late(self) -> None:
        """End the workers of trials that take too long. A program's worker ends it itself, if it can."""
        if not self.timeout:
            return
        slack = 2 * GRACE if self.sweep.runs_program else 0
        for worker, trial in self.pool.busy.items():
            if time.monotonic() - worker.since > self.timeout + slack:
                self.late.add(trial.number)
                worker.kill()

    def _handle(self, worker: Worker, message: dict[str, Any] | None) -> None:
        if message is None:
            if trial := self.pool.done(worker, dead=True):
                self._died(trial, worker)
            return
        trial = self.pool.busy[worker]
        if "begin" in message:
            trial.history = [self._value(row) for row in message["begin"] if self.key in row]
        elif "group" in message:
            worker.group = message["group"]
        elif "row" in message:
            worker.send({"stop": self._row(trial, message["row"]) if self._speaks(trial, "worker") else None})
        else:
            self.pool.done(worker)
            if self.waiting and self.done and not self.ending:
                self._start(self.waiting.pop(0))
            self._ended(trial, message)

    def hear(self, run: str, row: dict[str, Any]) -> None:
        """From any thread: what the run of this id has logged with W&B's client."""
        self.pool.messages.put((None, {"run": run, "row": row}))

    def _hear(self, run: str, row: dict[str, Any]) -> None:
        row = flat(row)
        for worker, trial in self.pool.busy.items() if self.key in row else ():
            if run_id(trial.run) == run and self._speaks(trial, "wandb") and (reason := self._row(trial, row)):
                worker.send({"end": reason})

    def _speaks(self, trial: Trial, way: str) -> bool:
        """Whether this is how a trial tells its metric: the first way in which it does. Many programs print what they
        log with W&B's client, too, and each value counts once."""
        return self.ways.setdefault(trial.number, way) == way

    def _died(self, trial: Trial, worker: Worker) -> None:
        code = worker.code
        if trial.number in self.late:
            self._end(trial, "failed", f"It took longer than {self.timeout:g} seconds, and was ended.")
            return
        deaths = self.study.deaths(trial.number)
        if deaths < TRIES:
            self.waiting.append(trial.number)
        else:
            self._end(trial, "failed", f"Its worker died {deaths} times, at last by {how(code)}; see workers.log.")

    def _row(self, trial: Trial, row: dict[str, Any]) -> str | None:
        """Note a row; returns why the trial should be stopped early, or None."""
        if self.key not in row:
            return None
        value = self._value(row)
        trial.history.append(value)
        self._check_target(value)
        if not self.sweep.early_terminate or not math.isfinite(value):
            return None
        self.study.log(trial, len(trial.history), value)
        histories = [other.history for other in self.trials.values() if other.history]
        return stops(trial.history, histories, self.sweep.early_terminate, self.metric.goal)

    def _value(self, row: dict[str, Any]) -> float:
        value = row[self.key]
        return value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan

    def _ended(self, trial: Trial, message: dict[str, Any]) -> None:
        if "failed" in message:
            if message["fatal"]:
                self.ending = InputError(message["failed"])
            else:
                self._end(trial, "failed", message["failed"])
            return
        summary = message["done"]
        if self.live and summary["iterations"] > len(trial.history):  # what was not heard
            rows = read_json_lines(self.directory.path / trial.run / "history.jsonl")
            trial.history = [self._value(row) for row in rows if self.key in row]
        trial.value = self.metric.best([*trial.history, *([self._value(summary)] if self.key in summary else [])])
        trial.parameters = summary.get("parameters")
        if trial.value is None and self.key is not None:
            self._end(trial, "failed", self._never_logged(trial, summary))
        else:
            self._end(trial, "stopped_early" if message["stopped"] else "finished", message["stopped"])
            (self.directory.path / trial.run / "checkpoint.safetensors").unlink(missing_ok=True)

    def _never_logged(self, trial: Trial, summary: dict[str, Any]) -> str:
        if trial.history or self.key in summary:
            return f"The metric {self.metric.name} was never finite."
        if self.sweep.runs_program:
            return (
                f"The program never logged the metric {self.metric.name}: no line of its output is a JSON object with "
                "that key, and neither history nor summary of a W&B run of it has it; see its log.txt."
            )
        figures = sorted(key for key, value in summary.items() if isinstance(value, int | float))
        return f"The metric {self.metric.name} was never logged; the figures of this run are {', '.join(figures)}."

    def _end(self, trial: Trial, state: str, reason: str | None) -> None:
        trial.state, trial.reason = state, reason
        if not self.study.end(trial):
            return
        self.search.tell(trial)
        self.failures = self.failures + 1 if state == "failed" else 0
        self._check_target(trial.value)
        if self.failures >= (LATER if self.done else AT_START):
            at = "" if self.done else "first "
            self.ending = InputError(f"The {at}{self.failures} trials failed, the last one: {reason}")

    def _check_target(self, value: float | None = None) -> None:
        value = value if value is not None else self.best.value if self.best else None
        if not self.ending and value is not None and math.isfinite(value) and self.metric.reached(value):
            self.ending = f"target {self.metric.target} of {self.metric.name} reached"


def best(trials: Iterable[Trial], metric: Metric) -> Trial | None:
    """The trial with the best value; of equals the one with fewer parameters, then the earlier one. None of none."""
    valued = [trial for trial in trials if trial.value is not None and trial.state in VALUED]
    return min(valued, key=lambda t: (metric.cost(t.value), t.parameters or 0, t.number), default=None)


def how(code: int | None) -> str:
    """How a process died, in words."""
    return "an unknown cause" if code is None else f"signal {-code}" if code < 0 else f"exit code {code}"


def run_name(config: Config, sweep: Sweep) -> str:
    """The name of a trial's run directory, made of its settings."""
    from muslin.runs import default_name
    from muslin.runs.settings import Settings

    try:
        name = default_name(Settings.read(spellings.settings(config))) if not sweep.runs_program else None
    except (InputError, ValueError):
        name = None
    words = (f"{key}_{value:g}" if isinstance(value, float) else f"{key}_{value}" for key, value in config.items())
    name = name or "_".join(words) or "run"
    return as_folder(name, longest=120).replace(" ", "_")
