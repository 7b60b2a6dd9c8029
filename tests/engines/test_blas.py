"""How many threads BLAS uses."""

import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from muslin.engines import blas
from muslin.errors import InputError


def in_use():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_threads_are_limited_and_given_back():
    with blas.threads(2):
        before = in_use()
        with blas.threads(1):
            assert in_use() == [1] * len(before)
        with blas.threads(None):
            assert in_use() == before


def test_threads_below_one():
    with pytest.raises(InputError, match="threads is 0; it must be a whole number from 1"):
        blas.threads(0)


def test_without_threadpoolctl(monkeypatch):
    monkeypatch.setattr(blas, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install 'muslin"):
        blas.threads(1)
    assert blas.description() == {}


SYSTEM = "/usr/lib/x86_64-linux-gnu/openblas-pthread/libopenblasp-r0.3.29.so"  # Debian's
SCIPYS = "/usr/lib/python3/site-packages/scipy.libs/libscipy_openblas-68440149.so"
NUMPYS = "/usr/lib/python3/site-packages/numpy.libs/libscipy_openblas64_-c4d3ca2f.so"


@pytest.mark.parametrize(
    ("loaded", "numpys"),
    [
        ([NUMPYS], NUMPYS),
        ([SCIPYS, NUMPYS], NUMPYS),
        ([SYSTEM], SYSTEM),
        ([SCIPYS, SYSTEM], SYSTEM),
        ([SCIPYS], None),
        ([SYSTEM, "/opt/intel/libmkl_rt.so"], None),
        ([], None),
    ],
)
def test_numpys_blas_among_all(loaded, numpys):
    found = blas._of_numpy([SimpleNamespace(filepath=path) for path in loaded])
    assert getattr(found, "filepath", None) == numpys


@pytest.mark.parametrize("pool", [None, SimpleNamespace(dynlib=SimpleNamespace())], ids=["none", "of other names"])
def test_a_function_that_is_not_found_has_no_address(pool, monkeypatch):
    monkeypatch.setattr(blas, "_pool", lambda: pool)
    assert blas.product(np.dtype(np.float32)) is None


def test_description():
    pools = [p for p in threadpool_info() if p["user_api"] == "blas" and "numpy" in p["filepath"]]
    found = blas.description()
    assert set(found) == ({"library", "kernels", "threads"} if pools else set())
    if pools:
        assert found["threads"] == pools[0]["num_threads"]
        assert found["library"] == pools[0]["internal_api"]


def test_limits_that_overlap_between_threads_are_given_back():
    before, entered, left = in_use(), threading.Event(), threading.Event()

    def other():
        with blas.threads(1):
            entered.set()
            left.wait(10)

    thread = threading.Thread(target=other)
    with blas.threads(2):
        thread.start()
        entered.wait(10)
        assert in_use() == [1] * len(before)
    assert in_use() == [1] * len(before)
    left.set()
    thread.join()
    assert in_use() == before
    assert blas.n_threads() == before[0]


def test_alone_and_together_take_turns():
    bell, log, counts = np.zeros(1, np.int64), [], {"alone": 0, "together": 0}

    def work(kind):
        for _ in range(30):
            with blas.alone(bell) if kind == "alone" else blas.together():
                counts[kind] += 1
                other = "together" if kind == "alone" else "alone"
                log.append((kind, counts[other], blas.description()["threads"], blas.n_threads()))
                with blas.together():  # within another: nothing changes
                    log.append((kind, counts[other], blas.description()["threads"], blas.n_threads()))
                counts[kind] -= 1

    with blas.threads(2):
        workers = [threading.Thread(target=work, args=(kind,)) for kind in ("alone", "together") * 2]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert blas.description()["threads"] == 2
    assert set(log) == {("alone", 0, 1, 2), ("together", 0, 2, 2)}


def test_whoever_waits_rings_the_bell():
    bell, entered = np.zeros(1, np.int64), threading.Event()

    def wait():
        with blas.together():
            entered.set()

    with blas.alone(bell):
        waiting = threading.Thread(target=wait)
        waiting.start()
        deadline = time.monotonic() + 10
        while not bell[0] and time.monotonic() < deadline:
            time.sleep(0.001)
        assert bell[0]
        assert not entered.is_set()
    waiting.join(10)
    assert entered.is_set()


def test_ctrl_c_at_any_time_leaves_nobody_waiting():
    """A context is broken off wherever Python looks for signals in blas.py, once in each place: where a function begins
    and after each call. Then others get their turn."""
    place, bell = 0, np.zeros(1, np.int64)

    def look(frame, event, argument):
        nonlocal left
        if frame.f_code.co_filename == blas.__file__ and event in ("call", "c_return"):
            left -= 1
            if left == 0:
                raise KeyboardInterrupt

    def entered(context):
        with context:
            pass

    with blas.threads(2):
        while True:
            left = place = place + 1
            sys.setprofile(look)
            try:
                entered(blas.alone(bell))
            except KeyboardInterrupt:
                pass
            finally:
                sys.setprofile(None)
            entered(blas.alone(bell))  # this thread's next one clears up what is left, if anything
            other = threading.Thread(target=entered, args=(blas.together(),), daemon=True)
            other.start()
            other.join(10)
            assert not other.is_alive(), f"broken off at place {place}"
            assert blas.description()["threads"] == 2
            if left > 0:
                break
    assert place > 20
