"""``--engine wandb``: W&B's server searches, this process trains. Needs an account."""

import os
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cache
from io import StringIO
from os import PathLike
from pathlib import Path
from typing import Any, Self

from muslin import datasets, runs
from muslin.errors import Diverged, InputError
from muslin.files import read_json, write_json
from muslin.runs.settings import Settings
from muslin.sweeps.directory import metric
from muslin.sweeps.file import spellings
from muslin.sweeps.file.schema import Sweep
from muslin.sweeps.scheduler import AT_START
from muslin.tracking.wandb_run import (
    WandbTracker,
    default_project,
    has_key,
    quiet_settings,
    say,
    silence,
    stopped_by_agent,
    wandb,
)


def begin(sweep: Sweep, folder: str | PathLike[str]) -> str:
    """entity/project/id of the sweep at the server: a new one, or the one that this folder has begun.

    Raises InputError: there is no key, the server refuses, or the folder is of a sweep with another file.
    """
    silence()
    if not has_key():
        raise InputError(
            "--engine wandb needs a W&B account: log in with `wandb login`, or set WANDB_API_KEY. "
            "Without --engine wandb the sweep runs offline and needs no account."
        )
    facts = Path(folder) / "wandb_sweep.json"
    if facts.exists():
        known = read_json(facts)
        if known["file"] != sweep.raw:
            raise InputError(f"{folder} was begun with another sweep file; begin a new sweep with another --name.")
        return known["sweep"]
    path = _registered(sweep)
    facts.parent.mkdir(parents=True, exist_ok=True)
    write_json(facts, {"sweep": path, "file": sweep.raw})
    return path


def _registered(sweep: Sweep) -> str:
    project, said = sweep.project or default_project(), StringIO()
    try:
        with redirect_stdout(said):
            number = wandb().sweep(sweep.raw, project=project, entity=sweep.entity)
    except Exception as error:
        raise InputError(f"W&B does not take the sweep: {error}") from error
    for line in said.getvalue().splitlines():
        say(f"W&B: {line}")
    return "/".join(part for part in (sweep.entity, project, number) if part)


@dataclass
class Ended:
    """What became of a run that the server chose."""

    state: str
    run: runs.Run | None = None
    params: dict[str, Any] | None = None
    value: float | None = None
    reason: str | None = None


class Agent:
    """Trains what the server chooses, each a run directory in ``folder``; ``ended`` says what became of them."""

    def __init__(self, sweep: Sweep, folder: str | PathLike[str], count: int | None = None):
        self.folder, self.count = Path(folder), count
        self.metric = metric(sweep)
        self.key = spellings.metric(self.metric.name)
        self.ended: list[Ended] = []

    def run(self, path: str) -> Self:
        """Work at the sweep until it ends, or ``count`` runs were taken. Raises InputError."""
        *entity, project, number = path.split("/")
        os.environ.setdefault("WANDB_DIR", str(self.folder.absolute()))
        try:
            # what our function lets out ends the agent
            options = {"count": self.count, "max_consecutive_failed_runs": 1}
            wandb().agent(number, self._run, project=project, entity=entity[0] if entity else None, **options)
        except Exception as error:
            raise InputError(f"W&B's agent failed: {type(error).__name__}: {error}") from error
        if self._hopeless:
            raise InputError(f"The first {AT_START} trials failed, the last one: {self.ended[-1].reason}")
        return self

    @property
    def _hopeless(self) -> bool:
        return len(self.ended) >= AT_START and all(end.state == "failed" for end in self.ended)

    @property
    def counts(self) -> dict[str, int]:
        states = [end.state for end in self.ended]
        return {state: states.count(state) for state in ("finished", "stopped_early", "failed")}

    @property
    def best(self) -> Ended | None:
        """The run with the best value, or None."""
        valued = [end for end in self.ended if end.value is not None]
        return min(valued, key=lambda end: self.metric.cost(end.value), default=None)

    def _run(self) -> None:
        """What W&B's agent calls for each run. A failure is the run's alone, so long as not all fail."""
        end = Ended("failed")
        self.ended.append(end)
        try:
            self._train(end)
            end.state = "finished"
        except Exception as error:
            if stopped_by_agent(error):
                end.state = "stopped_early"
                raise
            self._failed(end, error)
            if self._hopeless:
                raise InputError(end.reason) from None
        finally:
            self._note_value(end)

    def _train(self, end: Ended) -> None:
        active = wandb().init(dir=self.folder, settings=quiet_settings())
        end.params = active.config.as_dict()
        settings = Settings.read(spellings.settings(end.params))
        data = _data(settings.dataset, settings.data_dir, settings.table)
        end.run = runs.create(settings, data, self.folder)
        also = {self.metric.name: self.key}  # the server knows the metric by the file's name
        with WandbTracker(end.run, data, active=active, also=also) as tracker:
            tracker.trained(runs.train(end.run, data, [tracker]))

    def _failed(self, end: Ended, error: Exception) -> None:
        end.reason = " ".join(str(error).split()) or type(error).__name__
        if not isinstance(error, InputError | Diverged):
            end.reason = f"{type(error).__name__}: {end.reason}"
        say(f"trial failed: {end.reason}")
        if wandb().run:  # it failed before the tracker had it
            wandb().run.summary["failed"] = end.reason
            wandb().finish(exit_code=1)

    def _note_value(self, end: Ended) -> None:
        if end.state != "failed" and end.run and (end.run.path / "history.jsonl").exists():
            end.value = self.metric.best([row[self.key] for row in end.run.history if self.key in row])


@cache
def _data(dataset: str, data_dir: str | None, table: datasets.TableOptions) -> datasets.Dataset:
    return datasets.load(dataset, data_dir=data_dir, quiet=True, table=table)
