"""From a sweep to its one model: which trial, why, and with what settings it is trained again."""

from muslin.errors import InputError
from muslin.runs import Run
from muslin.runs.settings import Settings
from muslin.sweeps.file import spellings
from muslin.sweeps.scheduler import best


def choose(directory, trials):
    """(trial, why), the best trial and a sentence on what made it so. Raises InputError if there is none."""
    if directory.sweep.runs_program:
        raise InputError(f"The trials of {directory.path} are a program's; only it can train its best one again.")
    metric = directory.metric
    trial = best(trials, metric)
    if trial is None:
        raise InputError(f"The sweep {directory.path} has no finished trial yet.")
    ended = [t for t in trials if t.value is not None and t.state in ("finished", "stopped_early")]
    extreme = "highest" if metric.goal == "maximize" else "lowest"
    why = f"{metric.name} {trial.value:.6g}, the {extreme} of {len(ended)} trials"
    equals = sum(t.value == trial.value for t in ended) - 1
    if equals:
        why += f"; of {equals + 1} with this value it has the fewest parameters ({trial.parameters:,})"
    return trial, why


def final_settings(directory, trial, seed=None):
    """The trial's settings on all training data. Where early stopping chose the epoch, that many epochs."""
    settings = Settings.read(spellings.settings(trial.config)).model_dump()
    if settings["patience"] is not None:
        summary = Run(directory.path / trial.run).summary
        settings |= {"epochs": summary["best_epoch"], "patience": None, "monitor": None}
    return Settings.read(settings | {"validation": 0} | ({} if seed is None else {"seed": seed}))
