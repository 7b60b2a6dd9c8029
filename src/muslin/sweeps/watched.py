"""A sweep while it goes on, as `muslin watch` shows it."""

from collections import Counter
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from muslin.report import terminal
from muslin.report.pages import page
from muslin.runs import Run
from muslin.sweeps.analysis import best_so_far, measured
from muslin.sweeps.directory import SweepDirectory
from muslin.sweeps.report import contents
from muslin.sweeps.scheduler import best
from muslin.sweeps.trial_store import ENDED, Trial, TrialStore


class WatchedSweep:
    """What a `WatchedRun` is for a run. Raises InputError where the database cannot be opened."""

    over = False  # it may always go on

    def __init__(self, path: Path, storage: str | None = None):
        self.directory, self.storage = SweepDirectory(path), storage

    @cached_property
    def study(self) -> TrialStore:
        return self.directory.study_to_read(self.storage)

    def need_storage(self) -> None:
        """Raises InputError, now rather than later, where the database cannot be read or does not have the sweep."""
        self.study.trials()

    @property
    def trials(self) -> list[Trial]:
        """Those that have ended, in that order; then those that run."""
        return sorted(self.study.trials().values(), key=lambda t: (t.ended is None, t.ended or t.created))

    def page(self, live: Any) -> str:
        path, ours = self.directory.path, not self.directory.sweep.runs_program
        facts = contents(self.directory, self.study, path)
        for row in facts["table"]:  # their pages are made when they are asked for
            begun = Run(path / row["run"]).begun
            row["link"] = f"{quote(row['run'])}/report.html" if begun and ours else None
        return page("sweep.html", **facts, live=live)

    def lines(self) -> list[str]:
        return [self._line(trial) for trial in self.trials if trial.state in ENDED]

    def _line(self, trial: Trial) -> str:
        value = "" if trial.value is None else f"  {self.directory.metric.name} {trial.value:.6g}"
        reason = f"  ({trial.reason})" if trial.reason else ""
        return f"trial {trial.number:>3}  {trial.state.replace('_', ' ')}{value}{reason}"

    def charts(self, width: int, height: int) -> list[str]:
        rows = best_so_far(measured(self.study), self.directory.metric) if measured(self.study) else []
        values, so_far = ([(n, row[key]) for n, row in enumerate(rows, 1)] for key in ("value", "best"))
        return [terminal.best_so_far(values, so_far, self.directory.metric.name, width, height)] if rows else []

    def status(self) -> str:
        """ "12 trials finished, 3 running, best val_accuracy 0.871 (trial 4)" """
        trials = self.trials
        counts, top = Counter(trial.state for trial in trials), best(trials, self.directory.metric)
        words = [f"{counts[state]} {state.replace('_', ' ')}" for state in (*ENDED, "running") if counts[state]]
        top_words = [f"best {self.directory.metric.name} {top.value:.6g} (trial {top.number})"] if top else []
        return ", ".join(words + top_words) or "no trial yet"
