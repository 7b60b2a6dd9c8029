"""A run on Weights & Biases: its settings, figures and images. Online with a key, else as files for `wandb sync`.

What goes wrong with W&B is said once on standard error, and training goes on without it.
"""

import os
import secrets
import shlex
import sys
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Self

import numpy as np

from muslin.datasets import Dataset
from muslin.errors import InputError
from muslin.files import read_json, write_json
from muslin.runs import Run, split
from muslin.tracking import Tracker
from muslin.training import State, evaluate
from muslin.training.metrics import confusion

#: seconds that a run waits for the server at its beginning, and for its uploads at its end
BEGIN, END = 30, 120


def wandb() -> ModuleType:
    """The package. Raises InputError where it is not installed; it is imported (2 s) only where it is asked for."""
    try:
        import wandb
    except ImportError:
        raise InputError("Weights & Biases is not installed; install it with: pip install 'muslin[wandb]'") from None
    return wandb


def has_key() -> bool:
    """Whether W&B knows who we are: WANDB_API_KEY, or a login in netrc."""
    try:
        return wandb().login(prompt=False, verify=False)
    except Exception as error:
        raise InputError(f"W&B does not take the key: {error}") from error


def online() -> bool:
    """Whether runs go to W&B's server: it is installed, knows who we are, and was not told to stay offline."""
    if os.environ.get("WANDB_MODE", "online") != "online":
        return False
    silence()
    try:
        return has_key()
    except InputError as error:
        say(f"{error}; going on offline.")
        return False


def silence() -> None:
    """W&B's own messages are off; what a person needs is said here."""
    os.environ.setdefault("WANDB_SILENT", "true")


def quiet_settings() -> Any:
    return wandb().Settings(silent=True, console="off", init_timeout=BEGIN, finish_timeout=END)


def default_project() -> str:
    return os.environ.get("WANDB_PROJECT") or "muslin"


def say(text: str) -> None:
    print(f"muslin: {text}", file=sys.stderr, flush=True)


def say_where(active: Any) -> None:
    """Where W&B's run is to be seen, or how to upload it."""
    folder = Path(active.dir).parent
    short = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    offline = f"offline; upload with: {shlex.join(['wandb', 'sync', str(short)])}"
    say(f"W&B: {active.url or offline}")


def forgiven(method: Callable[..., None]) -> Callable[..., None]:
    """A method of the tracker that does nothing once W&B has failed, and whose failure is not the run's."""

    @wraps(method)
    def call(self, *arguments):
        if self.active is None:
            return
        try:
            method(self, *arguments)
        except Exception as error:
            if stopped_by_agent(error):
                raise
            say(f"W&B failed ({first_line(error)}); training goes on without it.")
            self.active = None

    return call


def stopped_by_agent(error: BaseException) -> bool:
    """W&B's agent stops a run by throwing a bare Exception into its thread."""
    return type(error) is Exception


class WandbTracker(Tracker):
    """Logs a run: a row an epoch, the settings, one sample of each class, the confusion matrix, the summary.

    project, entity   where to (default: WANDB_PROJECT or muslin, and one's own)
    group             of runs that belong together: the sweep's name
    also              {name: figure}: further names under which a figure is logged, such as a sweep file's metric
    active            W&B's run, where there is one already: its agent's
    """

    def __init__(
        self,
        run: Run,
        data: Dataset,
        *,
        project: str | None = None,
        entity: str | None = None,
        group: str | None = None,
        also: dict[str, str] | None = None,
        active: Any = None,
    ):
        self.run, self.data, self.group, self.also, self.active = run, data, group, also or {}, active
        self.where = {"project": project or default_project(), "entity": entity}

    def __enter__(self) -> Self:
        silence()
        wandb()  # not to have it is no hiccup
        if self.active is None:
            try:
                self.active = self._begin()
            except Exception as error:
                say(f"W&B failed ({first_line(error)}); training goes on without it.")
                return self
            say_where(self.active)
        self._describe()
        return self

    def _begin(self):
        if online():
            try:
                return self._init(mode="online", resume="allow")
            except Exception as error:
                say(f"W&B cannot be reached ({first_line(error)}); the run is kept offline.")
                wandb().teardown()  # it would not let go of the run's id
        return self._init(mode="offline")

    def _init(self, **how):
        return wandb().init(
            id=self._id(), group=self.group, dir=self.run.path, settings=quiet_settings(), **self.where, **how
        )

    @forgiven
    def _describe(self):
        """Name and settings. What a sweep has set is locked and stays."""
        self.active.name = self.run.path.name
        taken = dict(self.active.config)
        facts = self.run.settings.model_dump() | {"run": self.run.path.name}
        self.active.config.update({key: value for key, value in facts.items() if key not in taken})

    def _id(self):
        """The run's id at W&B, which stays when it is resumed. A sweep's agent has given it one."""
        path = self.run.path / "wandb.json"
        if not path.exists():
            id_of_agent = os.environ.get("WANDB_RUN_ID") if "WANDB_SWEEP_ID" in os.environ else None
            write_json(path, {"id": id_of_agent or secrets.token_hex(4)})
        return read_json(path)["id"]

    @forgiven
    def on_begin(self, state: State) -> None:
        """What a resumed run has already."""
        for row in state.history:
            if row["epoch"] >= self.active.step:
                self._log(row)

    @forgiven
    def on_epoch(self, state: State) -> None:
        self._log(state.history[-1])

    def _log(self, row):
        figures = dict(_flat(row)) | {name: row[key] for name, key in self.also.items() if key in row}
        if row["epoch"] == 1:
            figures["samples"] = samples(self.data)
        self.active.log(figures, step=row["epoch"])

    @forgiven
    def trained(self, summary: dict[str, Any]) -> None:
        """The summary, and the confusion matrix of the validation samples."""
        figures = {key: value for key, value in summary.items() if isinstance(value, int | float | str)}
        self.active.summary.update(figures)
        path = self._validation_confusion()
        if path:
            self.active.log({"validation_confusion_matrix": wandb().Image(str(path))})

    def _validation_confusion(self):
        from muslin.report import plots

        X, y = self.data.X_train, self.data.y_train
        _, rows = split(self.run.settings, self.data)
        if not len(rows) or self.data.target != "class":
            return None
        predicted = evaluate(self.run.model, X, y, rows)[2]
        names, path = self.data.class_names, self.run.path / "validation_confusion_matrix.png"
        plots.confusion(confusion(y[rows], predicted, len(names)), names, path)
        return path

    @forgiven
    def evaluated(self, figures: dict[str, Any], picture: Path) -> None:
        row = {key: value for key, value in figures.items() if key.startswith("test_")}
        row |= {f"test_{key}": value for key, value in figures.get("macro", {}).items()}
        drawn = {"confusion_matrix": wandb().Image(str(picture))} if "confusion_matrix" in figures else {}
        self.active.log(row | drawn)

    @forgiven
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        failure = None if error is None or stopped_by_agent(error) else first_line(error)
        if failure:
            self.active.summary["failed"] = failure
        self.active.finish(exit_code=int(failure is not None))


def log_samples(data: Dataset, project: str | None = None, entity: str | None = None) -> None:
    """One training image of each class, as a run of its own."""
    silence()
    where = {"project": project or default_project(), "entity": entity, "job_type": "samples"}
    try:
        with wandb().init(mode="online" if online() else "offline", settings=quiet_settings(), **where) as active:
            active.log({"samples": samples(data)})
            say_where(active)
    except Exception as error:
        say(f"W&B failed ({first_line(error)}).")


def samples(data: Dataset) -> list[Any]:
    """One training image of each class, with its name."""
    if data.image_shape is None:
        return []
    first = [np.flatnonzero(data.y_train == c)[:1] for c in range(len(data.class_names))]
    return [
        wandb().Image(_image(data.X_train[row].reshape(data.image_shape)), caption=name)
        for rows, name in zip(first, data.class_names, strict=True)
        for row in rows
    ]


def first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]


def _flat(row: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The figures of an epoch; of a list, each with its number."""
    for key, value in row.items():
        if isinstance(value, list | tuple):
            yield from ((f"{key}.{number}", item) for number, item in enumerate(value, 1))
        else:
            yield key, value


def _image(sample: np.ndarray) -> np.ndarray:
    """Bytes as they are, other numbers stretched from black to white."""
    if sample.dtype == np.uint8:
        return sample
    low, high = float(sample.min()), float(sample.max())
    return (255 * (sample - low) / ((high - low) or 1)).astype(np.uint8)
