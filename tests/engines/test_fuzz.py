"""Random configurations, trained by both engines: the same parameters, the same errors, no difference in silence."""

import importlib.util

import forms
import numpy as np
import pytest

from muslin import FeedForwardNeuralNetwork
from muslin.activations import ACTIVATIONS
from muslin.engines import blas, player
from muslin.initializers import INITIALIZERS
from muslin.losses import LOSSES
from muslin.optimizers import OPTIMIZERS
from muslin.schedules import SCHEDULES

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason="numba is missing: pip install 'muslin[fast]'"
)

CASES, EACH = 2000, 50


def choice(rng, options):
    options = list(options)
    return options[rng.integers(len(options))]


def samples(rng, n, inputs):
    """(N × inputs) in some type and layout."""
    kind = choice(rng, [np.uint8, np.float32, np.float32, np.float64, np.int32, np.float16, ">f4"])
    X = rng.integers(0, 256, (2 * n, 2 * inputs)).astype(kind)
    if X.dtype.kind == "f":
        X = (X / 255).astype(kind)
    layout = choice(rng, ["C", "C", "F", "rows", "columns", "read-only"])
    if layout == "rows":
        return X[::2, :inputs]
    if layout == "columns":
        return X[:n, ::2]
    X = np.array(X[:n, :inputs], order="F" if layout == "F" else "C")
    X.flags.writeable = layout != "read-only"
    return X


def configuration(seed, own):
    """(X, y, arguments of the network, settings of fit, threads); own: rows of a user are among the formulas."""
    rng = np.random.default_rng([seed, 9])
    n, classes = int(rng.integers(2, 130)), 4 if own else int(rng.integers(2, 9))
    sizes = [int(choice(rng, [1, 2, 3, 8, 33, 64])) for _ in range(rng.integers(1, 4))]
    X, y = samples(rng, n, sizes[0]), rng.integers(0, classes, n).astype(choice(rng, ["i8", "u1", ">i4", "i2"]))
    y[:2] = 0, 1

    def pick(table, rows, share):
        return choice(rng, rows if own and rng.random() < share else table)

    network = {
        "sizes": [*sizes, classes],
        "activation": pick(ACTIVATIONS, forms.ACTIVATIONS, 0.3),
        "initializer": choice(rng, INITIALIZERS),
        "loss": pick(LOSSES, forms.LOSSES, 0.6),
        "normalization": choice(rng, ["none", "none", "batch"]),
        "dtype": choice(rng, [np.float32, np.float64]),
        "seed": seed,
    }
    settings = {
        "optimizer": pick(OPTIMIZERS, forms.RULES, 0.3),
        "learning_rate": float(choice(rng, [1e-3, 1e-2])),
        "epochs": 2,
        "batch_size": min(n, int(choice(rng, [1, 2, 7, 16, 32, n]))),
        "weight_decay": float(choice(rng, [0, 0, 0.01])),
        "shuffle": bool(rng.integers(2)),
        "schedule": choice(rng, SCHEDULES),
        "warmup": float(choice(rng, [0, 0.5])),
        "dropout": float(choice(rng, [0, 0, 0, 0.3])),
        "clip_norm": choice(rng, [None, None, None, 0.5]),
        "freeze": int(rng.integers(len(sizes))),
        "label_smoothing": float(choice(rng, [0, 0.1])) if network["loss"] == "cross_entropy" else 0.0,
        "rows": choice(rng, [None, None, np.arange(n)[::-1]]),
    }
    return X, y, network, settings, int(choice(rng, [1, 1, 2, 3]))


def trained(engine, X, y, network, settings, threads, monkeypatch):
    """(θ, losses, note), or the type of the error."""
    forms.count[0], forms.WORN[...] = 0, forms.W64
    monkeypatch.setattr(player, "_threads", lambda step: min(threads, step.stride))
    try:
        net = FeedForwardNeuralNetwork(**network, engine=engine)
        with np.errstate(all="ignore"):
            history = net.fit(X.copy(order="K") if X.flags.forc else X, y, **settings)
    except (TypeError, ValueError, ArithmeticError, IndexError) as error:
        return type(error)
    return net.theta, history["loss"], history.engine_note


def difference(case, monkeypatch):
    """What is different between the engines, in words; None if nothing is."""
    X, y, network, settings, threads = case
    expected = trained("numpy", X, y, network, settings, 1, monkeypatch)
    actual = trained("numba", X, y, network, settings, 1, monkeypatch)
    if isinstance(expected, type) or isinstance(actual, type):
        return None if expected == actual else f"{expected} and {actual}"
    if not np.array_equal(expected[0], actual[0]):
        return f"parameters by {np.abs(expected[0] - actual[0]).max():.1e}"
    if not np.array_equal(actual[1], expected[1]):
        return f"losses {expected[1]} and {actual[1]}"
    if threads > 1 and network["dtype"] == np.float64:
        several = trained("numba", X, y, network, settings, threads, monkeypatch)
        if isinstance(several, type) or not np.allclose(several[0], expected[0], rtol=1e-4, atol=1e-6):
            return f"on {threads} threads, {several}"
    return None


@pytest.fixture
def tables(monkeypatch):
    for name, rows in (("losses", forms.LOSSES), ("activations", forms.ACTIVATIONS), ("optimizers", forms.RULES)):
        monkeypatch.setattr(FeedForwardNeuralNetwork, name, getattr(FeedForwardNeuralNetwork, name) | rows)


def differences(seeds, monkeypatch):
    with blas.threads(1):
        told = {seed: difference(configuration(seed, own=seed % 2 == 1), monkeypatch) for seed in seeds}
    return {seed: words for seed, words in told.items() if words}


@pytest.mark.filterwarnings("ignore")
def test_some_configurations(tables, monkeypatch):
    assert differences(range(20), monkeypatch) == {}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("start", range(0, CASES, EACH))
def test_2000_configurations(start, tables, monkeypatch):
    assert differences(range(start, start + EACH), monkeypatch) == {}
