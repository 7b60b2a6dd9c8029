"""A sweep's directory: sweep.json, study.db where the storage is the usual one, and a run directory for each trial."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from muslin.errors import InputError
from muslin.files import as_folder, read_json, write_json
from muslin.runs import Run
from muslin.sweeps.file import schema, spellings
from muslin.sweeps.file.schema import Metric, Sweep
from muslin.sweeps.file.space import at
from muslin.sweeps.storage import shown
from muslin.sweeps.trial_store import Trial, TrialStore, definition, differences


@dataclass(frozen=True)
class SweepDirectory:
    path: Path

    @cached_property
    def facts(self) -> dict[str, Any]:
        if not self.path.is_dir():
            raise InputError(f"There is no sweep directory {self.path}.")
        for name, model in FACTS.items():
            if (self.path / name).exists():
                return _read(self.path / name, model)
        raise InputError(f"{self.path} is not a sweep directory: it has no sweep.json.")

    @cached_property
    def sweep(self) -> Sweep:
        return schema.parse(self.facts["file"], where=self.path / "sweep.json")

    @property
    def repeats(self) -> int:
        """How many seeds each configuration has."""
        return self.facts.get("definition", {}).get("repeats", 1)

    @property
    def metric(self) -> Metric:
        return metric(self.sweep)

    def trials(self, storage: str | None = None) -> list[Trial]:
        """The trials in their order. W&B's server keeps its own: of such a sweep, the finished runs that are here."""
        if "storage" in self.facts:
            return [*self.study_to_read(storage).trials().values()]
        return [self._trial(*numbered) for numbered in enumerate(sorted(self.path.glob("hl_*/summary.json")))]

    def _trial(self, number: int, summary: Path) -> Trial:
        run, key = Run(summary.parent), spellings.metric(self.metric.name)
        value = self.metric.best([row[key] for row in run.history if key in row])
        facts = {"state": "finished", "value": value, "parameters": run.summary["parameters"]}
        return Trial(number, run.settings.model_dump(), run.path.name, **facts)

    def searched(self, trial: Trial) -> dict[str, Any]:
        """{name: value} of what a trial's configuration was searched for. W&B's server keeps the file's names: of such
        a sweep the configurations are our settings."""
        ours, leaves = "definition" not in self.facts, self.sweep.space.searched
        names = {leaf.name: spellings.setting(leaf.path[-1]) if ours else leaf.name for leaf in leaves}
        return {name: at(trial.config, key) for name, key in names.items() if key is not None}

    def study(self, storage: str | None = None, open: Callable[..., TrialStore] = TrialStore.open) -> TrialStore:
        """The study of a sweep that has begun. Raises InputError where it cannot be opened."""
        if "storage" not in self.facts:
            raise InputError(
                f"The trials of {self.path} are at W&B ({self.facts['sweep']}); there is no study of them."
            )
        url = storage or self.facts["storage"] or usual_storage(self.path)
        if "***" in url:
            raise InputError(f"The sweep {self.path} is stored at {url}; give --storage with the password.")
        if url == usual_storage(self.path) and not (self.path / "study.db").exists():
            raise InputError(f"{self.path / 'study.db'}, which holds the trials of this sweep, is gone.")
        return open(url, self.facts["name"], self.metric, self.facts["definition"])

    def study_to_read(self, storage: str | None = None) -> TrialStore:
        """The same, of which nothing is written."""
        return self.study(storage, TrialStore.read)


class Definition(BaseModel):
    """What must stay the same for as long as a sweep lasts."""

    file: dict[str, Any]
    seed: int = Field(ge=0)
    sampler: Literal["tpe", "gp"] | None = None
    repeats: int = Field(1, ge=1)


class Begun(BaseModel):
    name: str = Field(pattern=r"^[^/\\\x00]+$")
    file: dict[str, Any]
    definition: Definition
    storage: str | None = None


class BegunAtWandb(BaseModel):
    sweep: str
    file: dict[str, Any]


#: what says that a folder is a sweep's → what is in it
FACTS: dict[str, type[BaseModel]] = {"sweep.json": Begun, "wandb_sweep.json": BegunAtWandb}


def _read(path: Path, model: type[BaseModel]) -> dict[str, Any]:
    facts = read_json(path)
    try:
        model.model_validate(facts, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "its content"
        raise InputError(f"{path} is damaged, or was not written by muslin: {where}: {first['msg']}.") from None
    return facts | ({"storage": facts.get("storage")} if model is Begun else {})


def begin(
    sweep: Sweep,
    name: str,
    runs_dir: str | PathLike[str],
    seed: int | None = None,
    sampler: str = "tpe",
    storage: str | None = None,
    repeats: int | None = None,
) -> tuple[SweepDirectory, TrialStore]:
    """(directory, study): a sweep's directory, made or gone on with.

    Raises InputError: the directory is of a sweep that differs, and in what; it, or the storage, cannot be used.
    """
    path = folder(runs_dir, name)
    directory = SweepDirectory(path)
    if (path / "sweep.json").exists():
        study = _resume(directory, sweep, seed, sampler, storage, repeats)
        return SweepDirectory(path), study
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"Cannot make the sweep directory {path}: {error.strerror}.") from error
    if Run(path).begun:
        raise InputError(f"{path} is a run directory; choose another --name for the sweep.")
    agreed = definition(sweep, seed or 0, sampler, repeats or 1)
    study = TrialStore.open(storage or usual_storage(path), path.name, metric(sweep), agreed, new=True)
    facts = {"name": path.name, "file": sweep.raw, "definition": agreed, "storage": storage and shown(storage)}
    write_json(path / "sweep.json", facts)
    return directory, study


def folder(runs_dir: str | PathLike[str], name: str) -> Path:
    """The path of a sweep's directory. Raises InputError where the name cannot be a folder's."""
    path = Path(runs_dir) / as_folder(name)
    if path == Path(runs_dir):
        raise InputError(f"The sweep name {name!r} has no letter or digit that a folder's name could be made of.")
    return path


def _resume(
    directory: SweepDirectory, sweep: Sweep, seed: int | None, sampler: str, storage: str | None, repeats: int | None
) -> TrialStore:
    facts = directory.facts
    seed = facts["definition"]["seed"] if seed is None else seed
    repeats = facts["definition"].get("repeats", 1) if repeats is None else repeats
    changes = differences(facts["definition"], definition(sweep, seed, sampler, repeats))
    if changes:
        raise InputError(
            f"The sweep {directory.path} was begun with another sweep file: {'; '.join(changes)}. "
            "Undo the change, or begin a new sweep with another --name."
        )
    if storage and shown(storage) != (facts["storage"] or usual_storage(directory.path)):
        right = facts["storage"] or "study.db in its directory"
        raise InputError(f"The sweep {directory.path} is stored at {right}, not at {shown(storage)}.")
    study = directory.study(storage)
    if sweep.raw != facts["file"]:  # what may change, such as run_cap
        write_json(directory.path / "sweep.json", facts | {"file": sweep.raw})
    return study


def usual_storage(path: Path) -> str:
    return f"sqlite:///{path / 'study.db'}"


def metric(sweep: Sweep) -> Metric:
    """The sweep's metric; without one, our own training is measured by its validation accuracy."""
    return sweep.metric or schema.Metric("val_accuracy", "maximize")
