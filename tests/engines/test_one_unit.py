"""Networks with one unit, or one input: recorded, with the same bits in both engines. NumPy takes vectors there."""

import importlib.util

import numpy as np
import pytest

from muslin import FeedForwardNeuralNetwork
from muslin.engines import blas, player
from muslin.losses import half_squared_error, losses_of

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason="numba is missing: pip install 'muslin[fast]'"
)

N = 70
TARGETS = {
    "sigmoid": lambda rng: rng.integers(0, 2, (N, 1)),
    "identity": lambda rng: rng.standard_normal((N, 1)),
    "exponential": lambda rng: rng.integers(0, 5, (N, 1)),
}


def configuration(seed):
    """(X, y, weights, arguments of the network, settings of fit)"""
    rng = np.random.default_rng([seed, 1])

    def pick(*options):
        return options[rng.integers(len(options))]

    output = pick(*TARGETS)
    sizes = [int(pick(1, 2, 3, 9, 33, 70)), *(int(pick(2, 5, 33, 70)) for _ in range(rng.integers(3)))]
    sizes = sizes if len(sizes) > 1 or sizes[0] > 1 else [2]
    network = {
        "sizes": [*sizes, 1],
        "activation": pick("relu", "sigmoid", "tanh", "gelu"),
        "output": output,
        "loss": pick(*losses_of(output)),
        "dtype": pick(np.float32, np.float64),
        "normalization": pick("none", "none", "batch"),
        "seed": seed,
    }
    settings = {
        "epochs": 2,
        "batch_size": int(pick(2, 7, 14, 35, N)),
        "optimizer": pick("adam", "sgd", "nadam", "momentum"),
        "dropout": pick(0.0, 0.0, 0.3),
        "clip_norm": pick(None, None, 0.5),
        "weight_decay": pick(0.0, 0.01),
        "sample_weight": pick(None, None, rng.random(N) + 0.1),
    }
    return rng.standard_normal((N, sizes[0])), TARGETS[output](rng), network, settings


def check(seed, monkeypatch):
    X, y, network, settings = configuration(seed)
    made = {engine: FeedForwardNeuralNetwork(**network, engine=engine) for engine in ("numpy", "numba")}
    with blas.threads(1):
        losses = {engine: net.fit(X, y, **settings) for engine, net in made.items()}
    assert losses["numba"].engine_note is None, (network, settings)
    np.testing.assert_array_equal(made["numba"].theta, made["numpy"].theta, str((network, settings)))
    np.testing.assert_allclose(losses["numba"]["loss"], losses["numpy"]["loss"], rtol=1e-5)
    several = FeedForwardNeuralNetwork(**network, engine="numba")
    with monkeypatch.context() as patch:
        patch.setattr(player, "_threads", lambda step: 2)
        several.fit(X, y, **settings)
    if network["dtype"] == np.float64:
        np.testing.assert_allclose(several.theta, made["numpy"].theta, rtol=1e-4, atol=1e-6)


def summed_delta(Y_hat, Y):
    return np.add.reduce(Y_hat - Y, axis=0, keepdims=True)


def test_a_sum_over_one_unit_is_what_the_unit_has(monkeypatch):
    monkeypatch.setitem(FeedForwardNeuralNetwork.losses, "own", {"identity": (half_squared_error, summed_delta)})
    X, y = np.random.default_rng(0).standard_normal((N, 5)), np.arange(N)[:, None] / N
    thetas = []
    for loss in ("half_squared_error", "own"):
        network = FeedForwardNeuralNetwork([5, 4, 1], output="identity", loss=loss, engine="numba", seed=1)
        assert network.fit(X, y, epochs=2, batch_size=14).engine_note is None
        thetas.append(network.theta)
    np.testing.assert_array_equal(*thetas)


@pytest.mark.parametrize("seed", range(8))
def test_some(seed, monkeypatch):
    check(seed, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("start", range(8, 408, 50))
def test_400(start, monkeypatch):
    for seed in range(start, start + 50):
        check(seed, monkeypatch)
