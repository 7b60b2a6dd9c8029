"""The usual task: to train a run directory, from its beginning or from where another worker left it."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from muslin import datasets, runs
from muslin.errors import InputError
from muslin.runs.directory import drop_damaged_checkpoint
from muslin.runs.settings import Settings
from muslin.training.callbacks import Callback

if TYPE_CHECKING:
    from muslin.executors.worker import Parent

#: how the reasons begin that the parent gives; those of a run's own early stopping do not
EARLY = "hyperband:"


def train(task: dict[str, Any], parent: "Parent") -> dict[str, Any]:
    """Train the run at ``task["run"]`` with ``task["settings"]``."""
    run, data = prepared(Path(task["run"]), task["settings"])
    return trained(run, data, parent)


def trained(
    run: runs.Run, data: datasets.Dataset, parent: "Parent", callbacks: Iterable[Callback] = ()
) -> dict[str, Any]:
    """The last message of a training."""
    report = Report(parent)
    summary = runs.train(run, data, [*callbacks, report])
    early = summary["epochs"] < run.settings.epochs  # a band may lie at the last epoch
    return {"done": summary, "stopped": report.stopped if early else None}


class Report(Callback):
    """Tells the parent each epoch's figures and does as it says."""

    def __init__(self, parent: "Parent"):
        self.parent = parent
        self.stopped: str | None = None

    def on_begin(self, state: Any) -> None:
        self.stopped = state.stopped if (state.stopped or "").startswith(EARLY) else None
        self.parent.begin(state.history)

    def on_epoch(self, state: Any) -> str | None:
        self.stopped = self.parent.row(state.history[-1])
        return self.stopped


def prepared(path: Path, values: dict[str, Any]) -> tuple[runs.Run, datasets.Dataset]:
    """(run, data): the run directory, made, or as another worker left it.

    Raises InputError: the settings cannot be, or the directory holds a run with other ones.
    """
    settings = Settings.read(values)
    data = dataset(settings.dataset, settings.data_dir, settings.table)
    settings = settings.for_target(data.target)
    run = runs.Run(path)
    if run.begun:
        if run.settings != settings or run.config["data_checksums"] != data.checksums:
            raise InputError(f"{path} holds a run with other settings or data.")
        drop_damaged_checkpoint(run)
        return run, data
    return runs.create(settings, data, path.parent, path.name), data


@cache
def dataset(name: str, data_dir: str | None, table: Any) -> datasets.Dataset:
    """Once a process; of those that are memory-mapped all processes of a node share the memory."""
    return datasets.load(name, data_dir=data_dir, quiet=True, table=table)
