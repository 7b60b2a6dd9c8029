"""Losses, activations and rules of a user, in the forms of forms.py: the engines give the same, whatever the form."""

import importlib.util
import subprocess
import sys

import forms
import numpy as np
import pytest

from muslin import FeedForwardNeuralNetwork
from muslin.engines import blas

needs_numba = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason="numba is missing: pip install 'muslin[fast]'"
)

rng = np.random.default_rng(0)
X, y = rng.random((70, 33)).astype(np.float32), rng.integers(0, 4, 70)


def train(engine, *, labels=y, dtype=np.float32, loss="cross_entropy", activation="relu", **settings):
    """(θ, losses, note), or the error."""
    forms.count[0], forms.WORN[...] = 0, forms.W64
    network = FeedForwardNeuralNetwork([33, 24, 17, 4], activation, loss=loss, dtype=dtype, engine=engine, seed=1)
    try:
        with blas.threads(1), np.errstate(all="ignore"):
            history = network.fit(X, labels, **{"epochs": 2, "batch_size": 16} | settings)
    except (TypeError, ValueError, FloatingPointError) as error:
        return error
    return network.theta, history["loss"], history.engine_note


def same(**case):
    """Asserts that the engines do the same; returns the note of the numba engine."""
    numpy, numba = train("numpy", **case), train("numba", **case)
    if isinstance(numpy, Exception):
        assert type(numba) is type(numpy)
        return None
    np.testing.assert_array_equal(numba[0], numpy[0])
    np.testing.assert_allclose(numba[1], numpy[1], rtol=1e-5)
    return numba[2]


@needs_numba
@pytest.mark.filterwarnings("ignore:Conversion of an array with ndim")
@pytest.mark.parametrize("form", forms.LOSSES)
def test_a_loss_in_any_form(form, monkeypatch):
    monkeypatch.setitem(FeedForwardNeuralNetwork.losses, "own", forms.LOSSES[form])
    note = same(loss="own")
    assert (note is None) == (form in forms.RECORDED | forms.FAIL_ANYWHERE), note


@needs_numba
@pytest.mark.parametrize("form", forms.ACTIVATIONS)
def test_an_activation_in_any_form(form, monkeypatch):
    monkeypatch.setitem(FeedForwardNeuralNetwork.activations, "own", forms.ACTIVATIONS[form])
    same(activation="own")


@needs_numba
@pytest.mark.parametrize("form", forms.RULES)
def test_a_rule_in_any_form(form, monkeypatch):
    monkeypatch.setitem(FeedForwardNeuralNetwork.optimizers, "own", forms.RULES[form])
    same(optimizer="own")


@needs_numba
@pytest.mark.parametrize("dtype", [">i8", ">u2", "<i4", "u1", "i1"])
def test_labels_of_any_type(dtype):
    assert same(labels=y.astype(dtype)) is None


@needs_numba
@pytest.mark.parametrize("kind", ["activation", "loss", "optimizer"])
def test_a_number_of_the_module_that_changes_during_training(kind, monkeypatch):
    tables = FeedForwardNeuralNetwork
    monkeypatch.setitem(tables.losses, "own", forms.LOSSES["own_number"])
    monkeypatch.setitem(tables.activations, "own", forms.ACTIVATIONS["by_gamma"])
    monkeypatch.setitem(tables.optimizers, "own", forms.RULES["with_gamma"])

    def halve(state):
        forms.GAMMA /= 2

    def trained(engine):
        forms.GAMMA = 2.0
        return train(engine, **{kind: "own"}, callbacks=[halve], epochs=3)

    monkeypatch.setattr(forms, "GAMMA", 2.0)
    numpy, numba = trained("numpy"), trained("numba")
    np.testing.assert_array_equal(numba[0], numpy[0])
    assert "changed during training" in numba[2]


@needs_numba
@pytest.mark.parametrize("form", ["weighted_delta", "twice_the_weights", "twice_by_a_helper", "norm_of_the_weights"])
def test_an_array_of_the_module_that_changes_in_place_during_training(form, monkeypatch):
    monkeypatch.setitem(FeedForwardNeuralNetwork.losses, "own", forms.LOSSES[form])
    weights = forms.W64.copy()

    def halve(state):
        forms.W64[...] /= 2

    def trained(engine):
        forms.W64[...] = weights
        return train(engine, loss="own", callbacks=[halve], epochs=3)

    try:
        np.testing.assert_array_equal(trained("numba")[0], trained("numpy")[0])
        assert (trained("numpy")[0] != train("numpy", loss="own", epochs=3)[0]).any()
    finally:
        forms.W64[...] = weights


EDITED = """
def delta(P, Y):
    return {} * (P - Y)


def rule(theta, g, *, learning_rate):
    return theta - {} * g
"""


@needs_numba
def test_what_runs_counts_and_not_what_a_file_says_by_now(tmp_path, monkeypatch):
    path = tmp_path / "edited.py"
    path.write_text(EDITED.format(1.0, 0.01))
    spec = importlib.util.spec_from_file_location("edited", path)
    edited = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(edited)
    path.write_text(EDITED.format(7.0, 0.07))
    monkeypatch.setitem(FeedForwardNeuralNetwork.losses, "own", (forms.cross_entropy, edited.delta))
    monkeypatch.setitem(FeedForwardNeuralNetwork.optimizers, "own", edited.rule)
    assert "edited after it was imported" in same(loss="own")
    assert "edited after it was imported" in same(optimizer="own")


SWITCHED_OFF = """
import numpy as np
from muslin import FeedForwardNeuralNetwork
X, y = np.random.default_rng(0).random((40, 6)), np.arange(40) % 3
thetas = []
for engine in ("numpy", "numba"):
    network = FeedForwardNeuralNetwork([6, 5, 3], engine=engine)
    print(network.fit(X, y, epochs=2, batch_size=8).engine_note)
    thetas.append(network.theta)
assert (thetas[0] == thetas[1]).all()
"""


@needs_numba
def test_numba_that_is_switched_off(monkeypatch):
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    told = subprocess.run([sys.executable, "-c", SWITCHED_OFF], capture_output=True, text=True, check=True).stdout
    assert "NUMBA_DISABLE_JIT" in told
