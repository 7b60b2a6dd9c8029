"""Training on many batches at a time: a step is written down once, as a `Tape`, and then played.

Each of several threads has a tape of its own:

    X, W⁽¹⁾X             its share of the inputs, all samples
    — all wait —
    forward, deltas      its share of the samples
    — all wait —
    gradients, update    its share of the columns of each W

On one thread the parameters are, bit for bit, those of `Step`; on several, matrices of other sizes are multiplied,
which rounds differently. Either way the same number of threads gives the same bits. Where a step cannot be written
down, `Step` takes it, batch by batch.
"""

import os
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager

import numpy as np

from muslin.engines import GATHERED, blas, scale
from muslin.engines.tape import CannotRecord, Tape, plain

#: samples that are trained on between two looks at the clock and the keyboard
AT_ONCE = 16_384
#: floating-point operations of a step below which a second thread is slower
SMALL = 500_000


class Program:
    """The step of training on batches of one size, on tape; plays up to ``steps`` batches at a time.

    step: the `Step` that is written down; y: labels (N,); parts: number of threads. Raises CannotRecord.
    """

    def __init__(self, step, y, batch, steps, parts):
        self.step, self.y, self.batch = step, y, batch
        self.update, self.once = step.network.engine.made("update", step.network.dtype, step.rule)
        self.signals = step.signals.first(batch)
        self.rows = np.zeros((steps, batch), np.int64)
        self.losses, self.correct = np.zeros((steps, parts)), np.zeros((steps, parts), np.int64)
        widths = [len(self._scalars(part, [1.0], 1)[0]) for part in step.parts]
        self.scalars = [np.zeros((steps, width), step.network.dtype) for width in widths]
        shape = step.network.sizes[1], batch
        self.sums = [np.zeros(shape, step.network.dtype, order="F") for _ in range(parts)]
        self.meeting = np.zeros((3, 8), np.int64)  # a cache line for each of three numbers
        self.tapes = [self._record(Tape(step.network.engine, step.network.dtype, i, parts)) for i in range(parts)]
        self.played = [np.empty_like(tape.calls) for tape in self.tapes]
        self.play = self.tapes[0].functions.player()

    def _scalars(self, part, rates, t):
        """The scalars of the update of a part of θ, decay first, for the steps from t on: a row each."""
        nows = (self.step.now(learning_rate=rate, t=t + i) for i, rate in enumerate(rates))
        return [self.once(part.decay, part.scalars | now) for now in nows]

    def _record(self, tape):
        network, freeze = self.step.network, self.step.freeze
        samples = tape.share(self.batch)
        rows = self.rows[0, samples]
        own = self.signals.map(lambda array: _columns(array, samples), self.batch)
        Y = np.zeros((network.sizes[-1], rows.size), network.dtype)
        factor = scale(self.step.X.dtype, network.dtype)
        by_batch, by_part = self.rows.strides[0], self.losses.strides[0]

        inputs = tape.share(network.sizes[0])
        columns, H0 = np.array([inputs.start, inputs.stop]), self.signals.H[0]
        tape.loop("gather", self.step.X, self.rows[0], columns, factor, H0.T, moves={1: by_batch})
        tape.loop("targets", self.step.table, self.y, rows, Y, moves={2: by_batch})
        network.engine, engine = tape, network.engine
        try:
            s, Y = own.map(tape.traced, self.batch), tape.traced(Y)
            if tape.parts == 1:
                network.forward(s)
            else:
                self._first_product(tape, inputs, s.A[1], samples)
                network.forward_from_first(s)
            loss = plain(network.batch_loss(s, Y))
            network.deltas(s, Y, freeze)
            tape.loop("keep", loss.reshape(1), self.losses[0, tape.part :][:1], moves={1: by_part})
            correct = self.correct[0, tape.part :][:1]
            tape.loop("correct", own.H[network.L], self.y, rows, correct, moves={2: by_batch, 3: by_part})
            tape.barrier(self.meeting)
            tape.finite(self.losses[0], by_part)
            tape.sharing = True
            network.gradients(self.signals.map(tape.traced, self.batch), freeze)
        finally:
            network.engine = engine
        for scalars, where in self._updated(tape):
            self._update(tape, scalars, where)
        return tape.finish()

    def _first_product(self, tape, inputs, A, samples):
        """A⁽¹⁾ = W⁽¹⁾X as the sum of what each thread has of it: some columns of W⁽¹⁾ times these rows of X.

        So a thread needs of W⁽¹⁾, the largest of all, only what it updates itself, and it stays in its core's cache.
        """
        W, H0 = self.step.network.weights[1], tape.traced(self.signals.H[0])
        np.matmul(W[:, inputs], H0[inputs], out=self.sums[tape.part])
        tape.barrier(self.meeting)
        np.add(self.sums[0][:, samples], self.sums[1][:, samples], out=A)
        for summand in self.sums[2:]:
            np.add(A, summand[:, samples], out=A)

    def _updated(self, tape):
        """(scalars, slice of θ) of all that the tape's thread updates: what it has the gradients of."""
        p, weights, biases = self.step.network.parameters, self.scalars[0], self.scalars[-1]
        matrices = [(weights, p.weight_slices[k].start, *W.shape) for k, W in p.weights.items() if k > self.step.freeze]
        vectors = [(biases, p.bias_slices[k].start, 1, b.size) for k, b in p.biases.items() if k > self.step.freeze]
        for scalars, at, n, m in matrices + vectors:
            columns = tape.share(m)
            yield scalars, slice(at + n * columns.start, at + n * columns.stop)

    def _update(self, tape, scalars, where):
        vectors = (self.step.network.theta, self.step.network.gradient, *self.step.slots.values())
        given = [vector[where] for vector in vectors]
        tape.loop(self.update, *given, scalars[0], moves={len(given): scalars.strides[0]})

    def __call__(self, rows, state, rate, pool):
        """Train on ``rows``, whole batches; yields (samples, mean loss, right predictions) of each."""
        n = len(rows) // self.batch
        self.rows[:n] = rows.reshape(n, self.batch)
        rates = [rate(state.step + i) for i in range(n)]
        for part, scalars in zip(self.step.parts, self.scalars, strict=True):
            scalars[:n] = self._scalars(part, rates, state.step + 1)
        for tape, played in zip(self.tapes, self.played, strict=True):
            played[...] = tape.calls
        moves = [tape.moves for tape in self.tapes]
        try:
            runs = [pool.submit(self.play, *tables, n) for tables in zip(self.played, moves, strict=True)]
            wait(runs)
        except BaseException:  # Ctrl-C: those that wait for each other do not wait for ever
            self.meeting[2] = 1
            raise
        done = runs[0].result()
        state.step += done
        if done < n:
            raise self.step.diverged(self.signals, state.epoch, state.step + 1)
        losses, correct = self.losses[:n].sum(axis=1) / self.batch, self.correct[:n].sum(axis=1)
        return zip([self.batch] * n, losses.tolist(), correct.tolist(), strict=True)


def _columns(array, columns):
    """The columns of a matrix: the same memory or, where they are no block of it, memory of their own."""
    view = array[:, columns]
    return view if view.flags.f_contiguous else np.zeros_like(view, order="C")


class Player:
    """Trains as a `Step` does, but many batches at a time. Raises CannotRecord."""

    def __init__(self, step, pool, threads):
        self.step, self.pool, self.threads, self.programs = step, pool, threads, {}
        self.y = np.ascontiguousarray(step.y)
        self.stride = step.stride * max(1, AT_ONCE // step.stride)
        self._program(step.stride)

    def _program(self, batch):
        if batch not in self.programs:
            steps = self.stride // batch if batch == self.step.stride else 1
            self.programs[batch] = Program(self.step, self.y, batch, steps, min(self.threads, batch))
        return self.programs[batch]

    def __call__(self, rows, state, rate, rng):
        """Train on these rows; yields (samples, mean loss, right predictions) of each batch."""
        batch = self.step.stride
        whole = len(rows) // batch * batch
        for some in (rows[:whole], rows[whole:]):
            if len(some):
                yield from self._program(min(batch, len(some)))(some, state, rate, self.pool)


@contextmanager
def trainer(step, one_by_one=False):
    """What trains on rows: a `Player` of the step or, where it cannot be recorded, the step itself."""
    try:
        if one_by_one:
            raise CannotRecord("each step is watched")
        _recordable(step)
        threads = _threads(step)
        pool = ThreadPoolExecutor(threads)
        player = Player(step, pool, threads)
    except CannotRecord:
        yield step
    else:
        with pool, blas.threads(1):
            yield player


def _recordable(step):
    """Raises CannotRecord for what is known beforehand."""
    engine = step.network.engine
    refused = {
        "the engine": engine.name != "numba",
        "dropout": step.dropout > 0,
        "the norm of the gradient": step.clip_norm is not None,
        "the loss in the optimizer's rule": "loss" in step.asked,
        "the samples": not step.X.flags.c_contiguous or step.X.dtype not in GATHERED,
        "the system": not hasattr(os, "sched_yield"),
        "the rule": engine.name == "numba" and engine.made("update", step.network.dtype, step.rule) is None,
    }
    if found := [name for name, there in refused.items() if there]:
        raise CannotRecord(*found)


def _threads(step):
    work = 6 * step.stride * step.network.parameters.n_weights
    return max(1, min(blas.n_threads(), step.stride // 8)) if work > SMALL else 1
