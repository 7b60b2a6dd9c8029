"""A sweep's trials in their storage: a study of Optuna's, which its dashboard opens, and the claims beside it."""

import json
import math
import sqlite3
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from muslin.errors import InputError
from muslin.sweeps.claims import Claims, gone

#: seconds to wait for a locked SQLite file: when it is opened, and later
OPENING, WAITING = 10, 120

#: ours → Optuna's name of the state
STATES = {"running": "RUNNING", "finished": "COMPLETE", "stopped_early": "PRUNED", "failed": "FAIL"}
ENDED = ("finished", "stopped_early", "failed")

#: keys of a sweep file that may change between one start and the next
FREE = ("name", "description", "project", "entity", "run_cap", "controller", "kind", "apiVersion", "job", "image_uri")


@dataclass
class Trial:
    """``number`` is the index of its configuration, ``run`` the name of its run directory, ``history`` the metric's
    logged values, ``value`` the best of them; ``reason`` says why it failed or was stopped early."""

    number: int
    config: dict
    run: str
    params: dict = field(default_factory=dict)
    state: str = "running"
    history: list = field(default_factory=list)
    value: float | None = None
    reason: str | None = None
    created: datetime | None = None
    ended: datetime | None = None
    parameters: int | None = None
    id: int | None = None  # the storage's own


class Study:
    """Raises InputError wherever the storage fails, naming it."""

    def __init__(self, url, name, storage, study_id, metric):
        self.url, self.name, self.storage, self.id, self.metric = url, name, storage, study_id, metric
        with storage_errors(url):
            self.claims = together(lambda: Claims(storage._backend.engine, study_id))

    @classmethod
    def open(cls, url, name, metric, definition=None):
        """The study of this name. With a ``definition`` it is made if it is not there, else it must be of the same.

        Raises InputError: no such storage or study, one of another sweep, a storage that is locked or unwritable.
        """
        optuna = load_optuna()
        _probe(url)
        with storage_errors(url):
            sqlite = {"connect_args": {"timeout": WAITING, "factory": Hurried}}
            options = sqlite if url.startswith("sqlite") else {"pool_pre_ping": True}
            storage = together(lambda: optuna.storages.RDBStorage(url, engine_kwargs=options))
            storage = optuna.storages.get_storage(storage)
            found = {study.study_name: study._study_id for study in storage.get_all_studies()}
            if name not in found and definition is None:
                raise InputError(
                    f"The storage {shown(url)} has no sweep {name!r}; it has {', '.join(found) or 'none'}."
                )
            if name not in found:
                found[name] = _create(optuna, storage, name, metric)
            stored = storage.get_study_user_attrs(found[name]).get("sweep")
            if stored is None and definition is not None and not storage.get_all_trials(found[name], deepcopy=False):
                storage.set_study_user_attr(found[name], "sweep", definition)
                stored = definition
            if definition is not None and (changes := differences(stored or {}, definition)):
                raise InputError(
                    f"The storage {shown(url)} has another sweep named {name!r} ({'; '.join(changes)}); "
                    "choose another --name or --storage."
                )
            return cls(url, name, storage, found[name], metric)

    def trials(self):
        """{number: Trial}"""
        with storage_errors(self.url):
            stored = self.storage.get_all_trials(self.id, deepcopy=False)
        return {trial.number: trial for trial in map(_trial, stored) if trial is not None}

    def start(self, number, asked, run):
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

    def log(self, trial, iteration, value):
        """Store one value of a trial that runs."""
        with storage_errors(self.url):
            self.storage.set_trial_intermediate_value(trial.id, iteration, value)

    def end(self, trial):
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

    def take(self, allowed):
        with storage_errors(self.url):
            return self.claims.take(allowed)

    def orphans(self, ended):
        """Numbers of claims, now ours, whose owner is gone and whose trial has not ended; those of others that live."""
        with storage_errors(self.url):
            others = {
                number: (owner, beat)
                for number, (owner, beat, _) in self.claims.all().items()
                if number not in ended and owner != self.claims.owner
            }
            ours = [n for n, claim in others.items() if gone(*claim) and self.claims.adopt(n, claim[0])]
        return ours, [n for n in others if n not in ours]

    def deaths(self, number):
        """Count one more death of a worker at this trial, and return how many there were."""
        with storage_errors(self.url):
            self.claims.died(number)
            return self.claims.all()[number][2]

    def beat(self):
        with storage_errors(self.url):
            self.claims.beat()

    def release(self):
        with storage_errors(self.url):
            self.claims.release()


class Hurried(sqlite3.Connection):
    """Does not wait for the disk at every commit. What is committed survives any kill of a process; a power cut may
    take the last commits, and what they said is then done again."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.execute("PRAGMA synchronous = NORMAL")


def definition(sweep, seed, sampler):
    """What must stay the same for as long as a sweep lasts, as JSON gives it back."""
    raw = {key: value for key, value in sweep.raw.items() if key not in FREE}
    sampler = {"sampler": sampler} if sweep.method == "bayes" else {}
    return json.loads(json.dumps({"file": raw, "seed": seed, **sampler}))


def differences(before, now, path=""):
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


def shown(url):
    """The URL without its password."""
    import sqlalchemy as sql

    try:
        return sql.engine.make_url(url).render_as_string(hide_password=True)
    except sql.exc.ArgumentError:
        return url


@contextmanager
def storage_errors(url):
    """Any error of the database as an InputError that names it."""
    import sqlalchemy as sql

    optuna = load_optuna()
    try:
        yield
    except (sql.exc.SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        cause = getattr(error, "orig", None) or getattr(error.__cause__, "orig", None) or error
        raise InputError(f"The storage {shown(url)} fails: {str(cause).splitlines()[0]}.") from error
    except RuntimeError as error:  # Optuna's word on a schema of another version
        raise InputError(f"The storage {shown(url)} cannot be used: {str(error).splitlines()[0]}") from error
    except ImportError as error:
        missing = getattr(error.__cause__, "name", None) or "its driver"
        raise InputError(f"The storage {shown(url)} needs a driver; install it with pip ({missing}).") from error


def _probe(url):
    """Let a bad URL and a locked or unwritable SQLite file be said at once and simply."""
    import sqlalchemy as sql

    try:
        parsed = sql.engine.make_url(url)
    except sql.exc.ArgumentError:
        right = "sqlite:///sweep.db or postgresql+psycopg://user:password@host/database"
        raise InputError(f"--storage is {url!r}; it must be a database's URL such as {right}.") from None
    path = parsed.database
    if parsed.get_backend_name() != "sqlite" or not path or path == ":memory:":
        return
    if not Path(path).absolute().parent.is_dir():
        raise InputError(f"The storage {path} cannot be made: there is no folder {Path(path).absolute().parent}.")
    try:
        connection = sqlite3.connect(path, timeout=OPENING)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.rollback()
            connection.execute("PRAGMA journal_mode = WAL")
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        held = "another program holds it locked" if "locked" in str(error) else str(error)
        raise InputError(f"The storage {path} cannot be used: {held}.") from error


def together(make, tries=5):
    """What ``make`` returns. Machines that begin at once may all make the same tables; the slower ones try again."""
    import sqlalchemy as sql

    for _ in range(tries - 1):
        try:
            return make()
        except (sql.exc.ProgrammingError, sql.exc.IntegrityError):
            time.sleep(1)
    return make()


def _create(optuna, storage, name, metric):
    direction = optuna.study.StudyDirection[metric.goal.upper()]
    try:
        return storage.create_new_study([direction], name)
    except optuna.exceptions.DuplicatedStudyError:  # another machine was faster
        return storage.get_study_id_from_name(name)


def _trial(stored):
    """An Optuna trial as ours; None for one that another program put there."""
    attributes = stored.user_attrs.get("trial")
    if attributes is None:
        return None
    result = stored.user_attrs.get("result", {})
    return Trial(
        attributes["index"],
        attributes["config"],
        attributes["run"],
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


def load_optuna():
    try:
        import optuna
    except ImportError as error:
        raise InputError("Sweeps need Optuna: pip install 'muslin[sweep]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
