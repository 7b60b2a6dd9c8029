"""`fit(optimizer="lbfgs")`, against scikit-learn's."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from muslin import FeedForwardNeuralNetwork
from muslin.errors import Diverged, InputError
from muslin.training.settings import OPTIONS, WITH_FULL_BATCH

X, y = load_iris(return_X_y=True)
X = (X - X.mean(axis=0)) / X.std(axis=0)


def network(sizes=(4, 5, 3), **more):
    return FeedForwardNeuralNetwork(list(sizes), "tanh", "xavier", seed=1, dtype="float64", engine="numpy", **more)


def theirs(kind, start, X, y, **more):
    """scikit-learn's network from the same initial weights."""

    class Started(kind):
        def _initialize(self, y, layer_units, dtype):
            super()._initialize(y, layer_units, dtype)
            self.coefs_ = [W.T.copy() for W in start.weights.values()]
            self.intercepts_ = [b[:, 0].copy() for b in start.biases.values()]

    model = Started(hidden_layer_sizes=(5,), activation="tanh", solver="lbfgs", tol=1e-4, random_state=0, **more)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, y)


def test_it_takes_scikit_learns_steps():
    ours = network()
    model = theirs(MLPClassifier, ours, X, y, alpha=0.3, max_iter=12)
    history = ours.fit(X, y, optimizer="lbfgs", epochs=12, weight_decay=0.3 / len(X))
    assert len(history) == 12
    for W, coefs in zip(ours.weights.values(), model.coefs_, strict=True):
        np.testing.assert_allclose(W, coefs.T, rtol=1e-6, atol=1e-8)
    squares = sum((W**2).sum() for W in ours.weights.values())
    assert history[-1]["loss"] + 0.3 / len(X) / 2 * squares == pytest.approx(model.loss_)
    assert history[-1]["accuracy"] == pytest.approx(model.score(X, y))


def test_numbers():
    ours, Y = network((3, 5, 1), output="identity", loss="half_squared_error"), X[:, 3:]
    model = theirs(MLPRegressor, ours, X[:, :3], Y[:, 0], alpha=0.0, max_iter=15)
    history = ours.fit(X[:, :3], Y, optimizer="lbfgs", epochs=15)
    np.testing.assert_allclose(ours.predict(X[:, :3]), model.predict(X[:, :3]), rtol=1e-5, atol=1e-6)
    assert "accuracy" not in history[0]


def test_rows_and_weights_are_those_of_repeated_samples():
    rows, weights = np.arange(0, 150, 2), np.ones(150)
    weights[:50] = 3
    one, other = network(), network()
    one.fit(X, y, optimizer="lbfgs", epochs=8, rows=rows, sample_weight=weights)
    repeated = np.concatenate([rows, rows[rows < 50], rows[rows < 50]])
    other.fit(X[repeated], y[repeated], optimizer="lbfgs", epochs=8)
    np.testing.assert_allclose(one.theta, other.theta, rtol=1e-6, atol=1e-8)


def test_validation_patience_and_callbacks():
    ours, told = network(), []
    history = ours.fit(
        X,
        y,
        rows=np.arange(0, 150, 3),
        optimizer="lbfgs",
        epochs=200,
        validation_data=(X, y, np.arange(1, 150, 3)),
        patience=5,
        diagnostics=True,
        callbacks=[lambda state: told.append(state.epoch)],
    )
    assert told == list(range(1, len(history) + 1))
    assert len(history) < 200
    best = int(np.argmin(history["val_loss"]))
    assert len(history) == best + 1 + 5
    assert len(history[0]["gradient_norms"]) == 2
    figures = ours.fit(X, y, optimizer="lbfgs", epochs=1)  # goes on from the best epoch
    assert figures[0]["loss"] < 0.2


def test_a_callback_ends_it():
    history = network().fit(X, y, optimizer="lbfgs", callbacks=[lambda state: "enough" if state.epoch == 2 else None])
    assert len(history) == 2


def test_it_ends_where_the_loss_falls_no_more():
    ours = network()
    history = ours.fit(X, y, optimizer="lbfgs", epochs=500, weight_decay=0.1)
    assert len(history) < 200
    for epochs in (500, 1):
        assert len(ours.fit(X, y, optimizer="lbfgs", epochs=epochs, weight_decay=0.1)) == 1  # it is there already


VALUES = {"shuffle": False, "schedule": "cosine", "freeze": 1, "batch_size": 10, "clip_norm": 1.0, "learning_rate": 0.1}


@pytest.mark.parametrize("name", [n for n in OPTIONS if n not in ("optimizer", "seed", *WITH_FULL_BATCH)])
def test_options_of_steps_are_refused(name):
    ours = network()
    before = ours.theta.copy()
    with pytest.raises(InputError, match=f"lbfgs takes all samples .* leave out {name}"):
        ours.fit(X, y, optimizer="lbfgs", **{name: VALUES.get(name, 0.5)})
    np.testing.assert_array_equal(ours.theta, before)


@pytest.mark.parametrize("more", [{"checkpoint": "c"}, {"checkpoint": "c", "resume": True}])
def test_checkpoints_are_refused(more, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="leave out checkpoint and resume"):
        network().fit(X, y, optimizer="lbfgs", **more)


def test_batch_normalization_and_hyperparameters_are_refused():
    with pytest.raises(InputError, match="normalization must be none"):
        network(normalization="batch").fit(X, y, optimizer="lbfgs")
    with pytest.raises(InputError, match="no setting 'beta1'"):
        network().fit(X, y, optimizer="lbfgs", beta1=0.5)


@pytest.mark.filterwarnings("ignore:y has the mean")
def test_infinity_is_said():
    ours = network((4, 5, 1), output="identity", loss="mean_squared_error")
    with pytest.raises(Diverged, match="scale the inputs"):
        ours.fit(X, np.full((150, 1), 1e200), optimizer="lbfgs")
