"""What to try next. A search is asked for the trial of an index and told what came of it.

random, grid  the configuration depends on (seed, index) alone, whoever asks
bayes         Optuna's tree-structured Parzen estimator or Gaussian process, on all trials that it was told of

None asks for a configuration that there was already. W&B's searches do: of a small space most of their trials are.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from muslin.errors import InputError, lookup
from muslin.sweeps.file.schema import Sweep
from muslin.sweeps.file.space import Config, Grid, Space, point
from muslin.sweeps.file.spellings import SETTINGS, roots
from muslin.sweeps.mapping import Parameter, parameters
from muslin.sweeps.storage import load_optuna
from muslin.sweeps.trial_store import Asked, Trial

#: the names of a seed
SEEDS = {names for names, setting in SETTINGS.items() if setting == "seed"}

#: draws that may give nothing new before a space counts as exhausted; neighbors that are tried for each distance
PATIENCE, NEAR = 10_000, 200


class Search(Protocol):
    """What a sweep's loop asks. ``learns``: whether what it gives depends on what it was told; ``size``: how many there
    can be."""

    learns: bool
    size: float

    def ask(self, index: int) -> Asked: ...

    def tell(self, trial: Trial) -> None: ...


class Exhausted(InputError):
    """There is no configuration left that has not been run."""

    def __init__(self):
        super().__init__(f"{PATIENCE:,} draws gave no configuration that has not been run.")


class Points:
    """A search that learns nothing: index → point of the space."""

    learns = False

    def __init__(self, space: Space, at: Callable[[int], Sequence[float]], size: float = math.inf):
        self.space, self.at, self.size = space, at, size

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        return parameters(self.space)

    def ask(self, index: int) -> Asked:
        at = self.at(index)
        seen = {name: p.seen(u) for (name, p), u in zip(self.parameters.items(), at, strict=True)}
        return Asked(self.space.config(at), seen, {name: p.distribution for name, p in self.parameters.items()})

    def tell(self, trial: Trial) -> None:
        pass


class Draws:
    """The points of a random search, index → point. Of a finite space, those whose configuration an earlier one has are
    passed over."""

    def __init__(self, space: Space, seed: int):
        self.space, self.seed = space, seed
        self.points: list[list[float]] = []
        self.keys: set[str] = set()
        self.drawn = 0

    def __call__(self, index: int) -> Sequence[float]:
        if self.space.size == math.inf:
            return point(self.space, self.seed, index)
        while len(self.points) <= index:
            self.points.append(self._new())
        return self.points[index]

    def _new(self) -> list[float]:
        for _ in range(PATIENCE):
            drawn = point(self.space, self.seed, self.drawn)
            self.drawn += 1
            if (key := self.space.key(self.space.config(drawn))) not in self.keys:
                self.keys.add(key)
                return drawn
        raise Exhausted


class Bayes:
    """Searches on a study in memory that mirrors the stored one, so that asking reads no database. There a run stopped
    early counts with its value, as in W&B, and a failed one with the value that ``metric.impute`` says."""

    learns = True

    def __init__(self, sweep: Sweep, seed: int, sampler: str | None):
        optuna = load_optuna()
        assert sweep.metric  # without one there is no method bayes
        self.optuna, self.space, self.metric, self.seed = optuna, sweep.space, sweep.metric, seed
        self.sampler = lookup(SAMPLERS, "sampler", sampler)
        self.parameters = parameters(self.space)
        self.distributions = {name: p.distribution for name, p in self.parameters.items()}
        self.study = optuna.create_study(direction=self.metric.goal)
        self.mirrored: dict[int, int] = {}  # index → number in the mirror
        self.keys: set[str] = set()  # of the configurations that there were, where the space is finite
        self.size = self.space.size
        self.values: list[float] = []

    def ask(self, index: int) -> Asked:
        self.study.sampler = self.sampler(self.optuna, _seed(self.seed, index))
        trial = self.study.ask(self.distributions)
        config = self._config(trial.params)
        if not self._is_new(config):
            self.study.tell(trial, state=self.optuna.trial.TrialState.FAIL)  # which no sampler looks at
            return self._near(trial.params, index)
        self.mirrored[index] = trial.number
        self._know(config)
        return Asked(config, trial.params, self.distributions)

    def _config(self, params: dict[str, Any]) -> Config:
        return self.space.assemble({name: p.value(params[name]) for name, p in self.parameters.items()})

    def _is_new(self, config: Config) -> bool:
        return self.size == math.inf or self.space.key(config) not in self.keys

    def _know(self, config: Config) -> None:
        if self.size < math.inf:
            self.keys.add(self.space.key(config))

    def _near(self, params: dict[str, Any], index: int) -> Asked:
        """In place of a configuration that there was, one that there was not and that differs in as few values."""
        rng = np.random.default_rng([self.seed, index])
        for changed in range(1, len(params) + 1):
            for _ in range(PATIENCE if changed == len(params) else NEAR):
                names = rng.choice([*params], changed, replace=False).tolist()
                near = params | {name: self.parameters[name].seen(rng.random()) for name in names}
                if self._is_new(config := self._config(near)):
                    self._mirror(index, near)
                    self._know(config)
                    return Asked(config, near, self.distributions)
        raise Exhausted

    def _mirror(self, index: int, params: dict[str, Any]) -> None:
        """A trial that runs, of this index, which the sampler did not choose."""
        self.mirrored[index] = len(self.study.get_trials(deepcopy=False))
        state = self.optuna.trial.TrialState.RUNNING
        trial = {"params": params, "distributions": self.distributions}
        self.study.add_trial(self.optuna.trial.create_trial(state=state, **trial))

    def tell(self, trial: Trial) -> None:
        """Of a trial that runs or has ended; it may not have been asked for here."""
        states = self.optuna.trial.TrialState
        if trial.number not in self.mirrored:
            self._mirror(trial.number, trial.params)
            self._know(trial.config)
        if trial.state == "running":
            return
        value = trial.value if trial.state != "failed" else self._imputed(trial)
        if trial.value is not None and trial.state != "failed":
            self.values.append(trial.value)
        state = {"values": value} if value is not None else {"state": states.FAIL}
        self.study.tell(self.mirrored[trial.number], **state, skip_if_finished=True)

    def _imputed(self, trial: Trial) -> float | None:
        finite = [v for v in trial.history if math.isfinite(v)]
        if self.metric.impute == "latest" and finite:
            return finite[-1]
        return (min if self.metric.impute == "best" else max)(self.values, key=self.metric.cost, default=None)


class Repeated:
    """Each configuration of a search ``times`` times, one after the other, with seeds that count up."""

    def __init__(self, search: Search, times: int, seed_at: tuple[str, ...]):
        self.search, self.times, self.seed_at = search, times, seed_at
        self.learns, self.size = search.learns, search.size * times
        self.first: dict[int, Asked] = {}  # index of the first of its kind → Asked

    def ask(self, index: int) -> Asked:
        first = index - index % self.times
        if first not in self.first:
            self.first[first] = self.search.ask(first if self.learns else first // self.times)
        asked = self.first[first]
        return replace(asked, config=_seeded(asked.config, self.seed_at, index % self.times))

    def tell(self, trial: Trial) -> None:
        first = trial.number - trial.number % self.times
        if first == trial.number:
            self.first.setdefault(first, Asked(trial.config, trial.params, getattr(self.search, "distributions", {})))
        self.search.tell(trial)


def _seeded(config: Config, path: Sequence[str], more: int) -> Config:
    """The configuration with the seed at this path (of which the usual one is 0) that much higher."""
    if not path:
        return config
    first, *rest = path
    return config | {first: _seeded(config[first], rest, more) if rest else config.get(first, 0) + more}


def seed_at(sweep: Sweep) -> tuple[str, ...]:
    """The path of keys to a sweep's seed, which repeats change; () where a program has none.

    Raises InputError where the sweep searches it.
    """
    for leaf in sweep.space.leaves:
        if roots(leaf.path[-1]) in SEEDS:
            if not (leaf.constant and type(leaf(0.5)) is int):
                raise InputError(f"--repeats takes other seeds, but the file has values for {leaf.name}; leave it out.")
            return leaf.path
    return () if sweep.runs_program else ("seed",)


def _tpe(optuna: ModuleType, seed: int) -> Any:
    return optuna.samplers.TPESampler(multivariate=True, constant_liar=True, seed=seed)


def _gp(optuna: ModuleType, seed: int) -> Any:
    if find_spec("torch") is None:
        raise InputError("--sampler gp needs PyTorch and SciPy: pip install torch scipy (or take --sampler tpe).")
    return optuna.samplers.GPSampler(seed=seed)


#: name → (optuna, seed) → Optuna's sampler
SAMPLERS: dict[str, Callable[[ModuleType, int], Any]] = {"tpe": _tpe, "gp": _gp}


def _seed(seed: int, index: int) -> int:
    """A sampler of its own for each index: a resumed search does not draw its first numbers again."""
    return int(np.random.SeedSequence([seed, index]).generate_state(1)[0])


def _random(sweep: Sweep, seed: int, sampler: str | None) -> Points:
    return Points(sweep.space, Draws(sweep.space, seed), sweep.space.size)


def _grid(sweep: Sweep, seed: int, sampler: str | None) -> Points:
    grid = Grid(sweep.space)
    return Points(grid.space, grid.point, grid.size)


#: method → (sweep, seed, sampler) → search
SEARCHES: dict[str, Callable[[Sweep, int, str | None], Search]] = {"random": _random, "grid": _grid, "bayes": Bayes}
