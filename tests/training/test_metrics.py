"""Metrics: loss and accuracy of a network on given samples, by hand."""

import numpy as np
import pytest

from muslin import FeedForwardNeuralNetwork
from muslin.losses import losses_of
from muslin.training import evaluate

X = np.random.default_rng(1).standard_normal((1100, 5))  # more than two chunks
y = np.random.default_rng(2).integers(0, 3, 1100)

#: loss → that of each sample, from the probability of its class and the sum of all squared probabilities
LOSSES = {
    "cross_entropy": lambda p, squares: -np.log(p),
    "mean_squared_error": lambda p, squares: squares - 2 * p + 1,
}


@pytest.mark.parametrize("engine", ["numpy", "auto"])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("rows", [None, np.arange(5, 900, 3), [7, 2, 1000]])
def test_evaluate_by_hand(loss, rows, engine):
    assert list(LOSSES) == losses_of("softmax")
    network = FeedForwardNeuralNetwork([5, 8, 3], loss=loss, dtype=np.float64, engine=engine)
    chosen = np.arange(1100) if rows is None else rows
    P = network.predict_proba(X)[chosen]
    losses = LOSSES[loss](P[np.arange(len(P)), y[chosen]], (P**2).sum(axis=1))
    found, accuracy, predicted = evaluate(network, X, y, rows)
    assert found == pytest.approx(losses.mean(), rel=1e-12)
    assert accuracy == pytest.approx((P.argmax(axis=1) == y[chosen]).mean())
    np.testing.assert_array_equal(predicted, P.argmax(axis=1))


def test_bytes_are_scaled():
    pixels = np.random.default_rng(0).integers(0, 256, (1100, 5), dtype=np.uint8)
    network = FeedForwardNeuralNetwork([5, 8, 3], dtype=np.float64)
    assert evaluate(network, pixels, y)[0] == pytest.approx(evaluate(network, pixels / 255, y)[0], rel=1e-12)
