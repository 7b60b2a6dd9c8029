"""Steps that someone watches: the same numbers as unwatched, and all is for who looks as it is outside of training."""

import os
import signal
import threading
import time
import warnings

import numpy as np
import pytest

pytest.importorskip("numba", reason="numba is missing: pip install 'muslin[fast]'")

from threadpoolctl import threadpool_info

from muslin import FeedForwardNeuralNetwork
from muslin.engines import blas, player
from muslin.errors import Diverged
from muslin.training import Callback

rng = np.random.default_rng(0)
X, y = rng.integers(0, 256, (270, 33), dtype=np.uint8), rng.integers(0, 4, 270)
SLOPE = 1.0


def ramp(A):
    return np.maximum(A, 0) * SLOPE


def ramp_slope(A, H):
    return np.where(A > 0, SLOPE, 0.0)


class OnStep(Callback):
    """Does something after each step; keeps the figures that it is told."""

    def __init__(self, act=lambda state: None):
        self.act, self.told = act, []

    def on_step(self, state, samples, loss, correct):
        self.told.append((state.step, samples, loss, correct))
        self.act(state)


@pytest.fixture(params=[1, 2, 3, 9], autouse=True)
def threads(request, monkeypatch):
    monkeypatch.setattr(player, "_threads", lambda step: request.param)
    return request.param


def fit(*callbacks, engine="numba", **settings):
    network = FeedForwardNeuralNetwork([33, 24, 17, 4], engine=engine, seed=1)
    settings = {"epochs": 3, "batch_size": 16, "learning_rate": 0.01, "dropout": 0.2} | settings
    history = network.fit(X, y, callbacks=callbacks, **settings)
    return network, history


def test_the_same_bits_as_unwatched_and_the_same_figures():
    watching = OnStep()
    watched, history = fit(watching)
    unwatched, expected = fit()
    np.testing.assert_array_equal(watched.theta, unwatched.theta)
    assert history["loss"] == expected["loss"]
    assert history["accuracy"] == expected["accuracy"]
    assert history.engine_note is None
    assert [step for step, *_ in watching.told] == list(range(1, 3 * 17 + 1))
    last = watching.told[-17:]
    assert sum(n * loss for _, n, loss, _ in last) / 270 == history["loss"][-1]
    assert sum(right for *_, right in last) / 270 == history["accuracy"][-1]


def test_one_thread_plays_what_several_do(threads, monkeypatch):
    several, _ = fit(OnStep())
    monkeypatch.setattr(player.Pace, "way", lambda self: (False, 5))
    monkeypatch.setattr(player.Pace, "took", lambda self, steps, seconds: None)
    if threads > 1:
        joined, _ = fit(OnStep())
        np.testing.assert_array_equal(joined.theta, several.theta)


def test_who_looks_finds_the_process_as_it_is_outside():
    def state_of_the_process():
        blas = [(pool["filepath"], pool["num_threads"]) for pool in threadpool_info() if pool["user_api"] == "blas"]
        cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
        return blas, cores, np.float32(1e-38) / np.float32(100) > 0

    seen = []
    fit(OnStep(lambda state: seen.append(state_of_the_process())), epochs=1)
    assert seen
    assert all(state == state_of_the_process() for state in seen)


def test_an_error_of_a_callback_ends_all_threads():
    before = threading.active_count()

    def act(state):
        if state.step == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(OnStep(act))
    assert threading.active_count() == before


def test_what_a_callback_changes_in_a_formulas_module_holds_from_the_next_step_on(monkeypatch):
    monkeypatch.setitem(FeedForwardNeuralNetwork.activations, "ramp", (ramp, ramp_slope))

    def act(state):
        if state.step == 20:
            monkeypatch.setitem(globals(), "SLOPE", 0.5)

    found = {}
    for engine in ("numpy", "numba"):
        monkeypatch.setitem(globals(), "SLOPE", 1.0)
        network = FeedForwardNeuralNetwork([33, 24, 17, 4], activation="ramp", engine=engine, seed=1)
        history = network.fit(X, y, callbacks=[OnStep(act)], epochs=3, batch_size=16, learning_rate=0.01)
        found[engine] = network.theta
        assert len(history) == 3
    np.testing.assert_allclose(found["numba"], found["numpy"], rtol=2e-3, atol=2e-4)


def test_a_rate_that_a_callback_changes_holds_from_the_next_step_on():
    def act(state):
        state.rate_factor = 0.1 if state.step >= 5 else 1.0

    (network, _), (expected, _) = (fit(OnStep(act), engine=engine, optimizer="sgd") for engine in ("numba", "numpy"))
    unchanged, _ = fit(OnStep(), optimizer="sgd")
    np.testing.assert_allclose(network.theta, expected.theta, rtol=2e-3, atol=2e-5)
    assert np.abs(network.theta - unchanged.theta).max() > 1e-3


def test_who_looks_may_predict_and_train_meanwhile():
    other = FeedForwardNeuralNetwork([33, 8, 4], engine="numba")

    def act(state):
        state.network.predict(X)
        other.fit(X, y, epochs=1, batch_size=90)

    watched, _ = fit(OnStep(act), epochs=1)
    unwatched, _ = fit(epochs=1)
    np.testing.assert_array_equal(watched.theta, unwatched.theta)


def test_numbers_that_run_away_are_told_in_the_step_where_they_do():
    watching = OnStep()
    with pytest.raises(Diverged) as error:
        fit(watching, optimizer="sgd", learning_rate=1e30)
    with pytest.raises(Diverged) as expected:
        fit(optimizer="sgd", learning_rate=1e30)
    assert str(error.value) == str(expected.value)
    assert f"step {len(watching.told) + 1}:" in str(error.value)


def test_who_goes_back_to_an_earlier_step_goes_on_from_there(threads):
    """Rates, the step's number and dropout's masks are those of the step that comes, whoever changed it."""

    def engines(name):
        went = []

        def act(state):
            if state.step == 9 and not went:
                went.append(state.step)
                state.step = 3

        with blas.threads(1):
            return fit(OnStep(act), engine=name, schedule="cosine")

    (network, history), (expected, told) = engines("numba"), engines("numpy")
    np.testing.assert_allclose(network.theta, expected.theta, rtol=2e-3, atol=2e-4)
    if threads == 1:
        np.testing.assert_array_equal(network.theta, expected.theta)
        assert history["loss"] == told["loss"]


def tiny():
    return np.float32(1e-38) / np.float32(100) > 0


def test_after_a_step_that_ends_in_its_midst_denormals_are_as_before():
    with pytest.raises(Diverged):
        fit(OnStep(), optimizer="sgd", learning_rate=1e30)
    assert tiny()


def failing(theta, g, *, learning_rate, t, loss):
    rate = learning_rate * loss / (7 - t)
    return theta - rate * g


def test_after_a_rule_that_fails_denormals_are_as_before(monkeypatch):
    monkeypatch.setitem(FeedForwardNeuralNetwork.optimizers, "own", failing)
    with pytest.raises(ZeroDivisionError):
        fit(OnStep(), optimizer="own")
    assert tiny()


def overflowing(theta, g, *, learning_rate, loss):
    rate = learning_rate / (1.0 + np.exp(1000.0 * loss))
    return theta - rate * g


@pytest.mark.parametrize("watched", [False, True])
def test_warnings_of_a_rules_scalars_are_silenced_as_in_the_plain_step(watched, monkeypatch):
    monkeypatch.setitem(FeedForwardNeuralNetwork.optimizers, "own", overflowing)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, history = fit(*[OnStep()] * watched, optimizer="own")
    assert history.engine_note is None


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="the system has no timers")
@pytest.mark.parametrize("watched", [False, True])
def test_ctrl_c_is_heard_wherever_it_comes(watched, monkeypatch):
    """Also while Python computes a rule's scalars in the midst of a step, where C would drop it."""

    def shrinking(theta, g, *, learning_rate, loss):
        return theta - learning_rate / (1.0 + loss) * g

    monkeypatch.setitem(FeedForwardNeuralNetwork.optimizers, "own", shrinking)
    fit(*[OnStep()] * watched, optimizer="own", batch_size=270)  # numba does not stand to be broken off
    before, active = signal.signal(signal.SIGALRM, signal.default_int_handler), threading.active_count()
    try:
        for i in range(12):
            signal.setitimer(signal.ITIMER_REAL, 0.03 + 0.0007 * i, 1.0)  # again, should Python itself drop one
            with pytest.raises(KeyboardInterrupt):
                fit(*[OnStep()] * watched, optimizer="own", epochs=10**6, batch_size=270)
            signal.setitimer(signal.ITIMER_REAL, 0)
            assert tiny()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    late = time.monotonic() + 10
    while threading.active_count() > active and time.monotonic() < late:
        time.sleep(0.01)  # one that was only just beginning ends by itself
    assert threading.active_count() == active


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_the_child_of_a_fork_trains_on_alone():
    children, parent = [], os.getpid()

    def act(state):
        if state.step == 5 and not children:
            children.append(os.fork())

    network, history = None, None
    try:
        network, history = fit(OnStep(act))
    finally:
        if os.getpid() != parent:
            os._exit(0 if history is not None and len(history) == 3 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1]) == 0
    np.testing.assert_array_equal(network.theta, fit()[0].theta)
