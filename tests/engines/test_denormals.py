"""Denormals are zero while a network trains, in every thread that works on it, and nowhere else."""

import math
import sys
import threading
from importlib.util import find_spec

import numpy as np
import pytest

from muslin import FeedForwardNeuralNetwork
from muslin.engines import ENGINES, denormals
from muslin.errors import Diverged
from muslin.training import Callback

pytestmark = pytest.mark.skipif(denormals.HERE not in denormals.LAYOUTS, reason="no way is known here")


def are_zero():
    """Whether this thread takes denormals for zero, and makes zero of them."""
    denormal, small = np.array([5e-324]), sys.float_info.min
    taken, made = float((denormal * 1e300)[0]), small / 2
    assert (taken == 0.0) == (made == 0.0)
    return made == 0.0


def test_possible():
    assert denormals.possible()


def test_they_are_zero_inside_only_and_after_an_error_too():
    assert not are_zero()
    with denormals.flushed():
        assert are_zero()
        with denormals.flushed():
            assert are_zero()
        assert are_zero()
    assert not are_zero()
    with pytest.raises(KeyError), denormals.flushed():
        raise KeyError
    assert not are_zero()


def test_numpy_flushes_both_precisions():
    for dtype in (np.float32, np.float64):
        tiny = np.full(100, np.finfo(dtype).smallest_normal)
        with denormals.flushed():
            assert not (tiny / 2).any()
        assert (tiny / 2).all()


def test_the_other_settings_of_the_processor_stay():
    """Rounding is still to nearest, and a division by zero is no trap."""
    with denormals.flushed(), np.errstate(all="ignore"):
        assert 1.0 + 2.0**-53 == 1.0
        assert np.isinf(np.float32(1) / np.float32(0))
        assert math.fsum([0.1, 0.2]) == 0.1 + 0.2


def test_another_thread_is_left_alone():
    seen = []
    with denormals.flushed():
        begun = threading.Thread(target=lambda: seen.append(are_zero()))
        ready, asked = threading.Event(), threading.Event()
    before = threading.Thread(target=lambda: (ready.set(), asked.wait(), seen.append(are_zero())))
    before.start()
    ready.wait()
    with denormals.flushed():
        asked.set()
        before.join()
    begun.start()
    begun.join()
    assert seen == [False, False]


def test_where_it_is_not_possible_nothing_happens(monkeypatch):
    monkeypatch.setattr(denormals, "_library", lambda: None)
    with denormals.flushed():
        assert not are_zero()
    assert not denormals.possible.__wrapped__()


# Training

rng = np.random.default_rng(0)
X, y = rng.random((64, 5), np.float32), rng.integers(0, 3, 64)
X[:, 2] = 0.0  # its moments shrink from a first touch, given below


def train(engine, callbacks=(), epochs=40, **settings):
    """Of Adam whose moments of one input begin small and halve every step; returns (network, slots)."""
    network = FeedForwardNeuralNetwork([5, 8, 3], engine=engine, seed=1)
    slots = []

    class Slots(Callback):
        def on_begin(self, state):
            state.slots["m"][...] = state.slots["v"][...] = 1e-30

        def on_end(self, state):
            slots.extend(slot.copy() for slot in state.slots.values())

    settings = {"optimizer": "adam", "beta1": 0.5, "beta2": 0.5, "batch_size": 16} | settings
    network.fit(X, y, epochs=epochs, callbacks=[Slots(), *callbacks], **settings)
    return network, np.array(slots)


def denormal(values):
    return (values != 0) & (np.abs(values) < np.finfo(values.dtype).smallest_normal)


class Watch(Callback):
    """What the user's own functions see."""

    def __init__(self):
        self.seen = set()

    def on_step(self, *_):
        self.seen.add(("step", are_zero()))

    def on_progress(self, *_):
        self.seen.add(("progress", are_zero()))

    def on_epoch(self, *_):
        self.seen.add(("epoch", are_zero()))


needs_numba = pytest.mark.skipif(find_spec("numba") is None, reason="numba is missing: pip install 'muslin[fast]'")
each_engine = pytest.mark.parametrize("engine", ["numpy", pytest.param("numba", marks=needs_numba)])


@each_engine
@pytest.mark.parametrize("callbacks", [[], [Watch()]], ids=["played", "step by step"])
def test_training_leaves_no_denormals(engine, callbacks, monkeypatch):
    _, slots = train(engine, callbacks)
    assert not denormal(slots).any()
    assert not are_zero()
    monkeypatch.setattr(denormals, "_library", lambda: None)
    _, slots = train(engine, callbacks)
    assert denormal(slots).any()  # without it there were some


@needs_numba
def test_the_engines_agree_to_the_bit():
    networks = [train(engine)[0] for engine in ENGINES]
    np.testing.assert_array_equal(networks[0].theta, networks[1].theta)


@each_engine
def test_callbacks_see_what_they_expect(engine):
    watch = Watch()
    train(engine, [watch], epochs=2)
    assert watch.seen == {("step", False), ("progress", False), ("epoch", False)}


@each_engine
def test_after_an_error_all_is_as_before(engine):
    network = FeedForwardNeuralNetwork([5, 8, 3], engine=engine)
    with pytest.raises(Diverged):
        network.fit(X, y, optimizer="sgd", learning_rate=1e30)
    assert not are_zero()
