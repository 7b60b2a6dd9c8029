"""Callbacks: their order, their way to stop, early stopping, diagnostics."""

import numpy as np
import pytest

from muslin import FeedForwardNeuralNetwork, InputError
from muslin.activations import ACTIVATIONS
from muslin.training import Callback, Diagnostics, EarlyStopping, State, evaluate

N = 20
X = np.random.default_rng(1).standard_normal((N, 5))
y = (X @ np.random.default_rng(2).standard_normal((5, 3))).argmax(axis=1)


def small(**settings):
    return FeedForwardNeuralNetwork(**{"sizes": [5, 6, 4, 3], "activation": "tanh", "dtype": np.float64} | settings)


def fit(network, **settings):
    return network.fit(X, y, **{"epochs": 2, "batch_size": 10} | settings)


class Diary(Callback):
    def __init__(self, name, diary):
        self.name, self.diary = name, diary

    def on_begin(self, state):
        self.diary.append((self.name, "begin", state.step))

    def on_step(self, state, samples, loss, correct):
        self.diary.append((self.name, "step", state.step))

    def on_epoch(self, state):
        self.diary.append((self.name, "epoch", state.step))

    def on_end(self, state):
        self.diary.append((self.name, "end", state.step))


def test_order():
    diary = []
    fit(small(), callbacks=[Diary("a", diary), Diary("b", diary)])
    moments = [("begin", 0), ("step", 1), ("step", 2), ("epoch", 2), ("step", 3), ("step", 4), ("epoch", 4), ("end", 4)]
    assert diary == [(name, *moment) for moment in moments for name in "ab"]


def test_functions_are_called_after_each_epoch_with_its_figures():
    seen = []
    history = fit(small(), callbacks=[lambda state: seen.append(dict(state.history[-1]))], validation_data=(X, y))
    assert seen == history
    assert [row["epoch"] for row in history] == [1, 2]
    assert {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds", "samples_per_second"} < set(
        seen[0]
    )


def test_a_returned_reason_stops_and_the_others_still_hear_of_the_epoch():
    diary, states = [], []

    class Watch(Callback):
        def on_end(self, state):
            states.append(state)

    stop = [lambda state: "enough" if state.epoch == 3 else None]
    history = fit(small(), epochs=9, callbacks=[*stop, Diary("a", diary), Watch()])
    assert len(history) == 3
    assert diary[-2:] == [("a", "epoch", 6), ("a", "end", 6)]
    assert states[0].stopped == "enough"


@pytest.mark.parametrize("callback", [3, Callback])
def test_what_is_no_callback(callback):
    with pytest.raises(InputError, match="callback"):
        fit(small(), callbacks=[callback])


# Early stopping


def stopping(values, metric="val_loss", patience=2):
    """An early stopping that saw these values, epoch by epoch, with θ = 1, 2, …: (reason, θ at the end)."""
    network, stop, reason = small(), EarlyStopping(patience, metric), None
    state = State(network, "sgd", {})
    for value in values:
        assert reason is None
        state.epoch += 1
        network.theta[...] = state.epoch
        state.history.append({"epoch": state.epoch, metric: value})
        reason = stop.on_epoch(state)
    stop.on_end(state)
    return reason, set(network.theta)


@pytest.mark.parametrize(
    ("values", "metric", "stopped", "best"),
    [
        ([3, 2, 2.5, 2.1], "val_loss", True, 2),
        ([3, 2, 2.5, 1.9, 1.95], "val_loss", False, 4),
        ([3, 2, 2, 2], "loss", True, 2),  # as good is no better
        ([0.5, 0.7, 0.6, 0.65], "val_accuracy", True, 2),
        ([0.5, 0.7, 0.6, 0.8], "accuracy", False, 4),
        ([3, float("nan"), 2, 2.5], "val_loss", False, 3),  # no number is never the best
    ],
)
def test_early_stopping_by_hand(values, metric, stopped, best):
    reason, thetas = stopping(values, metric)
    assert thetas == {best}
    assert (reason is not None) == stopped
    if stopped:
        assert reason == f"no better {metric} than that of epoch {best} for 2 epochs"


@pytest.mark.parametrize(("monitor", "best"), [(None, min), ("val_loss", min), ("val_accuracy", max), ("loss", min)])
def test_fit_puts_the_best_parameters_back(monitor, best):
    network, metric = small(), monitor or "val_loss"
    thetas = []
    history = fit(
        network,
        epochs=60,
        learning_rate=0.2,
        patience=3,
        monitor=monitor,
        validation_data=(X[::2], y[::-2]),
        callbacks=[lambda state: thetas.append(state.network.theta.copy())],
    )
    epoch = history[metric].index(best(history[metric]))
    assert len(history) == min(epoch + 1 + 3, 60)
    np.testing.assert_array_equal(network.theta, thetas[epoch])
    if metric.startswith("val"):
        loss, accuracy, _ = evaluate(network, X[::2], y[::-2])
        assert {"val_loss": loss, "val_accuracy": accuracy}[metric] == best(history[metric])


def test_without_validation_data_the_loss_is_watched():
    network = small()
    assert len(fit(network, epochs=100, learning_rate=0.5, optimizer="momentum", patience=2)) < 100


@pytest.mark.parametrize("patience", [0, -1, 1.5, "a", True])
def test_patience_that_cannot_be(patience):
    with pytest.raises(InputError, match="patience is"):
        EarlyStopping(patience)


def test_a_figure_that_is_not_recorded_cannot_be_monitored():
    with pytest.raises(InputError, match=r"'val_los'; choose from .* Did you mean 'val_loss'\?$"):
        fit(small(), patience=2, monitor="val_los", validation_data=(X, y))


# Diagnostics


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_diagnostics_are_measured_after_the_epoch(activation):
    network = small(activation=activation)
    history = fit(network, diagnostics=True)
    _, dW, _ = network.loss_and_gradients(X, y)
    norms = [np.sqrt((dW[k] ** 2).sum()) for k in (1, 2, 3)]
    np.testing.assert_allclose(history[-1]["gradient_norms"], norms, rtol=1e-10)
    assert all(0 <= share <= 1 for share in history[-1]["dead_units"])
    assert len(history[-1]["dead_units"]) == 2


def test_dead_units_by_hand():
    network = small(activation="relu")
    state = State(network, "sgd", {})
    state.history.append({})
    network.biases[1][:3] = -1e3  # three of the six units of layer 1
    network.biases[2][...] = -1e3
    Diagnostics(X, y, np.arange(N)).on_epoch(state)
    assert state.history == [{"gradient_norms": [0, 0, 0], "dead_units": [0.5, 1.0]}]


def test_diagnostics_leave_the_parameters_alone():
    plain, watched = small(), small()
    fit(plain, dropout=0.2)
    fit(watched, dropout=0.2, diagnostics=True)
    np.testing.assert_array_equal(plain.theta, watched.theta)


def test_diagnostics_take_at_most_a_thousand_of_the_training_samples():
    rng, network = np.random.default_rng(0), small()
    many, labels = rng.standard_normal((3000, 5)), rng.integers(0, 3, 3000)
    history = network.fit(many, labels, rows=np.arange(2000), epochs=1, batch_size=100, diagnostics=True)
    _, dW, _ = network.loss_and_gradients(many[:2000:2], labels[:2000:2])
    assert history[0]["gradient_norms"] == pytest.approx([np.linalg.norm(W) for W in dW.values()])
