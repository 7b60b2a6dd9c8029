"""A study: variations of one configuration, each trained with several seeds, and what came of them.

runs/study_<name>/<variation>_seed_<n>/   each network is a run directory like any other
                  study.json              the figures of every run, mean and standard deviation, the conclusion
                  study.png               the picture
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from muslin import runs
from muslin.datasets import Dataset
from muslin.errors import Diverged, InputError
from muslin.executors import Executor, training
from muslin.executors.jobs import Jobs
from muslin.files import write_json
from muslin.runs import Run
from muslin.runs.settings import Settings
from muslin.training import Callback

T = TypeVar("T")
Outcomes = Mapping[str, "Outcome"]
#: (variation, settings) of every run
Plan = list[tuple[str, Settings]]
#: an epoch's figures, those of all epochs, and those of the run
Row = dict[str, Any]
History = list[Row]
Summary = dict[str, Any]
#: what is drawn of an epoch
Figure = Callable[[Row], float]


@dataclass(frozen=True)
class Study:
    """What is compared, and what is made of it.

    about       one line
    base        the settings that all networks share
    variations  name, fit for a folder → the settings of its own
    seeds       how many, from 0; a seed decides the split, the initial weights and the order, for all variations alike
    figures     (history, summary) of a run → {name: number}
    draw        (outcomes, path): the picture
    conclude    (outcomes): one sentence, computed from the figures
    callbacks   (data, rows) → callbacks of training that record more; rows are those of the training samples
    shown       settings that the table has beside the figures
    why         variation → the reason for it
    test        whether the networks are measured on the test set, too; nothing is ever chosen by it
    """

    about: str
    base: dict[str, Any]
    variations: dict[str, dict[str, Any]]
    figures: Callable[[History, Summary], dict[str, float]]
    draw: Callable[[Outcomes, Path], None]
    conclude: Callable[[Outcomes], str]
    seeds: int = 3
    callbacks: Callable[[Dataset, np.ndarray], list[Callback]] = lambda data, rows: []
    shown: tuple[str, ...] = ()
    why: dict[str, str] = field(default_factory=dict)
    test: bool = False

    def plan(self, shared: dict[str, Any], seeds: int) -> Plan:
        """[(variation, settings)] of every run, seed by seed. ``shared``: settings that outrank the study's own."""
        return [
            (name, Settings.read(self.base, own, shared, {"seed": seed}))
            for seed in range(seeds)
            for name, own in self.variations.items()
        ]


@dataclass(frozen=True)
class Outcome:
    """A variation's runs, one a seed. Of a run that diverged there is the history so far, and every figure is NaN."""

    settings: Settings  # of the first seed
    paths: list[Path]
    histories: list[History]
    figures: dict[str, np.ndarray]  # (seeds,)
    diverged: int
    validation: int | None = None  # samples that val_accuracy is a share of

    def mean(self, name: str) -> float | None:
        values = self._finite(name)
        return float(values.mean()) if len(values) else None

    def sd(self, name: str) -> float | None:
        """The standard deviation over the seeds; None of fewer than two."""
        values = self._finite(name)
        return float(values.std(ddof=1)) if len(values) > 1 else None

    def _finite(self, name: str) -> np.ndarray:
        values = self.figures.get(name, np.empty(0))
        return values[np.isfinite(values)]

    def series(self, figure: Figure, start: Figure | None = None) -> np.ndarray:
        """(seeds × epochs): ``figure`` of each epoch's row, NaN after a run diverged. With ``start``, a function of the
        first row, the state before training comes first."""
        lines = [[*([start(h[0])] if start and h else []), *map(figure, h)] for h in self.histories]
        longest = max(map(len, lines))
        return np.array([line + [np.nan] * (longest - len(line)) for line in lines], float)


def summarized(*names: str) -> Callable[[History, Summary], dict[str, float]]:
    """As ``figures`` of a study: these of the run's summary."""
    return lambda history, summary: {name: summary[name] for name in names}


def series(outcomes: Outcomes, figure: Figure, start: Figure | None = None) -> dict[str, np.ndarray]:
    """{variation: its `Outcome.series`}"""
    return {name: outcome.series(figure, start) for name, outcome in outcomes.items()}


def means(outcomes: Outcomes, name: str) -> dict[str, float]:
    """{variation: the mean of the figure}, of those that have one"""
    return {variation: mean for variation, o in outcomes.items() if (mean := o.mean(name)) is not None}


def best(outcomes: Outcomes) -> str:
    """The variation with the highest validation accuracy."""
    accuracies = means(outcomes, "val_accuracy")
    return max(accuracies, key=accuracies.__getitem__)


class Progress(Callback):
    """Hears of every run, and of its epochs as they are trained. This one is silent."""

    def on_run(self, name: str, settings: Settings, done: int) -> None:
        """A run's turn has come; so many of its epochs are done already."""

    def on_rows(self, n: int) -> None:
        """So many epochs have ended elsewhere."""


def conduct(
    study: Study,
    plan: Plan,
    data: Dataset,
    folder: Path,
    progress: Progress | None = None,
    make: Callable[[int], Executor] | None = None,
) -> Outcomes:
    """Train what is not trained yet; returns {variation: Outcome}. A finished run is read, an interrupted one goes on.

    make: gives an executor for so many trainings, which does them side by side; of a study in `STUDIES` only. Without
    it they are done here, one after the other.

    Raises InputError as `muslin.runs` does; a run that diverges is an outcome, too.
    """
    if study.test:
        runs.need_test(data)
    progress = progress or Progress()
    places = [_place(settings, data, folder, f"{name}_seed_{settings.seed}") for name, settings in plan]
    if make is None:
        _one_after_the_other(study, plan, places, data, progress)
    else:
        _side_by_side(study, plan, places, progress, make)
    done: dict[str, list[Run]] = {name: [] for name in study.variations}
    for (name, _), path in zip(plan, places, strict=True):
        done[name].append(runs.Run(path))
    return {name: _outcome(study, of_name, data) for name, of_name in done.items()}


def _one_after_the_other(study: Study, plan: Plan, places: list[Path], data: Dataset, progress: Progress) -> None:
    for (name, settings), path in zip(plan, places, strict=True):
        run = runs.Run(path)
        if not run.begun:
            run = runs.create(settings, data, path.parent, path.name)
        progress.on_run(name, settings, run.saved_epochs)
        with suppress(Diverged):  # which is an outcome, too
            _finish(study, run, data, partial(_train_here, run, data, progress))


def _train_here(run: Run, data: Dataset, progress: Progress, callbacks: list[Callback]) -> None:
    runs.train(run, data, [*callbacks, progress])


def _side_by_side(
    study: Study, plan: Plan, places: list[Path], progress: Progress, make: Callable[[int], Executor]
) -> None:
    """Raises InputError where a training fails, but for one that diverges."""
    from muslin.studies import STUDIES

    key = next(key for key, entry in STUDIES.items() if entry is study)
    at = {str(path): row for path, row in zip(places, plan, strict=True) if not _done(study, runs.Run(path))}
    task = {"function": "muslin.studies.study:work", "study": key}
    tasks = {path: task | {"run": path, "settings": settings.model_dump()} for path, (_, settings) in at.items()}
    begun: set[str] = set()

    def epochs(path: str, n: int) -> None:
        if path not in begun:
            progress.on_run(*at[path], n)
            begun.add(path)
        else:
            progress.on_rows(n)

    ended = Jobs(tasks, make(len(tasks)), epochs=epochs).run() if tasks else {}
    for path, message in ended.items():
        if "failed" in message and not message.get("diverged"):
            raise InputError(f"{path}: {message['failed']}")


def work(task: dict[str, Any], parent: Any) -> dict[str, Any]:
    """A training of a study, in a worker: see `muslin.executors`."""
    from muslin.studies import STUDIES

    study = STUDIES[task["study"]]
    run, data = training.prepared(Path(task["run"]), task["settings"])
    return _finish(study, run, data, partial(training.trained, run, data, parent)) or {"done": run.summary}


def _finish(study: Study, run: Run, data: Dataset, train: Callable[[list[Callback]], T]) -> T | None:
    """Do what is left of the run: ``train``, which is given the study's callbacks and whose answer is returned; the
    test."""
    answer = None if run.finished else train(study.callbacks(data, runs.split(run.settings, data)[0]))
    if not _done(study, run):
        runs.evaluate_test(run, data)
    return answer


def _done(study: Study, run: Run) -> bool:
    """Whether nothing is left to do of the run."""
    return run.finished and (not study.test or "test_accuracy" in run.summary)


def _place(settings: Settings, data: Dataset, folder: Path, name: str) -> Path:
    """Of the run in the folder that has these settings and data already, else of a new one."""
    for path in sorted(folder.glob(f"{name}*")):
        if (run := runs.Run(path)).begun and _same(run, settings, data):
            return path
    return next(path for path in runs.successive(folder / name) if not runs.Run(path).begun)


def _same(run: Run, settings: Settings, data: Dataset) -> bool:
    return run.settings == settings and run.config["data_checksums"] == data.checksums


def _outcome(study: Study, of_name: list[Run], data: Dataset) -> Outcome:
    histories = [run.history if (run.path / "history.jsonl").exists() else [] for run in of_name]
    runs_of_seeds = [
        study.figures(history, run.summary) if run.finished else {}
        for run, history in zip(of_name, histories, strict=True)
    ]
    names = max(runs_of_seeds, key=len)
    figures = {name: np.array([row.get(name, np.nan) for row in runs_of_seeds], float) for name in names}
    diverged = sum(not run.finished for run in of_name)
    settings, paths = of_name[0].settings, [run.path for run in of_name]
    return Outcome(settings, paths, histories, figures, diverged, len(runs.split(settings, data)[1]) or None)


def conclude(study: Study, outcomes: Outcomes) -> str:
    """The study's sentence; of a variation without a finished run, that."""
    lost = [name for name, outcome in outcomes.items() if outcome.diverged == len(outcome.paths)]
    return f"Every run of {', '.join(lost)} diverged: nothing is concluded." if lost else study.conclude(outcomes)


def record(name: str, study: Study, outcomes: Outcomes, folder: Path) -> dict[str, Any]:
    """Draw the picture, write study.json and return what is in it."""
    study.draw(outcomes, folder / "study.png")
    first = next(iter(outcomes.values()))
    facts = {
        "study": name,
        "about": study.about,
        "dataset": first.settings.dataset,
        "seeds": len(first.paths),
        "settings": {key: getattr(first.settings, key) for key in study.base},
        "variations": [_row(study, name, outcome) for name, outcome in outcomes.items()],
        "conclusion": conclude(study, outcomes),
        "picture": str(folder / "study.png"),
    }
    write_json(folder / "study.json", facts)
    return facts


def _row(study: Study, name: str, outcome: Outcome) -> dict[str, Any]:
    means = {key: {"mean": outcome.mean(key), "sd": outcome.sd(key)} for key in outcome.figures}
    each = [
        {"run": str(path)} | {key: values[seed] for key, values in outcome.figures.items()}
        for seed, path in enumerate(outcome.paths)
    ]
    shown = {key: getattr(outcome.settings, key) for key in study.shown}
    why = {"why": study.why[name]} if name in study.why else {}
    facts = {"variation": name, "settings": study.variations[name], "diverged": outcome.diverged}
    return facts | {"shown": shown, "figures": means, "runs": each} | why
