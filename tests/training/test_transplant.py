"""Weights go from one network to another, as far as the layers are alike."""

import numpy as np
import pytest

from muslin import FeedForwardNeuralNetwork
from muslin.training.transfer import transplant


def network(*sizes, seed, dtype="float32"):
    made = FeedForwardNeuralNetwork(sizes, seed=seed, engine="numpy", dtype=dtype)
    made.theta[...] = np.random.default_rng(seed).normal(size=made.theta.size)  # the biases, too
    return made


@pytest.mark.parametrize(
    ("sizes", "layers", "copied"),
    [
        ((5, 4, 3, 2), None, [1, 2, 3]),
        ((5, 4, 3, 2), 2, [1, 2]),
        ((5, 4, 3, 2), 0, []),
        ((5, 4, 3, 7), None, [1, 2]),
        ((5, 4, 6, 2), None, [1]),
        ((5, 6, 3, 2), None, []),  # layer 3 is alike; what is below it is not
        ((6, 4, 3, 2), None, []),
        ((5, 4, 2), None, [1]),
        ((5, 4, 3, 2, 2), None, [1, 2, 3]),
    ],
)
def test_the_layers_that_are_alike_are_copied(sizes, layers, copied):
    source, target = network(5, 4, 3, 2, seed=1), network(*sizes, seed=2)
    learned, before = source.theta.copy(), network(*sizes, seed=2)
    assert transplant(source, target, layers) == copied
    for k in target.weights:
        origin = source if k in copied else before
        np.testing.assert_array_equal(target.weights[k], origin.weights[k])
        np.testing.assert_array_equal(target.biases[k], origin.biases[k])
        assert np.shares_memory(target.weights[k], target.theta)
        assert not np.shares_memory(target.weights[k], source.theta)
    np.testing.assert_array_equal(source.theta, learned)


def test_what_normalizes_a_layer_goes_with_it():
    X, y = np.random.default_rng(0).normal(3.0, 2.0, (40, 5)), np.arange(40) % 2
    source, target = (
        FeedForwardNeuralNetwork([5, 4, 3, 2], normalization="batch", seed=seed, engine="numpy") for seed in (1, 2)
    )
    source.fit(X, y, epochs=3, batch_size=8)
    assert not np.allclose(source.predict_proba(X), target.predict_proba(X))
    assert transplant(source, target) == [1, 2, 3]
    np.testing.assert_array_equal(target.predict_proba(X), source.predict_proba(X))
    assert transplant(source, network(5, 4, 3, 2, seed=3)) == []
    assert transplant(source, FeedForwardNeuralNetwork([5, 4, 7, 2], normalization="batch"), 3) == [1]


def test_another_precision_is_kept():
    source, target = network(5, 4, 2, seed=1), network(5, 4, 2, seed=2, dtype="float64")
    assert transplant(source, target) == [1, 2]
    assert target.theta.dtype == np.float64
    np.testing.assert_array_equal(target.theta, source.theta.astype(np.float64))
