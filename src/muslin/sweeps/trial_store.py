"""A sweep's trials in their storage: a study of Optuna's, which its dashboard opens, and the claims beside it."""

import json
import math
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from types import ModuleType
from typing import Any, Self

from muslin import errors
from muslin.errors import InputError, visible
from muslin.sweeps.claims import Claims, gone
from muslin.sweeps.file.schema import Metric, Sweep
from muslin.sweeps.file.space import Config
from muslin.sweeps.storage import load_optuna, readable, shown, storage_errors, together, writable

#: ours → Optuna's name of the state
STATES = {"running": "RUNNING", "finished": "COMPLETE", "stopped_early": "PRUNED", "failed": "FAIL"}
ENDED = ("finished", "stopped_early", "failed")

#: keys of a sweep file that may change between one start and the next
FREE = ("name", "description", "project", "entity", "run_cap", "controller", "kind", "apiVersion", "job", "image_uri")


@dataclass(frozen=True)
class Asked:
    """The configuration of a trial, and the same as Optuna stores it."""

    config: Config
    params: dict[str, Any]
    distributions: dict[str, Any]  # Optuna's


@dataclass
class Trial:
    """``number`` is the index of its configuration, ``run`` the name of its run directory, ``history`` the metric's
    logged values, ``value`` the best of them; ``reason`` says why it failed or was stopped early."""

    number: int
    config: Config
    run: str
    params: dict[str, Any] = field(default_factory=dict)
    state: str = "running"
    history: list[float] = field(default_factory=list)
    value: float | None = None
    reason: str | None = None
    created: datetime = field(default_factory=datetime.now)
    ended: datetime | None = None
    parameters: int | None = None
    id: int | None = None  # the storage's own


class TrialStore:
    """Raises InputError wherever the storage fails, naming it."""

    def __init__(self, url: str, name: str, storage: Any, study_id: int, metric: Metric):
        self.url, self.name, self.storage, self.id, self.metric = url, name, storage, study_id, metric

    @cached_property
    def claims(self) -> Claims:
        with storage_errors(self.url):
            return together(lambda: Claims(self.storage._backend.engine, self.id))

    @classmethod
    def open(cls, url: str, name: str, metric: Metric, definition: dict[str, Any], new: bool = False) -> Self:
        """The study of this name, which must be of this definition, to be worked at. A ``new`` one is made if it is not
        there.

        Raises InputError: no such storage or study, one of another sweep, a storage that is locked or unwritable.
        """
        optuna = load_optuna()
        if not new:
            cls.read(url, name, metric, definition)
        with storage_errors(url):
            storage = writable(url)
            ids = _studies(storage)
            if name not in ids:
                ids[name] = _create(optuna, storage, name, metric)
            stored = storage.get_study_user_attrs(ids[name]).get("sweep")
            if stored is None and not storage.get_all_trials(ids[name], deepcopy=False):
                storage.set_study_user_attr(ids[name], "sweep", definition)
            return cls(url, name, storage, ids[name], metric)._of(definition)

    @classmethod
    def read(cls, url: str, name: str, metric: Metric, definition: dict[str, Any]) -> Self:
        """The study of this name, which must be of this definition, to be read: nothing is written.

        Raises InputError: no such storage or study, or one of another sweep.
        """
        with storage_errors(url):
            storage = readable(url)
            ids = _studies(storage)
            if name not in ids:
                others = ", ".join(map(visible, ids)) or "none"
                raise InputError(f"The storage {shown(url)} has no sweep {name!r}; it has {others}.")
            return cls(url, name, storage, ids[name], metric)._of(definition)

    def _of(self, definition: dict[str, Any]) -> Self:
        stored = self.storage.get_study_user_attrs(self.id).get("sweep")
        if changes := differences(stored or {}, definition):
            raise InputError(
                f"The storage {shown(self.url)} has another sweep named {self.name!r} ({'; '.join(changes)}); "
                "choose another --name or --storage."
            )
        return self

    def trials(self) -> dict[int, Trial]:
        """{number: Trial}"""
        with storage_errors(self.url):
            stored = self.storage.get_all_trials(self.id, deepcopy=False)
            return {trial.number: trial for trial in map(_trial, stored) if trial is not None}

    def start(self, number: int, asked: Asked, run: str) -> Trial:
        """Store a trial that runs."""
        optuna = load_optuna()
        with storage_errors(self.url):
            attributes = {
                "trial": {"index": number, "config": asked.config, "run": run}
            }  # one: each costs a millisecond
            stored = optuna.trial.create_trial(
                state=optuna.trial.TrialState.RUNNING,
                params=asked.params,
                distributions=asked.distributions,
                user_attrs=attributes,
            )
            id = self.storage.create_new_trial(self.id, stored)
        return Trial(number, asked.config, run, asked.params, created=stored.datetime_start, id=id)

    def log(self, trial: Trial, iteration: int, value: float) -> None:
        """Store one value of a trial that runs."""
        with storage_errors(self.url):
            self.storage.set_trial_intermediate_value(trial.id, iteration, value)

    def end(self, trial: Trial) -> bool:
        """Store what came of a trial; False if it is no longer ours to say."""
        optuna = load_optuna()
        with storage_errors(self.url):
            if not self.claims.holds(trial.number):
                return False
            facts = {"reason": trial.reason, "parameters": trial.parameters}
            self.storage.set_trial_user_attr(trial.id, "result", facts)
            state = getattr(optuna.trial.TrialState, STATES[trial.state])
            values = None if trial.value is None or trial.state == "failed" else [trial.value]
            try:
                self.storage.set_trial_state_values(trial.id, state, values)
            except optuna.exceptions.UpdateFinishedTrialError:
                return False
        trial.ended = datetime.now()
        return True

    def take(self, allowed: Callable[[int], bool]) -> int | None:
        with storage_errors(self.url):
            return self.claims.take(allowed)

    def orphans(self, ended: Collection[int]) -> tuple[list[int], list[int]]:
        """Numbers of claims, now ours, whose owner is gone and whose trial has not ended; those of others that live."""
        with storage_errors(self.url):
            others = {
                number: (owner, beat)
                for number, (owner, beat, _) in self.claims.all().items()
                if number not in ended and owner != self.claims.owner
            }
            ours = [n for n, claim in others.items() if gone(*claim) and self.claims.adopt(n, claim[0])]
        return ours, [n for n in others if n not in ours]

    def deaths(self, number: int) -> int:
        """Count one more death of a worker at this trial, and return how many there were."""
        with storage_errors(self.url):
            self.claims.died(number)
            return self.claims.all()[number][2]

    def beat(self) -> None:
        with storage_errors(self.url):
            self.claims.beat()

    def release(self) -> None:
        with storage_errors(self.url):
            self.claims.release()


def definition(sweep: Sweep, seed: int, sampler: str, repeats: int = 1) -> dict[str, Any]:
    """What must stay the same for as long as a sweep lasts, as JSON gives it back."""
    raw = {key: value for key, value in sweep.raw.items() if key not in FREE}
    agreed = {"file": raw, "seed": seed} | ({"sampler": sampler} if sweep.method == "bayes" else {})
    return json.loads(json.dumps(agreed | ({"repeats": repeats} if repeats > 1 else {})))


def differences(before: Any, now: Any, path: str = "") -> list[str]:
    """What changed, in words: ["parameters.epochs.values was [5], is [5, 10]"]."""
    if isinstance(before, dict) and isinstance(now, dict):
        keys = dict.fromkeys([*before, *now])
        inner = "" if path in ("", "file") else f"{path}."
        return [d for key in keys for d in differences(before.get(key, ABSENT), now.get(key, ABSENT), f"{inner}{key}")]
    if before == now and type(before) is type(now):
        return []
    if before is ABSENT:
        return [f"{path} is new"]
    if now is ABSENT:
        return [f"{path} is gone"]
    return [f"{path} was {json.dumps(before)}, is {json.dumps(now)}"]


ABSENT = object()


def _studies(storage: Any) -> dict[str, int]:
    return {study.study_name: study._study_id for study in storage.get_all_studies()}


def _create(optuna: ModuleType, storage: Any, name: str, metric: Metric) -> int:
    direction = optuna.study.StudyDirection[metric.goal.upper()]
    try:
        return storage.create_new_study([direction], name)
    except optuna.exceptions.DuplicatedStudyError:  # another machine was faster
        return storage.get_study_id_from_name(name)


def folder_name(name: object) -> str:
    """A run directory's name as a database has it. Raises InputError where it leads out of the sweep's folder."""
    if not isinstance(name, str) or name in ("", ".", "..") or re.search(r"[/\\\0]", name):
        raise InputError(
            f"A trial's run directory is {errors.shown(name)} to the storage; it must be one folder's name."
        )
    return name


def _trial(stored: Any) -> Trial | None:
    """An Optuna trial as ours; None for one that another program put there."""
    attributes = stored.user_attrs.get("trial")
    if attributes is None:
        return None
    result = stored.user_attrs.get("result", {})
    return Trial(
        int(attributes["index"]),
        dict(attributes["config"]),
        folder_name(attributes["run"]),
        stored.params,
        {theirs: ours for ours, theirs in STATES.items()}[stored.state.name],
        [value for _, value in sorted(stored.intermediate_values.items())],
        stored.values[0] if stored.values and math.isfinite(stored.values[0]) else None,
        result.get("reason"),
        stored.datetime_start,
        stored.datetime_complete,
        result.get("parameters"),
        stored._trial_id,
    )
