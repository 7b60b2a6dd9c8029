"""Steps played from tape, on one thread and several, against the same steps taken one by one."""

import importlib.util
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import numpy as np
import pytest

from muslin import FeedForwardNeuralNetwork
from muslin.activations import ACTIVATIONS
from muslin.engines import player
from muslin.errors import Diverged
from muslin.losses import cross_entropy_delta, losses_of, softmax_squared_error_delta
from muslin.optimizers import OPTIMIZERS
from muslin.training import Callback

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason="numba is missing: pip install 'muslin[fast]'"
)

N = 70
rng = np.random.default_rng(0)
X, y = rng.integers(0, 256, (N, 33), dtype=np.uint8), rng.integers(0, 4, N)


class Watch(Callback):
    def on_step(self, state, samples, loss, correct):
        """Being there is enough for steps to be taken one by one."""


@pytest.fixture
def threads(monkeypatch):
    """threads(n): steps are played on n threads from now on."""

    def set_(n):
        monkeypatch.setattr(player, "_threads", lambda step: n)

    return set_


@pytest.fixture
def recorded(monkeypatch):
    """The steps that were played, and not taken one by one."""
    made = []

    class Player(player.Player):
        def __init__(self, step, *pool):
            super().__init__(step, *pool)
            made.append(step)

    monkeypatch.setattr(player, "Player", Player)
    return made


def train(callbacks=(), samples=X, sizes=(33, 24, 17, 4), dtype=np.float64, loss="cross_entropy", **settings):
    names = {name: settings.pop(name) for name in ("activation", "initializer") if name in settings}
    network = FeedForwardNeuralNetwork([*sizes], loss=loss, dtype=dtype, engine="numba", seed=1, **names)
    settings = {"epochs": 2, "batch_size": 16, "learning_rate": 0.01} | settings
    return network, network.fit(samples, y, callbacks=callbacks, **settings)


CASES = [
    *({"optimizer": name, "weight_decay": decay} for name in OPTIMIZERS for decay in (0.0, 0.01)),
    *({"activation": name, "loss": loss} for name in ACTIVATIONS for loss in losses_of("softmax")),
    {"freeze": 1},
    {"freeze": 2, "weight_decay": 0.1},
    {"schedule": "cosine", "warmup": 1, "label_smoothing": 0.1},
    {"batch_size": 70},
    {"rows": np.arange(5, 64)[::-1]},
    {"shuffle": False},
    {"samples": X / 255.0},
    {"samples": (X / 255).astype(np.float32)},
    {"sizes": (33, 4)},
    {"sizes": (33, 5, 5, 5, 5, 5, 7)},
]
#: here NumPy multiplies by a vector, in another order than by a matrix
VECTORS = [{"batch_size": 1}, {"batch_size": 23}, {"sizes": (33, 1, 2, 4)}]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_one_thread_takes_the_same_steps_to_the_bit(case, threads, recorded):
    threads(1)
    (one, history), (many, played) = train([Watch()], **case), train(**case)
    assert len(recorded) == 1
    np.testing.assert_array_equal(many.theta, one.theta)
    np.testing.assert_allclose(played["loss"], history["loss"], rtol=1e-6)
    assert played["accuracy"] == history["accuracy"]
    assert played["learning_rate"] == history["learning_rate"]


@pytest.mark.parametrize(("n", "case"), [*product((2, 3, 5), CASES), *product((1, 2), VECTORS)], ids=str)
def test_several_threads_take_the_same_steps(n, case, threads):
    threads(n)
    (one, history), (many, played) = train([Watch()], **case), train(**case)
    np.testing.assert_allclose(many.theta, one.theta, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(played["loss"], history["loss"], rtol=1e-6)
    assert played["accuracy"] == history["accuracy"]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_single_precision(n, threads, recorded):
    threads(n)
    (one, _), (many, _) = (train(c, dtype=np.float32, optimizer="nadam", activation="gelu") for c in ([Watch()], []))
    assert len(recorded) == 1
    np.testing.assert_allclose(many.theta, one.theta, atol=0 if n == 1 else 1e-5)


def test_the_same_threads_give_the_same_bits(threads):
    threads(3)
    found = [train(epochs=20, dtype=np.float32)[0].theta for _ in range(5)]
    for theta in found[1:]:
        np.testing.assert_array_equal(theta, found[0])


def test_frozen_layers_keep_their_bits(threads):
    threads(2)
    network, _ = train(epochs=1, learning_rate=1e-12)
    before = network.theta.copy()
    network.fit(X, y, freeze=1, weight_decay=0.1, optimizer="adamw")
    biases = network.parameters.n_weights
    np.testing.assert_array_equal(network.theta[: 33 * 24], before[: 33 * 24])
    np.testing.assert_array_equal(network.theta[biases : biases + 24], before[biases : biases + 24])
    assert (network.theta != before).sum() > 0.9 * (before.size - 33 * 24 - 24)


def absolute_error(log_Y_hat, Y_hat, Y):
    return np.vdot(np.abs(Y_hat - Y), np.ones_like(Y))


def entropy(log_Y_hat, Y_hat, Y):
    E = np.exp(log_Y_hat) - Y
    return np.vdot(E, np.maximum(E, 0.0)) / 2.0


def entropy_delta(Y_hat, Y):
    E = np.maximum(Y_hat, 0.5) - Y
    return np.minimum.reduce(E, axis=0) + np.add.reduce(E, axis=0, keepdims=True) * E - 3


def test_a_loss_of_ones_own_is_recorded_or_left(threads, recorded, monkeypatch):
    threads(1)
    monkeypatch.setitem(FeedForwardNeuralNetwork.losses, "entropy", (entropy, softmax_squared_error_delta))
    monkeypatch.setitem(FeedForwardNeuralNetwork.losses, "absolute", (absolute_error, cross_entropy_delta))
    monkeypatch.setitem(FeedForwardNeuralNetwork.losses, "odd", (entropy, entropy_delta))
    for loss, n in ("entropy", 1), ("odd", 1), ("absolute", 0):
        recorded.clear()
        (one, history), (many, played) = train([Watch()], loss=loss), train(loss=loss)
        assert len(recorded) == n, loss
        np.testing.assert_array_equal(many.theta, one.theta)
        np.testing.assert_allclose(played["loss"], history["loss"], rtol=1e-6)


def eve(theta, g, m, *, learning_rate, t, loss):
    m = m + 0.1 * (g - m)
    return theta - learning_rate * loss * m, m


def branching(theta, g, *, learning_rate, t):
    if t > 2:
        return theta - learning_rate * g
    return theta - 2 * learning_rate * g


@pytest.mark.parametrize("rule", [eve, branching])
def test_rules_that_no_tape_can_hold_are_taken_step_by_step(rule, recorded, monkeypatch):
    monkeypatch.setitem(FeedForwardNeuralNetwork.optimizers, "own", rule)
    (one, _), (same, _) = train([Watch()], optimizer="own"), train(optimizer="own")
    assert not recorded
    np.testing.assert_array_equal(same.theta, one.theta)


@pytest.mark.parametrize("settings", [{"dropout": 0.2}, {"clip_norm": 1.0}, {"samples": X.astype(np.int32)}], ids=str)
def test_settings_that_no_tape_can_hold(settings, recorded):
    (one, _), (same, _) = train([Watch()], **settings), train(**settings)
    assert not recorded
    np.testing.assert_array_equal(same.theta, one.theta)


@pytest.mark.parametrize("n", [1, 2])
def test_diverging_ends_in_the_same_step_and_says_so(n, threads):
    threads(n)
    settings = {"optimizer": "sgd", "learning_rate": 1e200, "activation": "relu", "epochs": 9}
    said = []
    for callbacks in ([Watch()], []):
        with pytest.raises(Diverged) as error:
            train(callbacks, **settings)
        said.append(str(error.value))
    assert said[0] == said[1]


def test_progress_is_told_as_often_as_the_tape_stops(monkeypatch, threads):
    threads(2)
    monkeypatch.setattr(player, "AT_ONCE", 32)
    told = []

    class Progress(Callback):
        def on_progress(self, state, done, loss, accuracy):
            told.append((state.epoch, done, accuracy))

    _, history = train([Progress()])
    assert [done for _, done, _ in told] == [32, 64, 70] * 2
    assert [told[2][2], told[5][2]] == history["accuracy"]


class Interrupted(ThreadPoolExecutor):
    """Ctrl-C after the first of several threads has begun."""

    def submit(self, *arguments):
        if self._threads:
            raise KeyboardInterrupt
        return super().submit(*arguments)


def test_ctrl_c_leaves_no_thread_waiting(monkeypatch, threads):
    threads(3)
    monkeypatch.setattr(player, "ThreadPoolExecutor", Interrupted)
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        train()
    assert threading.active_count() == before
