"""What to try next. A search is asked for the trial of an index and told what came of it.

random, grid  the configuration depends on (seed, index) alone, whoever asks
bayes         Optuna's tree-structured Parzen estimator or Gaussian process, on all trials that it was told of
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec

import numpy as np

from muslin.errors import InputError, lookup
from muslin.sweeps.file.space import Grid, point
from muslin.sweeps.mapping import parameters
from muslin.sweeps.storage import load_optuna


@dataclass(frozen=True)
class Asked:
    """The configuration of a trial, and the same as Optuna stores it."""

    config: dict
    params: dict
    distributions: dict


class Points:
    """A search that learns nothing: index → point of the space."""

    learns = False

    def __init__(self, space, at: Callable, size=math.inf):
        self.space, self.at, self.size = space, at, size

    @cached_property
    def parameters(self):
        return parameters(self.space)

    def ask(self, index):
        at = self.at(index)
        seen = {name: p.seen(u) for (name, p), u in zip(self.parameters.items(), at, strict=True)}
        return Asked(self.space.config(at), seen, {name: p.distribution for name, p in self.parameters.items()})

    def tell(self, trial):
        pass


class Bayes:
    """Searches on a study in memory that mirrors the stored one, so that asking reads no database. There a run stopped
    early counts with its value, as in W&B, and a failed one with the value that ``metric.impute`` says."""

    size = math.inf
    learns = True

    def __init__(self, sweep, seed, sampler):
        optuna = load_optuna()
        self.optuna, self.space, self.metric, self.seed = optuna, sweep.space, sweep.metric, seed
        self.sampler = lookup(SAMPLERS, "sampler", sampler)
        self.parameters = parameters(self.space)
        self.distributions = {name: p.distribution for name, p in self.parameters.items()}
        self.study = optuna.create_study(direction=self.metric.goal)
        self.mirrored = {}  # index → number in the mirror
        self.values = []

    def ask(self, index):
        self.study.sampler = self.sampler(self.optuna, _seed(self.seed, index))
        trial = self.study.ask(self.distributions)
        self.mirrored[index] = trial.number
        config = self.space.assemble({name: p.value(trial.params[name]) for name, p in self.parameters.items()})
        return Asked(config, trial.params, self.distributions)

    def tell(self, trial):
        """Of a trial that runs or has ended; it may not have been asked for here."""
        states = self.optuna.trial.TrialState
        if trial.number not in self.mirrored:
            self.mirrored[trial.number] = len(self.study.get_trials(deepcopy=False))
            found = {"params": trial.params, "distributions": self.distributions}
            self.study.add_trial(self.optuna.trial.create_trial(state=states.RUNNING, **found))
        if trial.state == "running":
            return
        value = trial.value if trial.state != "failed" else self._imputed(trial)
        if trial.value is not None and trial.state != "failed":
            self.values.append(trial.value)
        state = {"values": value} if value is not None else {"state": states.FAIL}
        self.study.tell(self.mirrored[trial.number], **state, skip_if_finished=True)

    def _imputed(self, trial):
        finite = [v for v in trial.history if math.isfinite(v)]
        if self.metric.impute == "latest" and finite:
            return finite[-1]
        worst = self.metric.impute != "best"
        return (max if worst == (self.metric.goal == "minimize") else min)(self.values, default=None)


def _tpe(optuna, seed):
    return optuna.samplers.TPESampler(multivariate=True, constant_liar=True, seed=seed)


def _gp(optuna, seed):
    if find_spec("torch") is None:
        raise InputError("--sampler gp needs PyTorch and SciPy: pip install torch scipy (or take --sampler tpe).")
    return optuna.samplers.GPSampler(seed=seed)


#: name → (optuna, seed) → Optuna's sampler
SAMPLERS = {"tpe": _tpe, "gp": _gp}


def _seed(seed, index):
    """A sampler of its own for each index: a resumed search does not draw its first numbers again."""
    return int(np.random.SeedSequence([seed, index]).generate_state(1)[0])


def _random(sweep, seed, sampler):
    return Points(sweep.space, lambda index: point(sweep.space, seed, index))


def _grid(sweep, seed, sampler):
    grid = Grid(sweep.space)
    return Points(grid.space, grid.point, grid.size)


#: method → (sweep, seed, sampler) → search
SEARCHES = {"random": _random, "grid": _grid, "bayes": Bayes}
