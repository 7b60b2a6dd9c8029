"""Predictions from tape, beside the forward pass written out in NumPy, and beside the network as it is now."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

pytest.importorskip("numba", reason="numba is missing: pip install 'muslin[fast]'")

from muslin import FeedForwardNeuralNetwork, InputError
from muslin.activations import ACTIVATIONS
from muslin.engines import prediction

rng = np.random.default_rng(0)
PIXELS = rng.integers(0, 256, (700, 12), dtype=np.uint8)


def network(sizes=(12, 9, 8, 4), activation="relu", dtype=np.float32, **more):
    net = FeedForwardNeuralNetwork(sizes, activation, dtype=dtype, seed=3, engine="numba", **more)
    net.theta[...] = np.random.default_rng(1).normal(0, 0.5, net.theta.size)
    return net


def by_hand(net, X):
    """The equations in float64, one sample a row."""
    H = X / 255 if X.dtype == np.uint8 else X.astype(np.float64)
    for k in range(1, net.L + 1):
        A = H @ net.weights[k].T.astype(np.float64) + net.biases[k][:, 0]
        H = net.function(A) if k < net.L else np.exp(A - A.max(axis=1, keepdims=True))
    return H / H.sum(axis=1, keepdims=True)


@pytest.fixture
def taped(monkeypatch):
    """How many passes were written down."""
    made = []

    class Pass(prediction.Pass):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            made.append(self)

    monkeypatch.setattr(prediction, "Pass", Pass)
    return made


@pytest.mark.parametrize("n", [1, 2, 255, 256, 257, 700])
@pytest.mark.parametrize("kind", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_any_number_of_samples_of_any_kind(n, kind, dtype, taped):
    net, X = network(dtype=dtype), PIXELS[:n] if kind == np.uint8 else (PIXELS[:n] / 255).astype(kind)
    P = net.predict_proba(X)
    assert taped
    assert P.dtype == dtype
    np.testing.assert_allclose(P, by_hand(net, X), atol=1e-6 if dtype == np.float32 else 1e-13)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("n", [1, 3])
def test_every_activation(activation, n, taped):
    net = network(activation=activation)
    np.testing.assert_allclose(net.predict_proba(PIXELS[:n]), by_hand(net, PIXELS[:n]), atol=2e-6)
    assert taped


@pytest.mark.parametrize("sizes", [(12, 4), (12, 1, 2), (12, 7, 1, 3), (12, 13, 2)])
@pytest.mark.parametrize("n", [1, 5])
def test_every_shape(sizes, n, taped):
    net = network(sizes)
    np.testing.assert_allclose(net.predict_proba(PIXELS[:n]), by_hand(net, PIXELS[:n]), atol=1e-6)
    assert taped


def test_it_is_written_down_once_and_holds_while_parameters_change(taped):
    net = network()
    for _ in range(5):
        net.theta[...] *= 0.9
        for X in (PIXELS[:1], PIXELS):
            np.testing.assert_allclose(net.predict_proba(X), by_hand(net, X), atol=1e-6)
    assert len(taped) <= 1 + 2 + 1  # one sample; a chunk on each of two threads; what is left over


def test_what_changes_is_seen(monkeypatch):
    net = network()
    net.predict_proba(PIXELS[:1])
    net.function = np.tanh
    np.testing.assert_allclose(net.predict_proba(PIXELS[:1]), by_hand(net, PIXELS[:1]), atol=1e-6)
    net.function = ACTIVATIONS["tanh"][0]
    np.testing.assert_allclose(net.predict_proba(PIXELS[:1]), by_hand(net, PIXELS[:1]), atol=1e-6)


STEEPNESS = 1.0


def steep(a):
    return np.tanh(STEEPNESS * a)


def test_a_number_that_the_activation_takes_from_its_module_is_seen(taped, monkeypatch):
    net = network()
    net.function = steep
    for steepness in (1.0, 3.0, 3.0):
        monkeypatch.setitem(globals(), "STEEPNESS", steepness)
        np.testing.assert_allclose(net.predict_proba(PIXELS[:1]), by_hand(net, PIXELS[:1]), atol=1e-6)
    assert len(taped) == 2


def test_a_forward_pass_of_ones_own_is_taken(taped):
    class Own(FeedForwardNeuralNetwork):
        def forward(self, s, engine=None):
            s.H[self.L][...] = 0.25

    net = Own([12, 9, 4], engine="numba")
    np.testing.assert_array_equal(net.predict_proba(PIXELS[:1]), [[0.25] * 4])
    net = network()
    net.forward = lambda s: s.H[net.L].fill(0.5)
    np.testing.assert_array_equal(net.predict_proba(PIXELS[:1]), [[0.5] * 4])
    assert not taped


def test_other_arrays_go_the_plain_way(taped):
    net, X = network(), (PIXELS / 255).astype(np.float32)
    others = X.tolist(), np.asfortranarray(X), X[::-1], X.astype(">f4"), X.astype(np.float16), X[:, None]
    for other in others:
        rows = np.asarray(other, np.float64).reshape(700, 12)
        np.testing.assert_allclose(net.predict_proba(other), by_hand(net, rows), atol=1e-6)
    assert not taped


@pytest.mark.parametrize("n", [1, 700])
def test_what_is_infinite_in_the_networks_precision_is_refused(n):
    X = PIXELS[:n] / 255
    X[n // 2, 5] = 1e300
    with pytest.raises(InputError, match=rf"row {n // 2}, column 5"):
        network().predict_proba(X)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("n", [1, 2, 700])
def test_numbers_that_are_not_finite_are_refused(value, n):
    net, X = network(), (PIXELS[:n] / 255).astype(np.float32)
    X[n // 2, 5] = value
    with pytest.raises(InputError, match=rf"row {n // 2}, column 5"):
        net.predict_proba(X)
    X[n // 2, 5] = 0.5
    np.testing.assert_allclose(net.predict_proba(X), by_hand(net, X), atol=1e-6)


def test_the_number_of_threads_is_not_seen_in_the_bits(monkeypatch):
    net, found = network(), []
    for threads in (1, 2, 3):
        monkeypatch.setattr(prediction.blas, "n_threads", lambda n=threads: n)
        found.append(net.predict_proba(PIXELS))
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], found[0])


def test_many_threads_at_once():
    net, expected = network(), by_hand(network(), PIXELS)

    def ask(i):
        n = 1 + i % 3
        return np.abs(net.predict_proba(PIXELS[i : i + n]) - expected[i : i + n]).max()

    with ThreadPoolExecutor(8) as pool:
        assert max(pool.map(ask, range(600))) < 1e-6


def test_copies_have_their_own():
    net = network()
    net.predict_proba(PIXELS[:1])
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        other.theta[...] *= 0.5
        np.testing.assert_allclose(other.predict_proba(PIXELS[:1]), by_hand(other, PIXELS[:1]), atol=1e-6)
    np.testing.assert_allclose(net.predict_proba(PIXELS[:1]), by_hand(net, PIXELS[:1]), atol=1e-6)


def test_the_result_is_the_callers_own():
    net = network()
    first, second = net.predict_proba(PIXELS[:1]), net.predict_proba(PIXELS[1:2])
    np.testing.assert_allclose(first, by_hand(net, PIXELS[:1]), atol=1e-6)
    assert not np.shares_memory(first, second)


@pytest.mark.parametrize("n", [1, 300])
def test_samples_of_another_scale_are_refused_on_tape_too(n):
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 256, (300, 12), np.uint8), np.arange(300) % 3
    network = FeedForwardNeuralNetwork([12, 8, 3], engine="numba")
    network.fit(X, y, epochs=1)
    assert network.predict(X[:n]).tolist() == network.predict(X[:n] / np.float32(255)).tolist()
    with pytest.raises(InputError, match="divide by 255"):
        network.predict(X[:n].astype(np.float32))
    network = FeedForwardNeuralNetwork([12, 8, 3], engine="numba")
    network.fit(X / 2.55, y, epochs=1)
    with pytest.raises(InputError, match="X holds uint8"):
        network.predict(X[:n])
    with pytest.warns(UserWarning, match="same scale"):
        network.predict(X[:n] * 1e3)


def test_many_samples_that_are_much_smaller_are_warned_of():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(600, 12)), np.arange(600) % 3
    network = FeedForwardNeuralNetwork([12, 8, 3], engine="numba")
    network.fit(X, y, epochs=1)
    with pytest.warns(UserWarning, match="same scale"):
        network.predict(X / 1e4)
