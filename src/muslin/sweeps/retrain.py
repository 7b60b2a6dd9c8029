"""From a sweep to its one model: which trial, why, and with what settings it is trained again."""

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean

from muslin.errors import InputError
from muslin.evidence import spread
from muslin.runs import Run
from muslin.runs.settings import Settings
from muslin.sweeps.directory import SweepDirectory
from muslin.sweeps.file import spellings
from muslin.sweeps.scheduler import VALUED, best
from muslin.sweeps.trial_store import Trial


def need_ours(directory: SweepDirectory) -> None:
    if directory.sweep.runs_program:
        raise InputError(f"The trials of {directory.path} are a program's; only it can train its best one again.")


def choose(directory: SweepDirectory, trials: Sequence[Trial]) -> tuple[Trial, str]:
    """(trial, why), the best trial and a sentence on what made it so. Raises InputError if there is none."""
    need_ours(directory)
    metric = directory.metric
    if directory.repeats > 1:
        return _by_mean(directory, trials)
    trial = best(trials, metric)
    if trial is None:
        raise InputError(f"The sweep {directory.path} has no finished trial yet.")
    ended = [t for t in trials if t.value is not None and t.state in VALUED]
    why = f"{metric.name} {trial.value:.6g}, the {metric.extreme} of {len(ended)} trials"
    equals = sum(t.value == trial.value for t in ended) - 1
    if equals:
        why += f"; of {equals + 1} with this value it has the fewest parameters ({trial.parameters:,})"
    return trial, why


def _by_mean(directory: SweepDirectory, trials: Sequence[Trial]) -> tuple[Trial, str]:
    """Of repeats the configuration with the best mean; one that lacks a value of a repeat is left out."""
    groups, space, metric = defaultdict[str, list[Trial]](list), directory.sweep.space, directory.metric
    for trial in sorted(trials, key=lambda trial: trial.number):
        groups[space.key(trial.config)].append(trial)
    whole = [g for g in groups.values() if len(g) == directory.repeats and all(t.state in VALUED for t in g)]
    if not whole:
        raise InputError(f"The sweep {directory.path} has no configuration of which every repeat has finished yet.")
    valued = [(group[0], [trial.value for trial in group if trial.value is not None]) for group in whole]
    trial, values = min(valued, key=lambda first: metric.cost(fmean(first[1])))
    figure = f"{fmean(values):.6g} ± {spread(values):.2g} over {len(values)} seeds"
    return trial, f"{metric.name} {figure}, the {metric.extreme} mean of {len(whole)} configurations"


def final_settings(directory: SweepDirectory, trial: Trial, seed: int | None = None) -> Settings:
    """The trial's settings on all training data. Where early stopping chose the epoch, that many epochs."""
    settings = Settings.read(spellings.settings(trial.config)).model_dump()
    if settings["patience"] is not None:
        summary = Run(directory.path / trial.run).summary
        settings |= {"epochs": summary["best_epoch"], "patience": None, "monitor": None}
    return Settings.read(settings | {"validation": 0} | ({} if seed is None else {"seed": seed}))
