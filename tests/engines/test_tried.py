"""A step of a kind that was tried need not be tried again; all else has to be."""

import importlib.util
from typing import ClassVar

import numpy as np
import pytest

from muslin import FeedForwardNeuralNetwork
from muslin.engines import player
from muslin.optimizers import OPTIMIZERS

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason="numba is missing: pip install 'muslin[fast]'"
)

rng = np.random.default_rng(0)
X, y = rng.integers(0, 256, (40, 6), dtype=np.uint8), rng.integers(0, 3, 40)


@pytest.fixture
def tries(monkeypatch):
    """The trials that took place."""
    made, call = [], player.Trial.__call__
    monkeypatch.setattr(player.Trial, "__call__", lambda self, *given: made.append(given) or call(self, *given))
    return made


class Own(FeedForwardNeuralNetwork):
    optimizers: ClassVar = dict(OPTIMIZERS)


def train(data=X, network=(), **settings):
    network = Own([6, 5, 3], engine="numba", **dict(network))
    history = network.fit(data, y, **{"epochs": 1, "batch_size": 8, "optimizer": "adam"} | settings)
    assert history.engine_note is None


@pytest.mark.parametrize("again", [{}, {"seed": 3}, {"learning_rate": 0.5}, {"network": {"seed": 2}}, {"beta1": 0.5}])
def test_values_that_flow_through_are_not_tried_again(again, tries):
    train()
    before = len(tries)
    train(**again)
    assert len(tries) == before > 0


@pytest.mark.parametrize(
    "other",
    [
        {"batch_size": 10},
        {"optimizer": "nadam"},
        {"dropout": 0.2},
        {"clip_norm": 1.0},
        {"weight_decay": 0.1},
        {"freeze": 1},
        {"sample_weight": np.ones(40)},
        {"data": X.astype(np.float32)},
        {"network": {"activation": "tanh"}},
        {"network": {"dtype": np.float64}},
        {"network": {"normalization": "batch"}},
        {"network": {"loss": "mean_squared_error"}},
    ],
)
def test_another_kind_is_tried(other, tries):
    train()
    before = len(tries)
    train(**other)
    assert len(tries) > before


def test_what_is_not_muslins_own_is_tried_each_time(tries, monkeypatch):
    monkeypatch.setitem(Own.optimizers, "mine", mine)
    train(optimizer="mine")
    before = len(tries)
    train(optimizer="mine")
    assert len(tries) == 2 * before > 0


def test_a_function_of_muslins_that_was_replaced_is_tried(tries, monkeypatch):
    train(optimizer="sgd")
    before = len(tries)
    monkeypatch.setattr(OPTIMIZERS["sgd"], "__code__", mine.__code__)
    train(optimizer="sgd")
    assert len(tries) > before


def mine(theta, g, *, learning_rate):
    return theta - 0.5 * learning_rate * g
