"""What to try next: the forest finds the good region, says how sure it is, and says so where it cannot know."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from muslin.sweeps.file.schema import Metric
from muslin.sweeps.file.space import Space, draw
from muslin.sweeps.recommend import CANDIDATES, ENOUGH, recommend

SPACE = Space.of(
    {
        "lr": {"distribution": "log_uniform_values", "min": 1e-4, "max": 1.0},
        "net": {"parameters": {"act": {"values": ["relu", "tanh", None]}}},
        "size": {"values": [8, 16, 32]},
        "fixed": {"value": [1, 2]},
    }
)
SMALL = Space.of({"a": {"values": [1, 2, 3]}, "b": {"values": [True, False]}})


def good(config):
    """Best at a learning rate of 0.01 with tanh."""
    return -((math.log10(config["lr"]) + 2) ** 2) + (config["net"]["act"] == "tanh")


def trials(n, value=good, space=SPACE):
    configs = [draw(space, 7, i) for i in range(n)]
    return [SimpleNamespace(config=config, value=value(config)) for config in configs]


@pytest.mark.parametrize(("goal", "sign"), [("maximize", 1), ("minimize", -1)])
def test_it_finds_the_good_region(goal, sign):
    found = recommend(SPACE, trials(60, lambda config: sign * good(config)), Metric("score", goal))
    assert len(found.configs) == 3
    means = [sign * config["mean"] for config in found.configs]
    assert means == sorted(means, reverse=True)
    for config in found.configs:
        assert config["settings"].keys() == {"lr", "net.act", "size"}
        assert config["settings"]["net.act"] == "tanh"
        assert 0.003 < config["settings"]["lr"] < 0.03
        assert config["spread"] > 0
    assert found.explained > 0.5
    assert "score" in found.sentence


def test_the_same_trials_give_the_same_advice():
    metric = Metric("score", "maximize")
    assert recommend(SPACE, trials(20), metric) == recommend(SPACE, trials(20), metric)


def test_what_was_tried_is_not_recommended():
    configs = [{"a": a, "b": b} for a in (1, 2, 3) for b in (True, False)]
    some = [SimpleNamespace(config=c, value=i / 10) for i, c in enumerate(configs[:5] * 2)]
    found = recommend(SMALL, some, Metric("x"))
    assert [config["settings"] for config in found.configs] == [{"a": 3, "b": False}]
    every = [SimpleNamespace(config=c, value=i / 10) for i, c in enumerate(configs * 2)]
    assert recommend(SMALL, every, Metric("x")).sentence.endswith("all have been tried.")


@pytest.mark.parametrize(
    ("space", "some", "sentence"),
    [
        (SPACE, trials(ENOUGH - 1), "Too few trials to learn from: 9 have a value, 10 are needed."),
        (SPACE, [], "Too few trials to learn from: 0"),
        (SPACE, trials(20, lambda config: 0.1), "All trials have the same value"),
        (Space.of({"a": {"value": 1}}), [], "searches nothing"),
    ],
)
def test_where_there_is_nothing_to_learn_from_it_says_so(space, some, sentence):
    found = recommend(space, some, Metric("x"))
    assert found.configs == []
    assert sentence in found.sentence


def test_noise_is_called_a_guess():
    rng = np.random.default_rng(0)
    found = recommend(SPACE, trials(40, lambda config: rng.normal()), Metric("x"))
    assert found.explained < 0
    assert "no better than their mean" in found.sentence


def test_one_run_that_diverged_does_not_decide():
    some = trials(60, lambda config: -good(config))
    some[3].value = 1e200
    found = recommend(SPACE, some, Metric("loss"))
    assert found.configs[0]["settings"]["net.act"] == "tanh"
    assert found.error < 10


def test_a_wide_space_is_sampled():
    wide = Space.of({f"x{i}": {"min": -(10**9), "max": 10**9} for i in range(3)})
    found = recommend(wide, trials(12, lambda config: config["x0"], wide), Metric("x"), count=CANDIDATES + 5)
    assert len(found.configs) == CANDIDATES
