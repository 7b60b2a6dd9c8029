"""Forward propagation on tape, for predictions: kept with the network, and played for one sample or for many.

θ is never replaced, so that a tape holds as long as the network does; what its formulas take from their modules is
looked at each time. Chunks of samples go to as many threads as BLAS has, and each is computed on one thread: the
probabilities do not depend on the number of threads. A single sample goes through loops of our own: it reads every
weight once, and BLAS would copy them first.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np

from muslin.engines import blas, cores
from muslin.engines.formula import NotCertain
from muslin.engines.numba_engine import scale
from muslin.engines.symbol import CannotRecord
from muslin.engines.tape import Recorder
from muslin.inputs import SCALED
from muslin.memory import Signals

#: samples that pass through the network at a time
CHUNK = 256
#: type characters of the samples that are read as they are: uint8, float32, float64
READ = "Bfd"


class PassRecorder(Recorder):
    """Writes down the forward pass of n samples, from X, which lie row by row, to their probabilities P."""

    def __init__(self, network: Any, X: np.ndarray, P: np.ndarray):
        super().__init__(network.engine, network.dtype, parts=2)  # others may multiply at the same time
        self.network, self.n = network, len(X)
        signals = Signals(network.sizes, self.n, network.dtype, backward=False)
        self.largest, self.nan = np.zeros(1, network.dtype), np.zeros(1, np.int64)
        if X.dtype == network.dtype:
            signals.H[0] = signals.inputs[0] = X.T
        else:
            rows, columns = np.arange(self.n), np.array([0, X.shape[1]])
            self.loop("gather", X, rows, columns, scale(X.dtype, network.dtype), signals.H[0].T)
        if X.dtype.kind == "f":
            bits, largest = (x.view(f"u{x.itemsize}") for x in (signals.H[0].T, self.largest))
            self.loop("largest", bits, largest, loop=self.templates.largest(network.dtype))
        s = signals.map(self.symbol, self.n)
        network.forward(s, self)
        self.loop("turn", signals.H[network.L], P, self.nan, writes=(1, 2))

    def product_of(self, A: Any, B: Any, out: Any) -> Any:
        if self.n > 1:
            return super().product_of(A, B, out)
        self.loop("weigh", A.T, B.array[:, 0], out.array[:, 0])
        return out


class Pass:
    """The tape of n samples of one type. For `single` it is played on memory of its own, for `chunks` on that of the
    caller."""

    def __init__(self, network: Any, n: int, kind: str):
        from muslin.engines import calls

        self.X, self.P = np.zeros((n, network.sizes[0]), kind), np.zeros((n, network.sizes[-1]), network.dtype)
        recorder = PassRecorder(network, self.X, self.P)
        self.network, self.tape, self.largest, self.nan = network, recorder.tape(), recorder.largest, recorder.nan
        self.finite = float(np.finfo(network.dtype).max)
        self.function, self.formula, self.meeting = network.function, self._formula(), calls.meeting()
        self.playing, self.play = calls.Playing, calls.Playing(self.tape.table, self.tape.moves, self.meeting)

    def _formula(self):
        """What the engine makes of the activation now, if it is asked for."""
        network = self.network
        return network.L > 1 and network.engine.compiled("activate", network.function, network.dtype)

    def holds(self) -> bool:
        return self.formula is self._formula()

    def single(self, X: np.ndarray) -> np.ndarray | None:
        """Probabilities of n samples; None where there is something to say of the numbers of X, or of theirs."""
        self.X[...] = X
        self._begin()
        self.play()
        return self.P.copy() if self._fine(X) else None

    def _begin(self):
        self.largest[0] = self.nan[0] = 0

    def _fine(self, X):
        """Whether all of X is finite and of the scale of the samples of training, and no probability is NaN."""
        scale, largest = self.network.scale, self.largest.item()
        most, least = (self.finite, 0.0) if scale is None else scale.limits(len(X))
        return largest <= min(most, self.finite) and (largest >= least or X.dtype == np.uint8) and not self.nan[0]

    def chunks(self, X: np.ndarray, P: np.ndarray) -> bool:
        """P ← the probabilities of X, chunk by chunk of n samples; returns whether there is nothing to say of them."""
        table = self.tape.rewind()
        moves = np.zeros_like(table)
        for own, theirs in (self.X, X), (self.P, P):
            places = table == own.ctypes.data
            table[places], moves[places] = theirs.ctypes.data, own.nbytes
        self._begin()
        self.playing(table, moves, self.meeting)(len(X) // len(self.X))
        self.tape.rewind()
        return self._fine(X)


class Predictor:
    """Predicts with a network as it is now, from any thread: each call takes a `Pass` that nobody else has."""

    def __init__(self, network: Any, written: Callable):
        """written: the forward pass that is written down; a class that has another one is left to it."""
        self.network, self.written = network, written
        self.idle: dict[tuple[int, str], list[Pass]] = {}

    def __call__(self, X: Any) -> np.ndarray | None:
        """Probabilities (N × classes) of the rows of X; None where the plain forward pass has to do it."""
        if not isinstance(X, np.ndarray) or X.ndim != 2 or X.dtype.char not in READ or not X.dtype.isnative:
            return None
        if isinstance(X, np.ma.MaskedArray):
            return None
        (n, m), scale = X.shape, self.network.scale
        if X.dtype == np.uint8 and not (scale is None or scale.uint8 or scale.largest <= SCALED):
            return None
        if m != self.network.sizes[0] or n == 0 or not X.flags.c_contiguous:
            return None
        try:
            return self._single(X) if n == 1 else self._many(X)
        except NotCertain:
            return None

    def _single(self, X):
        key = 1, X.dtype.char
        one = self._take(key)
        P = one.single(X)
        self.idle[key].append(one)
        return P

    def _many(self, X):
        n, P = min(len(X), CHUNK), np.empty((len(X), self.network.sizes[-1]), self.network.dtype)
        whole = len(X) // n
        threads = min(blas.n_threads(), whole)
        ends = [whole * i // threads * n for i in range(threads + 1)]
        shares = [(X[i:j], P[i:j], n) for i, j in pairwise(ends)]
        if rest := len(X) - whole * n:
            shares.append((X[-rest:], P[-rest:], rest))
        with blas.alone(np.zeros(1, np.int64)):
            if threads == 1:
                fine = [self._chunks(None, share) for share in shares]
            else:
                own, *places = cores.a_core_each(threads)
                with ThreadPoolExecutor(threads - 1, initializer=blas.begin_thread) as pool:
                    others = [pool.submit(self._chunks, *each) for each in zip(places, shares[1:threads], strict=True)]
                    fine = [self._chunks(own, share) for share in (shares[0], *shares[threads:])]
                    fine += [other.result() for other in others]
        return P if all(fine) else None

    def _chunks(self, core, share):
        X, P, n = share
        key = n, X.dtype.char
        one = self._take(key)
        with cores.kept_on(core):
            fine = one.chunks(X, P)
        self.idle[key].append(one)
        return fine

    def _take(self, key):
        """A `Pass` of (samples, type) that holds; made where none is idle."""
        idle = self.idle.setdefault(key, [])
        try:
            while not (one := idle.pop()).holds():
                pass
            return one
        except IndexError:  # there is none, or another thread has it
            return self._made(key)

    def _made(self, key):
        if not self._recordable():
            raise CannotRecord("the network's engine or class has a forward pass of its own")
        return Pass(self.network, *key)

    def _recordable(self):
        network = self.network
        own = "forward" not in vars(network) and type(network).forward is self.written
        return network.engine.name == "numba" and own and network.output_function.__module__ == "muslin.outputs"
