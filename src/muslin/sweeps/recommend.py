"""What to try next: a random forest learns the metric from the trials and is asked about configurations not yet tried.

The forest is the model of SMAC (Hutter, Hoos & Leyton-Brown, LION 2011), and of fANOVA in analysis.py. A sampler of
Optuna's would name configurations, too, but not what is to be expected of them, nor how sure that is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from muslin.sweeps.analysis import columns
from muslin.sweeps.file.schema import Metric
from muslin.sweeps.file.space import Config, Space, at, point
from muslin.sweeps.trial_store import Trial

#: trials below which the forest is not asked; configurations that it is asked about; its trees
ENOUGH, CANDIDATES, TREES = 10, 2000, 200
METHOD = (
    f"A random forest of {TREES} trees learned the metric from the trials and was asked about those of {CANDIDATES:,} "
    "random configurations that have not been tried; ± is the standard deviation over its trees."
)


@dataclass(frozen=True)
class Recommendation:
    """``configs``: [{"settings": {name: value}, "mean", "spread"}], the best first; ``error``: the mean distance of the
    forest from trials that it had not seen; ``explained``: R² on such trials; ``sentence``: how sure all that is."""

    configs: list[dict[str, Any]]
    sentence: str
    error: float | None = None
    explained: float | None = None


def recommend(space: Space, trials: Sequence[Trial], metric: Metric, count: int = 3, seed: int = 0) -> Recommendation:
    """The configurations of the space with the best predicted metric that no trial has had.

    trials: those with a value; one that was stopped early counts with the best value that it had, as it does for W&B.
    Otherwise the forest would not know of the regions that early stopping found to be bad.
    """
    if len(trials) < ENOUGH or len({t.value for t in trials}) == 1 or not space.searched:
        return Recommendation([], _why_not(space, trials))
    new = _untried(space, [t.config for t in trials], seed)
    if not new:
        return Recommendation([], f"Of {CANDIDATES:,} random configurations of the space, all have been tried.")
    y = _without_outliers(np.array([t.value for t in trials]), metric)
    X = np.stack([*columns(space, [t.config for t in trials] + new).values()], axis=1)
    forest = _forest(X[: len(y)], y, seed)
    by_tree = np.stack([tree.predict(X[len(y) :]) for tree in forest.estimators_])
    mean, spread = by_tree.mean(axis=0), by_tree.std(axis=0)
    best = np.argsort(-mean if metric.goal == "maximize" else mean, kind="stable")[:count]
    configs = [
        {"settings": _values(space, new[i]), "mean": float(mean[i]), "spread": float(spread[i])} for i in best.tolist()
    ]
    error = float(np.abs(forest.oob_prediction_ - y).mean())
    return Recommendation(configs, _how_sure(forest.oob_score_, error, metric, len(y)), error, forest.oob_score_)


def _why_not(space: Space, trials: Sequence[Trial]) -> str:
    if not space.searched:
        return "The sweep searches nothing: every parameter has one value."
    if len(trials) < ENOUGH:
        return f"Too few trials to learn from: {len(trials)} have a value, {ENOUGH} are needed."
    return "All trials have the same value; there is nothing to learn from them."


def _untried(space: Space, tried: Sequence[Config], seed: int) -> list[Config]:
    """Configurations drawn as a random search draws them, none of them twice."""
    known = {space.key(config) for config in tried}
    drawn = (space.config(point(space, seed, i)) for i in range(CANDIDATES))
    new = {space.key(config): config for config in drawn}
    return [config for key, config in new.items() if key not in known]


def _values(space: Space, config: Config) -> dict[str, Any]:
    return {leaf.name: at(config, leaf.name) for leaf in space.searched}


def _without_outliers(y: np.ndarray, metric: Metric) -> np.ndarray:
    """Values far on the worse side (three interquartile ranges beyond the quartile), such as the loss of a run that
    diverged, are moved in to that distance: how bad the bad are should not decide about the good."""
    low, high = np.quantile(y, (0.25, 0.75))
    far = 3 * (high - low)
    return np.maximum(y, low - far) if metric.goal == "maximize" else np.minimum(y, high + far)


def _forest(X: np.ndarray, y: np.ndarray, seed: int) -> Any:
    from sklearn.ensemble import RandomForestRegressor

    return RandomForestRegressor(TREES, oob_score=True, random_state=seed).fit(X, y)


def _how_sure(explained: float, error: float, metric: Metric, trials: int) -> str:
    if explained <= 0:
        return (
            f"On trials that a tree had not seen, the forest predicts {metric.name} no better than their mean does: "
            "take these as guesses."
        )
    trust = "a rough guide" if explained < 0.5 else "a fair guide" if explained < 0.8 else "a good guide"
    return (
        f"On trials that a tree had not seen, the forest is off by {error:.2g} on average and explains {explained:.0%} "
        f"of the variance of {metric.name} ({trials} trials): {trust}. It cannot predict a value better than all seen."
    )
