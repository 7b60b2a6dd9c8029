"""Threads that wait for each other, on a machine that others use too: the same numbers, and nobody burns time."""

import ctypes
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

pytest.importorskip("numba", reason="numba is missing: pip install 'muslin[fast]'")

from muslin import FeedForwardNeuralNetwork
from muslin.engines import calls, cores, player
from muslin.errors import Diverged

rng = np.random.default_rng(0)
X, y = rng.integers(0, 256, (70, 33), dtype=np.uint8), rng.integers(0, 4, 70)


def train(monkeypatch, spread, threads=3, **settings):
    """θ after some epochs on three threads or, with the same tapes, on one; and the taped_steps that were made."""
    taped_steps = []

    class TapedStep(player.TapedStep):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            taped_steps.append(self)

        def run(self, first, n, pool, _=True):
            return super().run(first, n, pool, spread)

    monkeypatch.setattr(player, "TapedStep", TapedStep)
    monkeypatch.setattr(player, "_threads", lambda step: threads)
    network = FeedForwardNeuralNetwork([33, 24, 17, 4], engine="numba", seed=1)
    settings = {"epochs": 10, "batch_size": 16, "learning_rate": 0.01} | settings
    history = network.fit(X, y, **settings)
    assert history.engine_note is None
    return network.theta, taped_steps


@pytest.mark.parametrize("threads", [2, 3, 5])
def test_one_thread_plays_the_tapes_of_several_to_the_same_bit(threads, monkeypatch):
    several, taped_steps = train(monkeypatch, True, threads)
    alone, _ = train(monkeypatch, False, threads)
    assert len(taped_steps[-1].tapes) > 1
    np.testing.assert_array_equal(alone, several)


def test_one_thread_stops_where_several_do(monkeypatch):
    said = []
    for spread in (True, False):
        with pytest.raises(Diverged) as error:
            train(monkeypatch, spread, optimizer="sgd", learning_rate=1e30)
        said.append(str(error.value))
    assert said[0] == said[1]


def test_no_product_of_two_transposed_factors_on_several_threads(monkeypatch):
    """OpenBLAS's kernel for them is not safe there: it wrote into other rows of the result than it should."""
    _, taped_steps = train(monkeypatch, True)

    def kinds(several):
        tapes = [t for p in taped_steps if (len(p.tapes) > 1) == several for t in p.tapes]
        return {call.arguments[1:3] for t in tapes for call in t.calls if call.name == "gemm"}

    assert (112, 112) in kinds(several=False)
    assert kinds(several=True) == {(111, 111), (111, 112), (112, 111)}


def play(pace, takes, steps):
    """The share of the steps that were spread over threads, and a step's mean time. takes: of one, spread or not."""
    done, seconds, spread = 0, 0.0, 0
    while done < steps:
        way, n = pace.way()
        n = min(n, steps - done)
        pace.took(n, n * takes[way])
        done, seconds, spread = done + n, seconds + n * takes[way], spread + n * way
    return spread / done, seconds / done


def test_threads_that_get_no_core_are_left_and_come_back():
    pace, takes = player.Pace(2), {True: 1e-4, False: 1.7e-4}
    share, mean = play(pace, takes, 100_000)
    assert share > 0.98
    assert mean < 1.01e-4
    takes[True] = 3e-3  # others came
    share, mean = play(pace, takes, 100_000)
    assert share < 0.02
    assert mean < 1.15 * 1.7e-4
    takes[True] = 1e-4  # and went
    play(pace, takes, 100_000)
    share, _ = play(pace, takes, 100_000)
    assert share > 0.98


def test_one_thread_has_no_other_way():
    assert play(player.Pace(1), {True: 1e-4}, 100_000) == (1.0, pytest.approx(1e-4))


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system chooses the cores")
@pytest.mark.skipif(not 2 <= (os.cpu_count() or 1) <= 8, reason="two cores at least, and a few samples for each")
def test_as_many_threads_as_cores_are_kept_on_one_each_while_they_play(monkeypatch):
    seen, before = [], os.sched_getaffinity(0)

    play = calls.Playing.__call__
    monkeypatch.setattr(calls.Playing, "__call__", lambda *a: (seen.append(os.sched_getaffinity(0)), play(*a))[1])
    monkeypatch.setattr(player, "_threads", lambda step: len(before))
    FeedForwardNeuralNetwork([33, 24, 17, 4], engine="numba").fit(X, y, epochs=2, batch_size=16)
    assert {frozenset({core}) for core in before} <= {frozenset(cores) for cores in seen}
    assert os.sched_getaffinity(0) == before
    with ThreadPoolExecutor(1) as pool:

        def play_and_look():
            with cores.kept_on(min(before)):
                kept = os.sched_getaffinity(0)
            return kept, os.sched_getaffinity(0)

        assert pool.submit(play_and_look).result() == ({min(before)}, before)
    assert cores.a_core_each(len(before) + 1) == [None] * (len(before) + 1)


def meet(meeting, n):
    """The C function that threads meet by, called as from a tape."""
    system = ctypes.CDLL(None)
    wait = ctypes.cast(system.syscall if calls.FUTEX else system.sched_yield, ctypes.c_void_p).value
    arguments = np.array([meeting.ctypes.data, n, wait])
    answer = calls.barrier().ctypes(arguments.ctypes.data_as(ctypes.POINTER(ctypes.c_int64)))
    return answer, time.thread_time()


@pytest.mark.skipif(calls.FUTEX is None, reason="threads sleep on a futex of Linux's")
def test_who_waits_long_sleeps():
    meeting = calls.meeting()
    with ThreadPoolExecutor(3) as pool:
        early = [pool.submit(meet, meeting, 3) for _ in range(2)]
        time.sleep(0.3)
        late = pool.submit(meet, meeting, 3)
        assert [future.result(10)[0] for future in (*early, late)] == [0, 0, 0]
    assert max(future.result()[1] for future in early) < 0.15


def test_who_waits_for_one_that_left_does_not_wait_for_ever():
    meeting = calls.meeting()
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(meet, meeting, 2)
        time.sleep(0.05)
        meeting[2] = 1
        assert waits.result(10)[0] == calls.OTHERS_LEFT


def test_many_meetings():
    meeting, order, n = calls.meeting(), [], 200

    def come(_):
        for i in range(n):
            order.append(i)
            meet(meeting, 4)

    threads = [threading.Thread(target=come, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert order == sorted(order)
    assert len(order) == 4 * n
