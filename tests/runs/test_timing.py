"""What `muslin bench` times."""

import numpy as np
import pytest

from muslin import FeedForwardNeuralNetwork
from muslin.optimizers import OPTIMIZERS
from muslin.runs import timing


def test_a_step_is_that_of_training():
    network = FeedForwardNeuralNetwork([20, 8, 3])
    before = network.theta.copy()
    training = {"batch_size": 16, "optimizer": "momentum", "learning_rate": 0.01, "epochs": 99}
    seconds, _ = timing.step_seconds(network, training, samples=100, rounds=3)
    assert len(seconds) == 3
    assert all(0 < s < 1 for s in seconds)
    assert (network.theta != before).any()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_limit_is_for_any_optimizer(optimizer):
    network = FeedForwardNeuralNetwork([20, 8, 3])
    seconds = timing.limit_seconds(network, 16, optimizer, steps=2, rounds=3)
    assert len(seconds) == 3
    assert all(0 < s < 1 for s in seconds)


def test_the_limit_does_every_product_of_a_step(monkeypatch):
    """6 B Σ n_k n_{k−1} operations, less the 2 B n_1 n_0 of the slope at the inputs, which nobody needs."""
    network, done = FeedForwardNeuralNetwork([20, 8, 5, 3]), []
    multiply = np.matmul

    def counted(left, right, out):
        done.append(2 * left.shape[0] * left.shape[1] * right.shape[1])
        return multiply(left, right, out=out)

    step = timing.least(network, 16, "adam")
    monkeypatch.setattr(np, "matmul", counted)
    step()
    assert sum(done) == 6 * 16 * (20 * 8 + 8 * 5 + 5 * 3) - 2 * 16 * 20 * 8
