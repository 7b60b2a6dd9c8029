"""Initializers: shape, variance, bounds, seeds."""

import numpy as np
import pytest

from muslin import FeedForwardNeuralNetwork
from muslin.initializers import INITIALIZERS

OUT, IN = 300, 200

#: name → the variance that its source demands
VARIANCE = {
    "random": 1.0,
    "xavier": 2 / (IN + OUT),
    "xavier_uniform": 2 / (IN + OUT),
    "he": 2 / IN,
    "he_uniform": 2 / IN,
    "zeros": 0.0,
}
BOUND = {"xavier_uniform": (6 / (IN + OUT)) ** 0.5, "he_uniform": (6 / IN) ** 0.5}

each_initializer = pytest.mark.parametrize("name", INITIALIZERS)


def drawn(name, seed=0):
    return INITIALIZERS[name](np.random.default_rng(seed), OUT, IN)


@each_initializer
def test_shape_mean_and_variance(name):
    W = drawn(name)
    assert W.shape == (OUT, IN)
    assert W.var() == pytest.approx(VARIANCE[name], rel=0.03)  # five standard errors of 60,000 numbers
    assert abs(W.mean()) <= 5 * (VARIANCE[name] / W.size) ** 0.5


@pytest.mark.parametrize("name", BOUND)
def test_uniform_ones_fill_their_bounds_and_no_more(name):
    largest = np.abs(drawn(name)).max()
    assert 0.999 * BOUND[name] < largest <= BOUND[name]


@each_initializer
def test_the_seed_decides(name):
    np.testing.assert_array_equal(drawn(name), drawn(name))
    assert name == "zeros" or (drawn(name) != drawn(name, seed=1)).all()


@each_initializer
def test_network_draws_each_layer_anew_and_starts_biases_at_zero(name):
    network = FeedForwardNeuralNetwork([30, 30, 30], initializer=name, dtype=np.float64)
    expected = INITIALIZERS[name](np.random.default_rng(0), 30, 30)
    np.testing.assert_array_equal(network.weights[1], expected)
    assert name == "zeros" or not np.array_equal(network.weights[2], expected)
    assert not any(b.any() for b in network.biases.values())


def test_scale_multiplies_the_weights():
    plain, scaled = (FeedForwardNeuralNetwork([5, 4, 3], initializer_scale=scale) for scale in (1.0, 0.125))
    np.testing.assert_array_equal(scaled.theta, 0.125 * plain.theta)
