"""BLAS, the library under `np.matmul`: how many threads it uses, and which one it is."""

import ctypes
import os
import sys
import threading
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from muslin.errors import InputError


def threads(n: int | None = None) -> AbstractContextManager[Any]:
    """A context in which BLAS uses n threads, in the whole process; None leaves it alone.

    Raises InputError: n below 1, or threadpoolctl not installed.
    """
    if n is None:
        return nullcontext()
    if n < 1:
        raise InputError(f"threads is {n}; it must be a whole number from 1.")
    if find_spec("threadpoolctl") is None:
        raise InputError("threads needs threadpoolctl: pip install 'muslin[fast]' (or set OPENBLAS_NUM_THREADS).")
    return _USE.limited(n)


def alone(bell: np.ndarray) -> AbstractContextManager[Any]:
    """A context in which BLAS computes on the thread that calls it alone: while tapes are played, which have threads of
    their own. It begins when nothing is `together`; when someone waits for that, ``bell[0]`` becomes 1.

    bell: an array of whole numbers, looked at after each step.
    """
    return _Phase("alone", bell)


def together() -> AbstractContextManager[Any]:
    """A context in which BLAS computes on all of its threads: the number is one for the whole process, and results
    depend on it. So what is computed `alone` meanwhile, in other threads, is asked to stop, and goes on afterwards."""
    return _Phase("together")


#: the other way to use BLAS
OTHER = {"alone": "together", "together": "alone"}


class _Use:
    """Who uses BLAS how. Its number of threads belongs to the whole process, so that it is kept here and nowhere else.

    `limited` and phases may be nested and may overlap between threads; in the end the number is what it was. Phases of
    the two kinds take turns: whoever comes while the other kind waits, waits too, so that nobody waits for ever.

    Ctrl-C may break off any line here. So what a phase has taken is known by the phase, and `leave` gives back whatever
    it is; it may be called again.
    """

    def __init__(self):
        self.lock, self.own = threading.Lock(), threading.local()
        self.changed = threading.Condition(self.lock)
        self.kind, self.inside, self.waiting = None, set(), {"alone": set(), "together": set()}
        self.limits, self.before = [], {}

    def n_threads(self):
        """How many threads NumPy's BLAS has where no tape is played."""
        with self.lock:
            if self.limits:
                return self.limits[-1][1]
            pool = _pool()
            return self.before.get(pool.filepath, pool.num_threads) if pool else 1

    @contextmanager
    def limited(self, n):
        limit = (object(), n)
        with self.lock:
            self.limits.append(limit)
            self._apply(map(_Count, _pools()))
        try:
            yield
        finally:
            with self.lock:
                self.limits.remove(limit)
                self._apply(map(_Count, _pools()))

    def _apply(self, counts):
        """Gives each BLAS the number of threads that it has to have now."""
        own = _count()
        for count in counts:
            alone_ = self.kind == "alone" and own is not None and count.path == own.path
            n, now = 1 if alone_ else self.limits[-1][1] if self.limits else None, count.get()
            if n is not None:
                self.before.setdefault(count.path, now)
            wanted = self.before.get(count.path, now) if n is None else n
            if wanted != now:
                count.set(wanted)
            if n is None:  # only now: Ctrl-C may break off any line
                self.before.pop(count.path, None)

    def enter(self, phase):
        other = OTHER[phase.kind]
        with self.lock:
            if self.kind in (None, phase.kind) and not self.waiting[other]:
                self.inside.add(phase)
                self._begin(phase.kind)
            else:
                self.waiting[phase.kind].add(phase)
                self._ring(self.inside, True)
                self.changed.wait_for(lambda: phase in self.inside)
            self._ring([phase], bool(self.waiting[other]))

    def leave(self, phase):
        with self.lock:
            self.waiting[phase.kind].discard(phase)
            self.inside.discard(phase)
            if not self.inside:
                self._pass_on()

    @staticmethod
    def _ring(phases, rings):
        for phase in phases:
            if phase.bell is not None:
                phase.bell[0] = rings

    def _begin(self, kind):
        if self.kind != kind:
            self.kind = kind
            if kind == "alone" or self.before:
                self._apply([_count()] if _count() else [])

    def _pass_on(self):
        """To those who wait, first of the other kind."""
        turns = (OTHER[self.kind], self.kind) if self.kind else OTHER
        following = next((kind for kind in turns if self.waiting[kind]), None)
        self._begin(following)
        if following:
            self.inside, self.waiting[following] = self.waiting[following], set()
            self.changed.notify_all()


class _Phase:
    """A context in which BLAS is used in one way; within another one of the same thread that one's way holds."""

    def __init__(self, kind, bell=None):
        self.kind, self.bell, self.frame = kind, bell, None

    def __enter__(self):
        outer = getattr(_USE.own, "phase", None)
        if outer is not None and outer.over():
            outer.end()
            outer = None
        if outer is None:
            self.frame = sys._getframe(1)
            try:
                _USE.own.phase = self
                _USE.enter(self)
            except BaseException:  # Ctrl-C
                self.end()
                raise

    def __exit__(self, *error):
        if self.frame is not None:
            self.end()

    def end(self):
        try:
            _USE.leave(self)
        except BaseException:  # Ctrl-C
            _USE.leave(self)
            raise
        finally:
            _USE.own.phase = self.frame = None

    def over(self):
        """Whether the function whose context it is has ended: by Ctrl-C, before `end` was called."""
        frame = sys._getframe()
        while frame is not None and frame is not self.frame:
            frame = frame.f_back
        return frame is None


class _Count:
    """How many threads a BLAS uses, to get and to set. OpenBLAS is asked itself: training does so after each step that
    someone watches, and threadpoolctl takes five times as long."""

    def __init__(self, pool):
        self.pool, self.path = pool, pool.filepath
        self.get, self.set = self._of_openblas() or (pool.get_num_threads, self._set)

    def _of_openblas(self):
        if getattr(self.pool, "threading_layer", None) != "pthreads":  # with OpenMP the number belongs to each thread
            return None
        for name in OPENBLAS:
            names = (name.format(f"openblas_{verb}_num_threads") for verb in ("get", "set"))
            found = tuple(getattr(self.pool.dynlib, name, None) for name in names)
            if all(found):
                return found
        return None

    def _set(self, n):
        """threadpoolctl lets one thread set the number and silently ignores all others; here `_Use` keeps the order."""
        release = getattr(self.pool, "clear_controlling_thread", lambda force: None)
        release(force=True)
        self.pool.set_num_threads(n)
        release(force=True)


#: what OpenBLAS' own functions are called
OPENBLAS = ("scipy_{}64_", "{}64_", "scipy_{}", "{}")


@cache
def _count():
    """Of NumPy's BLAS; None if it is not known."""
    return _Count(_pool()) if _pool() else None


def begin_thread() -> None:
    """To be called first in a thread that plays tapes: with OpenMP the number of threads belongs to each thread."""
    if getattr(_pool(), "threading_layer", None) == "openmp":
        _count().set(1)


_USE = _Use()


def _after_fork():
    """In a child process no other thread is there any more, whatever it held."""
    limits, before = _USE.limits, _USE.before
    _USE.__init__()
    _USE.limits, _USE.before = limits, before
    _USE._apply([_count()] if _count() else [])


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def description() -> dict[str, Any]:
    """{"library", "kernels", "threads"} of the BLAS in use; results are bit-equal only where all of it is equal."""
    pool = _pool() if find_spec("threadpoolctl") else None
    told = pool.info() if pool else {}
    names = {"library": "internal_api", "kernels": "architecture", "threads": "num_threads"}
    return {key: told.get(name) for key, name in names.items() if told}


#: what functions are called in one BLAS or another, and the size of its integers
NAMES = {"scipy_cblas_{}64_": 64, "cblas_{}64_": 64, "scipy_cblas_{}": 32, "cblas_{}": 32}


def product(dtype: np.dtype, name: str = "gemm") -> tuple[int, int] | None:
    """(address, size of its integers) of the function by which NumPy's BLAS multiplies matrices or, with ``dot``, two
    vectors; None if not found."""
    pool = _pool()
    if pool is None:
        return None
    letter = {"float32": "s", "float64": "d"}[dtype.name]
    for pattern, size in NAMES.items():
        if function := getattr(pool.dynlib, pattern.format(letter + name), None):
            return ctypes.cast(function, ctypes.c_void_p).value or 0, size
    return None


def n_threads() -> int:
    """How many threads NumPy's BLAS uses where no tape is played."""
    return _USE.n_threads()


@cache
def _pool():
    """threadpoolctl's controller of NumPy's BLAS, or None. NumPy has loaded it for good."""
    return _of_numpy(_pools())


def _of_numpy(pools):
    """The one in NumPy's own folder; else the system's, if there is but one. What lies in a folder ``….libs`` came with
    another package, such as SciPy."""
    numpys = [pool for pool in pools if "numpy" in pool.filepath]
    systems = [pool for pool in pools if ".libs" not in pool.filepath]
    return (numpys or (systems if len(systems) == 1 else [None]))[0]


def _pools():
    """threadpoolctl's controllers of every BLAS that is loaded now."""
    if find_spec("threadpoolctl") is None:
        return []
    from threadpoolctl import ThreadpoolController

    return [pool for pool in ThreadpoolController().lib_controllers if pool.user_api == "blas"]
