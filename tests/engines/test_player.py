"""Steps played from tape, on one thread and several, against the same steps taken one by one."""

import copy
import gc
import importlib.util
import os
import pickle
import signal
import sys
import threading
import time
import weakref
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from muslin import FeedForwardNeuralNetwork
from muslin.activations import ACTIVATIONS
from muslin.engines import blas, engine, player, tape
from muslin.errors import Diverged
from muslin.losses import cross_entropy_delta, losses_of, softmax_squared_error_delta
from muslin.optimizers import OPTIMIZERS
from muslin.training import Callback
from muslin.training import fit as fit_function
from muslin.training.step import Computation, Step

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason="numba is missing: pip install 'muslin[fast]'"
)

fit_module = sys.modules[fit_function.__module__]

N = 70
rng = np.random.default_rng(0)
X, y = rng.integers(0, 256, (N, 33), dtype=np.uint8), rng.integers(0, 4, N)


class Watch(Callback):
    def on_step(self, state, samples, loss, correct):
        """Being there is enough for batches to be given one by one."""


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


def one_by_one(**case):
    """`train`, but that no step is played from tape."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(player, "_refusal", lambda step: "it is compared with")
        return train(**case)


CASES = [
    *({"optimizer": name, "weight_decay": decay} for name in OPTIMIZERS for decay in (0.0, 0.01)),
    *({"activation": name, "loss": loss} for name in ACTIVATIONS for loss in losses_of("softmax")),
    {"freeze": 1},
    {"freeze": 2, "weight_decay": 0.1},
    {"schedule": "cosine", "warmup": 1, "label_smoothing": 0.1},
    {"batch_size": 70},
    {"dropout": 0.3},
    {"clip_norm": 0.1},
    {"clip_norm": 0.1, "freeze": 1, "weight_decay": 0.1, "dropout": 0.5},
    {"samples": np.asfortranarray(X)},
    {"samples": (X / 255).astype(np.float16)},
    {"samples": X[::-1].astype(">i4")},
    {"rows": np.arange(5, 64)[::-1]},
    {"shuffle": False},
    {"samples": X / 255.0},
    {"samples": (X / 255).astype(np.float32)},
    {"sizes": (33, 4)},
    {"sizes": (33, 5, 5, 5, 5, 5, 7)},
    {"sizes": (33, 1, 2, 4)},
    {"samples": X[:, :1].copy(), "sizes": (1, 9, 4)},
]
#: here NumPy multiplies vectors by vectors, or a matrix by the vector of a single sample
VECTORS = [{"batch_size": 1}, {"batch_size": 23}, {"sizes": (33, 1, 1, 4)}]


@pytest.mark.parametrize("case", CASES + VECTORS, ids=str)
def test_one_thread_takes_the_same_steps_to_the_bit(case, threads, recorded):
    threads(1)
    (one, history), (many, played) = one_by_one(**case), train(**case)
    vectors = case in VECTORS
    assert len(recorded) == (not vectors or case == {"batch_size": 23})
    assert (played.engine_note is not None) == vectors
    np.testing.assert_array_equal(many.theta, one.theta)
    np.testing.assert_allclose(played["loss"], history["loss"], rtol=1e-6)
    assert played["accuracy"] == history["accuracy"]
    assert played["learning_rate"] == history["learning_rate"]


@pytest.mark.parametrize(("n", "case"), [*product((2, 3, 5), CASES), *product((1, 2), VECTORS)], ids=str)
def test_several_threads_take_the_same_steps(n, case, threads):
    threads(n)
    (one, history), (many, played) = one_by_one(**case), train(**case)
    np.testing.assert_allclose(many.theta, one.theta, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(played["loss"], history["loss"], rtol=1e-6)
    assert played["accuracy"] == history["accuracy"]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_single_precision(n, threads, recorded):
    threads(n)
    case = {"dtype": np.float32, "optimizer": "nadam", "activation": "gelu"}
    (one, _), (many, _) = one_by_one(**case), train(**case)
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
        (one, history), (many, played) = one_by_one(loss=loss), train(loss=loss)
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


def test_rules_that_no_tape_can_hold_are_taken_step_by_step(recorded, monkeypatch):
    monkeypatch.setitem(FeedForwardNeuralNetwork.optimizers, "own", branching)
    (one, _), (same, _) = one_by_one(optimizer="own"), train(optimizer="own")
    assert not recorded
    np.testing.assert_array_equal(same.theta, one.theta)


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("watched", [False, True])
def test_a_rule_that_asks_for_the_loss_is_played(watched, n, threads, recorded, monkeypatch):
    threads(n)
    monkeypatch.setitem(FeedForwardNeuralNetwork.optimizers, "own", eve)
    (one, history), (played, told) = one_by_one(optimizer="own"), train([Watch()] * watched, optimizer="own")
    assert recorded
    if n == 1:
        np.testing.assert_array_equal(played.theta, one.theta)
        assert told["loss"] == history["loss"]
    np.testing.assert_allclose(played.theta, one.theta, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(train([Watch()] * watched, optimizer="own")[0].theta, played.theta)


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("watched", [False, True])
def test_what_breaks_a_rule_off_while_it_is_told_the_loss_ends_training(watched, error, n, threads, monkeypatch):
    threads(n)
    monkeypatch.setitem(FeedForwardNeuralNetwork.optimizers, "own", eve)
    scalars, before = player.TapedStep._scalars, threading.active_count()

    def broken_off(self, part, now):
        if now["t"] == 7:
            raise error("in the rule")
        return scalars(self, part, now)

    monkeypatch.setattr(player.TapedStep, "_scalars", broken_off)
    with pytest.raises(error, match="in the rule"):
        train([Watch()] * watched, optimizer="own")
    assert threading.active_count() == before


@pytest.mark.parametrize("n", [1, 2])
def test_diverging_ends_in_the_same_step_and_says_so(n, threads):
    threads(n)
    settings = {"optimizer": "sgd", "learning_rate": 1e200, "activation": "relu", "epochs": 9}
    said = []
    for train_ in (one_by_one, train):
        with pytest.raises(Diverged) as error:
            train_(**settings)
        said.append(str(error.value))
    assert said[0] == said[1]


@pytest.mark.parametrize("n", [1, 2])
def test_callbacks_after_each_step_cost_no_tape(n, threads):
    threads(n)
    seen = []

    class Own(Watch):
        def on_step(self, state, samples, loss, correct):
            seen.append((state.step, samples, loss, state.network.theta.copy()))

    (alone, _), (watched, history) = train(), train([Own()])
    assert history.engine_note is None
    np.testing.assert_array_equal(watched.theta, alone.theta)
    assert [(step, samples) for step, samples, *_ in seen] == [(i + 1, 6 if i % 5 == 4 else 16) for i in range(10)]
    np.testing.assert_allclose(history["loss"][0], sum(s[1] * s[2] for s in seen[:5]) / N, rtol=1e-12)
    np.testing.assert_array_equal(seen[-1][-1], watched.theta)
    assert not np.array_equal(seen[-2][-1], watched.theta)


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


# Other threads, other programs, and what is left behind


def test_nothing_of_a_fit_is_kept(threads):
    threads(2)
    train()
    before = threading.active_count()
    kept = []
    for _ in range(20):
        samples = X / 255.0
        kept.append(weakref.ref(samples))
        kept.append(weakref.ref(train(samples=samples)[0]))
    del samples
    gc.collect()
    assert not [ref for ref in kept if ref() is not None]
    assert threading.active_count() == before


def test_a_rule_defined_anew_for_each_fit_is_compiled_once(monkeypatch):
    def define():
        def rule(theta, g, *, learning_rate):
            return theta - 0.5 * learning_rate * g

        return rule

    from muslin.engines import templates

    sizes = []
    monkeypatch.setitem(FeedForwardNeuralNetwork.optimizers, "own", None)
    for _ in range(3):
        FeedForwardNeuralNetwork.optimizers["own"] = define()
        assert train(optimizer="own")[1].engine_note is None
        gc.collect()
        sizes.append((templates._loop_of.cache_info().currsize, len(engine("numba")._compiled)))
    assert sizes[1:] == sizes[:1] * 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["numpy", "numba"])
def test_500_fits_need_no_more_memory_threads_or_files(name):
    samples, labels = np.zeros((2000, 500), np.float32), np.arange(2000) % 4

    def state():
        gc.collect()
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
        return resident / 2**20, threading.active_count(), len(os.listdir("/proc/self/fd"))

    for i in range(500):
        network = FeedForwardNeuralNetwork([500, 16, 4], engine=name)
        network.fit(samples.copy(), labels, epochs=1, batch_size=500)
        if i == 20:
            before = state()
    memory, *others = state()
    assert others == list(before[1:])
    assert memory - before[0] < 20  # of 2 GiB that the samples take


def test_while_a_step_is_written_down_the_network_is_as_always(monkeypatch, threads):
    threads(2)
    seen = []

    class Looking(player.StepRecorder):
        def figures(self, loss, P):
            network, expected = networks[0], networks[0].predict_proba(X)
            for other in (network, copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
                seen.append(other.engine.name == "numba" and (other.predict_proba(X) == expected).all())
                seen.append((other.theta == network.theta).all())
            super().figures(loss, P)

    monkeypatch.setattr(player, "StepRecorder", Looking)
    networks = [FeedForwardNeuralNetwork([33, 24, 4], engine="numba")]
    networks[0].fit(X, y, epochs=1)
    assert len(seen) >= 12
    assert all(seen)


def in_threads(*functions):
    failed = []

    def run(function):
        try:
            function()
        except BaseException as error:
            failed.append(error)

    started = [threading.Thread(target=run, args=(function,)) for function in functions]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    if failed:
        raise failed[0]


def test_predictions_while_another_thread_trains(threads):
    """The learning rate is so small that nothing changes: each prediction, with all of BLAS's threads, is the same."""
    threads(2)
    samples, labels = np.random.default_rng(0).random((640, 200), dtype=np.float32), np.arange(640) % 4
    with blas.threads(2):
        network = FeedForwardNeuralNetwork([200, 300, 100, 4], engine="numba")
        expected, done, right = network.predict_proba(samples[:200]), [], []

        def fit():
            network.fit(samples, labels, epochs=2, learning_rate=1e-30)
            done.append(True)

        def predict():
            while not done:
                right.append(np.array_equal(network.predict_proba(samples[:200]), expected))

        in_threads(fit, predict)
    assert right
    assert all(right)


def test_fits_at_once_give_the_same_as_one_after_another(threads):
    threads(2)
    cases = [{"seed": 1}, {"seed": 2}, {"engine": "numpy"}, {"dropout": 0.3}]
    samples, labels = np.random.default_rng(0).random((160, 200), dtype=np.float32), np.arange(160) % 4

    def theta(case):
        network = FeedForwardNeuralNetwork([200, 300, 100, 4], engine=case.get("engine", "numba"))
        settings = {key: value for key, value in case.items() if key != "engine"}
        network.fit(samples, labels, epochs=3, **settings)
        return network.theta

    with blas.threads(2):
        expected, thetas = [theta(case) for case in cases], {}
        in_threads(*(partial(lambda i: thetas.update({i: theta(cases[i])}), i) for i in range(len(cases))))
        assert blas.n_threads() == blas.description()["threads"] == 2
    for i, values in thetas.items():
        np.testing.assert_array_equal(values, expected[i])


def test_tapes_that_are_asked_to_stop_all_the_time_take_the_same_steps(threads):
    threads(3)
    expected, done = train(epochs=8)[0].theta, []

    def ask():
        while not done:
            with blas.together():
                pass

    def fit():
        try:
            np.testing.assert_array_equal(train(epochs=8)[0].theta, expected)
        finally:
            done.append(True)

    in_threads(ask, fit)


def test_validation_has_all_of_blas_threads(monkeypatch):
    counts = []
    validated = fit_module.validated
    monkeypatch.setattr(
        fit_module, "validated", lambda *a: counts.append(blas.description()["threads"]) or validated(*a)
    )
    with blas.threads(2):
        train(validation_data=(X, y))
    assert counts == [2, 2]


def test_ctrl_c_ends_after_a_step(monkeypatch, threads):
    """What is asked for takes some seconds; Ctrl-C comes after 0.3."""
    threads(1)
    monkeypatch.setattr(player, "AT_ONCE", 10**9)
    states = []

    class Remember(Callback):
        def on_begin(self, state):
            states.append(state)

    rows = np.tile(np.arange(N), 10_000)
    train([Remember()], rows=rows[:140])
    before = signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        started = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            train([Remember()], rows=rows, batch_size=2, sizes=(33, 200, 200, 4), epochs=1)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - started < 3
    assert states[-1].step < len(rows) / 2


@pytest.mark.parametrize("settings", [{"freeze": 1}, {"freeze": 2, "weight_decay": 0.1}], ids=str)
def test_the_norm_is_that_of_what_is_trained(settings):
    """Whatever a gradient of before left behind in the layers that are frozen."""
    thetas = []
    for stale in (0.0, 1e6):
        network = FeedForwardNeuralNetwork([33, 24, 17, 4], seed=1)
        network.gradient[...] = stale
        network.fit(X, y, epochs=1, clip_norm=0.1, **settings)
        thetas.append(network.theta)
    np.testing.assert_array_equal(*thetas)


def test_the_norm_over_what_is_trained_by_hand():
    network = FeedForwardNeuralNetwork([33, 24, 4], dtype=np.float64, seed=1, engine="numpy")
    _, dW, db = network.loss_and_gradients(X, y)
    norm = np.sqrt((dW[2] ** 2).sum() + (db[2] ** 2).sum())
    expected = network.weights[2] - 0.5 * dW[2] * 0.01 / norm
    network.fit(X, y, optimizer="sgd", learning_rate=0.5, epochs=1, batch_size=N, clip_norm=0.01, freeze=1)
    np.testing.assert_allclose(network.weights[2], expected, rtol=1e-9)


# What is not certain


def test_a_numpy_that_is_laid_out_otherwise(monkeypatch):
    expected = train()[0].theta
    monkeypatch.setattr(tape, "ABI", 1)
    network, history = train()
    assert "not laid out as known" in history.engine_note
    np.testing.assert_array_equal(network.theta, expected)


@pytest.mark.parametrize("missing", ["gemm", "gemv", "dot"])
def test_a_blas_that_lacks_a_function(missing, threads, monkeypatch):
    threads(1)
    case = {"sizes": (33, 1, 2, 4), "clip_norm": 0.1}  # matrices, vectors, and a norm
    expected, product_ = one_by_one(**case)[0].theta, blas.product
    assert train(**case)[1].engine_note is None
    monkeypatch.setattr(blas, "product", lambda dtype, name="gemm": product_(dtype, name) if name != missing else None)
    network, history = train(**case)
    assert history.engine_note == "the BLAS that NumPy uses cannot be called by address"
    np.testing.assert_array_equal(network.theta, expected)


@pytest.mark.parametrize("n", [1, 2])
def test_a_tape_that_does_something_else_is_not_trusted(n, threads, monkeypatch):
    threads(n)
    expected = one_by_one()[0].theta
    figures = player.StepRecorder.figures

    def wrong(self, loss, P):
        np.multiply(P, 1.0001, out=P)
        figures(self, loss, P)

    monkeypatch.setattr(player.StepRecorder, "figures", wrong)
    network, history = train()
    assert "played from tape, a step gives other" in history.engine_note
    np.testing.assert_array_equal(network.theta, expected)


def test_the_tapes_of_several_threads_are_tried_too(threads, monkeypatch):
    threads(2)
    expected, meet = one_by_one()[0].theta, player.StepRecorder._first_product

    def wrong(self, W, H0, A):
        meet(self, W, H0, A)
        self.apply(np.multiply, [A, 1.0001], A)

    monkeypatch.setattr(player.StepRecorder, "_first_product", wrong)
    network, history = train()
    assert "on several threads" in history.engine_note
    np.testing.assert_array_equal(network.theta, expected)


def test_whatever_goes_wrong_the_plain_step_is_taken(monkeypatch):
    expected = one_by_one()[0].theta

    def fail(*arguments):
        raise RuntimeError("no such thing")

    monkeypatch.setattr(player.StepRecorder, "gather", fail)
    network, history = train()
    assert history.engine_note == "RuntimeError: no such thing"
    np.testing.assert_array_equal(network.theta, expected)


def test_a_class_with_equations_of_its_own():
    class Doubled(FeedForwardNeuralNetwork):
        def gradients(self, s, freeze=0):
            super().gradients(s, freeze)
            self.gradient *= 2.0

    network = Doubled([33, 8, 4], engine="numba")
    assert "equations of its own" in network.fit(X, y, epochs=1).engine_note


class Interrupted(player.Crew):
    """Ctrl-C after the first of several threads has got its work."""

    def hand(self, *arguments):
        if self.threads:
            raise KeyboardInterrupt
        return super().hand(*arguments)


def test_a_part_that_no_tape_has_yet_makes_steps_plain(monkeypatch):
    take = Step.take
    monkeypatch.setattr(Computation, "something", lambda self: None, raising=False)
    monkeypatch.setattr(Step, "take", lambda self, hand, s, rows: (hand.something(), take(self, hand, s, rows)))
    network = FeedForwardNeuralNetwork([33, 8, 4], engine="numba")
    assert network.fit(X, y, epochs=1).engine_note == "no tape has something yet"


def test_ctrl_c_leaves_no_thread_waiting(monkeypatch, threads):
    threads(3)
    monkeypatch.setattr(player, "Crew", Interrupted)
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        train()
    assert threading.active_count() == before
