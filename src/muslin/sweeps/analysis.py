"""What a sweep teaches: which hyperparameters matter, which way, and how the best value came about.

analysis.json has all of it as data, the pictures of report/sweep_plots.py show it.
"""

import math
import warnings
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np

from muslin.documents import is_number
from muslin.files import write_json
from muslin.report import sweep_plots
from muslin.sweeps.directory import SweepDirectory
from muslin.sweeps.file.schema import Metric
from muslin.sweeps.file.space import Config, Space, at
from muslin.sweeps.storage import load_optuna
from muslin.sweeps.trial_store import Trial, TrialStore

#: trials with a value below which importance and correlation say nothing
ENOUGH = 8


def analyse(directory: SweepDirectory, study: TrialStore) -> list[str]:
    """Write analysis.json and the pictures; returns the pictures' names. Fewer where there are too few trials."""
    metric, space = directory.metric, directory.sweep.space
    trials = measured(study)
    if not trials:
        return []
    analysis = findings(directory, study, trials)
    write_json(directory.path / "analysis.json", analysis)
    names = [leaf.name for leaf in space.searched]
    pictures = {"best_so_far.png": lambda path: sweep_plots.best_so_far(analysis["best_so_far"], metric, path)}
    if "importance" in analysis and names:
        rows, scales = analysis["parallel_coordinates"], logarithmic(space)
        states = [t.state for t in trials]
        pictures["importance.png"] = lambda path: sweep_plots.importance(analysis["importance"], metric, path)
        pictures["correlation.png"] = lambda path: sweep_plots.correlation(analysis["correlation"], metric, path)
        pictures["parallel_coordinates.png"] = lambda path: sweep_plots.parallel_coordinates(
            rows, names, scales, metric, path
        )
        pictures["hyperparameters.png"] = lambda path: sweep_plots.hyperparameters(
            rows, states, names, scales, metric, path
        )
    for name, draw in pictures.items():
        draw(directory.path / name)
    return list(pictures)


def measured(study: TrialStore) -> list[Trial]:
    """The trials that have a value, in order of their creation."""
    return sorted((t for t in study.trials().values() if t.value is not None and t.state != "failed"), key=created)


def findings(
    directory: SweepDirectory, study: TrialStore, trials: Sequence[Trial], costly: bool = True
) -> dict[str, Any]:
    """What analysis.json holds, of at least one trial; importance and correlation only where there are enough, and
    where what is ``costly`` is wanted."""
    metric, space = directory.metric, directory.sweep.space
    names = [leaf.name for leaf in space.searched]
    analysis = {"metric": metric.name, "goal": metric.goal, "trials": len(trials)}
    analysis["best_so_far"] = best_so_far(trials, metric)
    analysis["parallel_coordinates"] = [
        {"trial": t.number, **{name: at(t.config, name) for name in names}, metric.name: t.value} for t in trials
    ]
    if costly and len(trials) >= ENOUGH and len({t.value for t in trials}) > 1:
        analysis["importance"] = importance(study, trials)
        analysis["correlation"] = correlation(space, trials)
    return analysis


def created(trial: Trial) -> tuple[datetime, int]:
    return trial.created, trial.number


def best_so_far(trials: Sequence[Trial], metric: Metric) -> list[dict[str, Any]]:
    """For each trial in order of creation: seconds since the first, its value, the best value up to it."""
    better = np.maximum if metric.goal == "maximize" else np.minimum
    best = better.accumulate(np.array([t.value for t in trials], float)).tolist()
    return [
        {
            "trial": t.number,
            "created": t.created.isoformat(),
            "seconds": _since(t, trials[0]),
            "value": t.value,
            "best": b,
        }
        for t, b in zip(trials, best, strict=True)
    ]


def _since(trial: Trial, first: Trial) -> float:
    return (trial.created - first.created).total_seconds()


def importance(study: TrialStore, trials: Sequence[Trial]) -> dict[str, dict[str, float]]:
    """{"fanova": {name: share}, "ped_anova": {…}}, each summing to 1.

    fANOVA: the share of the metric's variance that a hyperparameter alone explains, by a random forest (Hutter et al.
    2014). PED-ANOVA: how far its distribution among the best tenth differs from that of all (Watanabe et al. 2023).
    """
    optuna = load_optuna()
    stored = {t._trial_id: t for t in study.storage.get_all_trials(study.id, deepcopy=False)}
    mirror = optuna.create_study(direction=study.metric.goal)
    for trial in trials:
        original = stored[trial.id]
        mirror.add_trial(
            optuna.trial.create_trial(params=original.params, distributions=original.distributions, value=trial.value)
        )
    evaluators = {
        "fanova": optuna.importance.FanovaImportanceEvaluator(seed=0),
        "ped_anova": optuna.importance.PedAnovaImportanceEvaluator(),
    }
    shares = {}
    for name, evaluator in evaluators.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of experimental parts
            try:
                shares[name] = optuna.importance.get_param_importances(mirror, evaluator=evaluator)
            except (ValueError, RuntimeError):  # such as one value for all
                shares[name] = {}
    return shares


def correlation(space: Space, trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """[{"name", "value", "r"}]: Pearson's r of the metric with each of the `columns`."""
    y = np.array([t.value for t in trials])
    numbers = columns(space, [t.config for t in trials])
    rows = [{"name": name, "value": value, "r": _pearson(x, y)} for (name, value), x in numbers.items()]
    return [row for row in rows if row["r"] is not None]


def columns(space: Space, configs: Sequence[Config]) -> dict[tuple[str, str | None], np.ndarray]:
    """Configurations as numbers, {(name, value): (N,)}: a number itself (its logarithm where that is the scale) with
    the value None, and each choice, 1 where it was taken and 0 elsewhere."""
    vectors: dict[tuple[str, str | None], np.ndarray] = {}
    for leaf in space.searched:
        values = [at(config, leaf.name) for config in configs]
        if all(map(is_number, values)):
            numbers = np.array(values, float)
            log = leaf.name in logarithmic(space) and (numbers > 0).all()
            vectors[leaf.name, None] = np.log(numbers) if log else numbers
        else:
            texts = np.array([*map(str, values)])
            vectors |= {(leaf.name, text): (texts == text).astype(float) for text in sorted({*texts.tolist()})}
    return vectors


def _pearson(x: np.ndarray, y: np.ndarray) -> float | None:
    x, y = x - x.mean(), y - y.mean()
    norm = math.sqrt(float(x @ x) * float(y @ y))
    return float(x @ y) / norm if norm else None


def logarithmic(space: Space) -> set[str]:
    """Names that are better read on a logarithmic scale: drawn from one, or listed over more than two decades."""
    names = set()
    for leaf in space.searched:
        values = leaf.fields.get("values", ())
        numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
        listed = numbers and len(numbers) == len(values) and min(numbers) > 0 and max(numbers) / min(numbers) >= 10
        if "log" in leaf.distribution or listed:
            names.add(leaf.name)
    return names
