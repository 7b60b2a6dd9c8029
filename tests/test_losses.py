"""Losses: deltas through the softmax against central differences, values and deltas against PyTorch, means."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

from muslin import FeedForwardNeuralNetwork, InputError
from muslin.activations import log_softmax, softmax
from muslin.losses import LOSSES, losses_of, one_hot, pair

REFERENCES = Path(__file__).parent / "references"
RECORD = json.loads((REFERENCES / "references.json").read_text(encoding="utf-8"))["losses"]
MAKE = runpy.run_path(str(REFERENCES / "make.py"))

each_loss = pytest.mark.parametrize("name", losses_of("softmax"))


def batch_loss(name, A, Y):
    return pair(LOSSES, name, "softmax")[0](log_softmax(A), softmax(A), Y).sum()


def value(name, A, Y):
    """The loss of each sample, alone."""
    return np.array([batch_loss(name, A[:, [j]], Y[:, [j]]) for j in range(A.shape[1])])


def labels(smoothing=0.0):
    return one_hot(4, np.float64, smoothing)[MAKE["LABELS"]].T


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@each_loss
def test_delta_is_the_central_difference(name, smoothing):
    A, Y, step = MAKE["logits"](), labels(smoothing), 1e-5
    delta = pair(LOSSES, name, "softmax")[1](softmax(A), Y)
    for c in range(len(A)):
        move = np.zeros_like(A)
        move[c] = step
        numerical = (value(name, A + move, Y) - value(name, A - move, Y)) / (2 * step)
        np.testing.assert_allclose(delta[c], numerical, rtol=0, atol=1e-9)


@pytest.mark.parametrize("case", [*losses_of("softmax"), "cross_entropy, smoothed"])
def test_values_and_deltas_are_those_of_torch(case):
    name, _, smoothed = case.partition(", ")
    A, Y, (values, deltas) = MAKE["logits"](), labels(MAKE["SMOOTHING"] if smoothed else 0.0), RECORD[case]
    np.testing.assert_allclose(value(name, A, Y), values, rtol=0, atol=1e-14)
    np.testing.assert_allclose(pair(LOSSES, name, "softmax")[1](softmax(A), Y), deltas, rtol=0, atol=1e-14)


@each_loss
def test_the_loss_of_a_batch_is_the_sum(name):
    A, Y = MAKE["logits"](), labels()
    assert batch_loss(name, A, Y) == pytest.approx(value(name, A, Y).sum(), rel=1e-14)


@each_loss
def test_loss_and_gradients_are_means_over_the_batch(name):
    network = FeedForwardNeuralNetwork(MAKE["SIZES"], "tanh", "xavier", name, dtype=np.float64)
    X, y = MAKE["samples"](), np.array(MAKE["TARGETS"])
    loss, dW, db = network.loss_and_gradients(X, y)
    loss_3, dW_3, db_3 = network.loss_and_gradients(np.tile(X, (3, 1)), np.tile(y, 3))
    assert loss_3 == pytest.approx(loss, rel=1e-13)
    for k in dW:
        np.testing.assert_allclose(dW_3[k], dW[k], rtol=1e-11)
        np.testing.assert_allclose(db_3[k], db[k], rtol=1e-11)


@each_loss
def test_a_vanishing_probability_costs_no_infinity(name):
    A = np.array([[1e4], [-1e4]], np.float32)
    assert np.isfinite(batch_loss(name, A, np.array([[0.0], [1.0]], np.float32)))


def test_targets_by_hand():
    np.testing.assert_array_equal(one_hot(3, np.float32), np.eye(3))
    np.testing.assert_allclose(one_hot(4, np.float64, 0.2), 0.05 + 0.8 * np.eye(4), rtol=1e-15)
    assert one_hot(3, np.float32, 0.1).dtype == np.float32


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, float("nan")])
def test_smoothing_that_cannot_be(smoothing):
    with pytest.raises(InputError, match="label_smoothing is"):
        one_hot(3, np.float32, smoothing)
