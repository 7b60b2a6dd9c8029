"""The gradient check passes where the gradients are right, and fails where they are not."""

from itertools import product

import numpy as np
import pytest

from muslin.activations import ACTIVATIONS, relu, tanh, tanh_slope
from muslin.gradcheck import example, gradcheck
from muslin.losses import LOSSES, cross_entropy, cross_entropy_delta, losses_of
from muslin.outputs import OUTPUTS


def worst(*arguments, **options):
    return max(max(pair) for pair in gradcheck(*example(*arguments, **options)).values())


PAIRS = [(loss, output) for output in OUTPUTS for loss in losses_of(output)]


@pytest.mark.parametrize(("activation", "pair"), list(product(ACTIVATIONS, PAIRS)))
def test_right_gradients(activation, pair):
    loss, output = pair
    assert worst(activation, loss, output=output) < 1e-7


@pytest.mark.parametrize("hidden", [(), (3,), (4, 3, 5)])
def test_each_layer_is_checked(hidden):
    network, X, y = example("tanh", "cross_entropy", hidden=hidden)
    assert network.sizes == [5, *hidden, 4]
    assert list(gradcheck(network, X, y)) == list(range(1, len(hidden) + 2))


def test_the_parameters_are_put_back():
    network, X, y = example("tanh", "cross_entropy")
    before = network.theta.copy()
    gradcheck(network, X, y)
    np.testing.assert_array_equal(network.theta, before)


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("activations", (tanh, lambda a, h: 1.0 - h)),
        ("activations", (tanh, lambda a, h: 1.001 * tanh_slope(a, h))),
        ("activations", (relu, lambda a, h: a * 0.0)),
        ("losses", (cross_entropy, lambda Y_hat, Y: Y - Y_hat)),
        ("losses", (cross_entropy, lambda Y_hat, Y: cross_entropy_delta(Y_hat, Y) * 1.0001)),
    ],
    ids=["slope", "a thousandth off", "zero", "sign", "a ten-thousandth off"],
)
def test_wrong_gradients(table, row, monkeypatch):
    network = {"activations": ACTIVATIONS, "losses": LOSSES}[table]
    monkeypatch.setitem(network, "wrong", row)
    names = {"activations": "tanh", "losses": "cross_entropy"} | {table: "wrong"}
    assert worst(*names.values()) > 1e-5


def test_gradients_that_vanish_are_no_error():
    network, X, y = example("relu", "cross_entropy")
    network.weights[1] = 0
    network.biases[1] = -1  # every unit of layer 1 is dead
    errors = gradcheck(network, X, y)
    assert errors[1] == (0, 0)
    assert errors[3][1] < 1e-7
