"""Training on many batches at a time: a step is written down once, as a `Tape`, and then played.

Each of several threads has a tape of its own:

    X, W⁽¹⁾X             its share of the inputs, all samples
    — all meet —
    forward, deltas      its share of the samples
    — all meet —
    gradients, update    its share of the columns of each W

Batch normalization looks at all samples of a unit. With it a thread has of the hidden layers its share of the *units*,
and all meet before each product.

On one thread the parameters are, bit for bit, those of the plain step; on several, matrices of other sizes are
multiplied, which rounds differently. Either way the same number of threads gives the same bits.

A tape is played beside the plain step, on two batches, before it is trusted, or one of its kind was (see
`muslin.engines.tried`). Where a step cannot be written down, or anything at all goes wrong with it, the plain step is
taken, and the player's ``note`` says why.
"""

from __future__ import annotations

import logging
import math
import os
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from itertools import chain, repeat
from typing import Any

import numpy as np

from muslin.augmentation import WAYS
from muslin.engines import blas, cores, denormals, dropout
from muslin.engines.contract import GATHERED
from muslin.engines.crew import Crew
from muslin.engines.denormals import flush, flushed
from muslin.engines.formula import NotCertain
from muslin.engines.numba_engine import scale
from muslin.engines.symbol import CannotRecord, Symbol, bindings_of
from muslin.engines.tape import Recorder, joined
from muslin.engines.tried import TRIED, kind
from muslin.memory import Signals
from muslin.normalization import Normalization

#: samples that are trained on between two looks at the clock and the keyboard
AT_ONCE = 16_384
#: floating-point operations of a step below which a second thread is slower
SMALL = 500_000
#: steps by which another way to play is looked at first; seconds of a longer look, and of a piece between two looks
LOOK, LONG, PIECE = 4, 0.01, 0.05
#: as many times as long as the way that is taken may those steps take before a second look is worth its time
WAKING = 3
#: bytes that a copy of samples may take that do not lie row by row, or are of another type
COPIED = 2**30
#: learning rate of the steps by which a tape is tried
TRIED_AT = 1e-3
#: how much larger than what rounding the parameters does to a gradient the difference between threads may be
ROUNDING = 100

#: the learning rate of a step, by its number from 0
Rate = Callable[[int], float]
#: of a batch: samples, mean loss, right predictions
Batch = tuple[int, float, int]

log = logging.getLogger(__name__)


class StepRecorder(Recorder):
    """Writes down a thread's part of a `muslin.training.step.Step`, whose order of things it is led through."""

    def __init__(self, taped: TapedStep, part: int):
        step = taped.step
        super().__init__(step.network.engine, step.network.dtype, part, len(taped.sums))
        self.taped, self.step, self.whole = taped, step, taped.signals
        self.samples, self.inputs = self.share(taped.batch), self.share(step.network.sizes[0])
        self.rows = taped.rows[0, self.samples]
        self.met = self.told = False
        self.by_units = self.parts > 1 and bool(self.whole.N)
        self.names.add(taped.names())

    def signals(self) -> Signals:
        """The `Signals` as symbols: this thread's samples (or units), and behind them all."""
        s = self.whole.map(self._share, self.taped.batch)
        for name in s.NAMES if self.by_units else ():
            for k in getattr(self.whole, name).keys() & self.whole.N.keys():
                getattr(s, name)[k] = self._share_of_units(getattr(self.whole, name)[k])
        return s

    def _share_of_units(self, array):
        units = self.share(len(array))
        return Symbol(self, array[units], array, units)

    def _share(self, array):
        if self.parts == 1 and array.flags.forc:
            return self.symbol(array)
        return self.symbol(_columns(array, self.samples), array)

    def __getattr__(self, name: str) -> Any:
        """A part of a step that is not here: such steps are plain."""
        if name.startswith("_"):
            raise AttributeError(name)
        raise CannotRecord(f"no tape has {name} yet")

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Around a step that is played when its caller asks for it, on the caller's own thread and others: these wait
        for that, and it for them, and meanwhile denormals are zero on it."""
        flushing = self.taped.flushing if self.part == 0 else None
        if flushing:
            self.c_function("fegetenv", flushing.get, flushing.before)
            self.c_function("fesetenv", flushing.set, flushing.now)
        self.barrier(self.taped.meeting)
        yield
        self.barrier(self.taped.meeting)
        if flushing:
            self.c_function("fesetenv", flushing.set, flushing.before)

    # The parts of a step, in the order in which the step asks for them

    def gather(self, X: np.ndarray, rows: np.ndarray, out: Any) -> None:
        columns, H0 = self._bounds(self.inputs), out.whole
        self.names.add({"X": X, "columns": columns, "scale": (factor := scale(X.dtype, self.dtype))})
        self.loop("gather", X, self.taped.rows[0], columns, factor, H0, moves={1: self.taped.by_batch})

    def augment(self, augmentation: Any, X: np.ndarray, rows: np.ndarray, out: Any) -> None:
        """Each thread makes its samples. They are written where others may still read those of the step before, so that
        all meet first."""
        P, ways, share = self.taped.pictures, self.taped.ways[0], self._bounds(self.samples)
        by_step, shape = self.taped.ways.strides[0], np.array(augmentation.shape)
        self.names.add({"X": X, "ways": ways, "fields": augmentation.fields, "pictures": P})
        if not self.step.mixes:
            self.barrier(self.taped.meeting)
            P = out.whole
        loop, factor = self.templates.pictures("warp", self.dtype), scale(X.dtype, self.dtype)
        operands = X, self.taped.rows[0], ways, augmentation.fields, shape, factor, share, P
        self.loop("warp", *operands, loop=loop, moves={1: self.taped.by_batch, 2: by_step})
        if self.step.mixes:
            self.barrier(self.taped.meeting)
            loop = self.templates.pictures("mix", self.dtype)
            self.loop("mix", P, ways, shape, share, out.whole, loop=loop, moves={1: by_step})
        if not self.by_units:
            self.barrier(self.taped.meeting)

    @staticmethod
    def _bounds(share):
        """A share as loops are told it: [start, stop]."""
        return np.array([share.start, share.stop])

    def _mixed_targets(self, table, y, Y):
        taped, loop = self.taped, self.templates.pictures("mix_targets", self.dtype)
        operands = table, y, taped.rows[0], taped.ways[0], self._bounds(self.samples), Y
        self.loop("mix_targets", *operands, loop=loop, moves={2: taped.by_batch, 3: taped.ways.strides[0]})

    def targets(self, table: np.ndarray, y: np.ndarray, rows: np.ndarray) -> Symbol:
        if y.ndim == 2:
            self.own_targets = self._gathered("Y", y, rows)
            return self.symbol(self.own_targets.T)
        Y = np.zeros((len(table), self.rows.size), self.dtype)
        self.names.add({"table": table, "y": y, "Y": Y})
        if self.step.mixes:
            self._mixed_targets(table, y, Y)
            return self.symbol(Y)
        self.loop("targets", table, y, self.rows, Y, moves={2: self.taped.by_batch})
        return self.symbol(Y)

    def weights(self, weights: np.ndarray, rows: np.ndarray) -> Symbol:
        return self.symbol(self._gathered("weights", weights, rows).T)

    def _gathered(self, name, values, rows):
        """The rows of the batch of values (N × n): those of this thread, (B × n)."""
        out, columns, one = (
            np.zeros((rows.size, values.shape[1]), self.dtype),
            np.array([0, values.shape[1]]),
            scale(values.dtype, self.dtype),
        )
        self.names.add({f"all {name}": values, name: out, "columns": columns, "1": one})
        self.loop("gather", values, rows, columns, one, out, moves={1: self.taped.by_batch})
        return out

    def draw_masks(self, masks: dict[int, Any], share: float) -> None:
        scale, least = np.array([1.0 / (1.0 - share)], self.dtype), np.array([dropout.least(share)])
        self.names.add({"scale": scale, "least": least})
        for k, mask in masks.items():
            keys, first = self.taped.keys[k], np.array([self.samples.start * len(mask.whole)], np.uint64)
            operands = keys[:1], first, least, scale, mask.whole[:, self.samples].T
            self.loop("mask", *operands, loop=self.templates.mask(self.dtype), moves={0: keys.strides[0]})

    def figures(self, loss: Any, P: Any) -> None:
        if not isinstance(loss, Symbol) or loss.array.size != 1 or loss.array.dtype.kind != "f":
            raise CannotRecord("the loss is not a sum over the batch")
        by_part, y = self.taped.by_part, self.taped.y
        losses, correct = (array[0, self.part :][:1] for array in (self.taped.losses, self.taped.correct))
        self.loop("keep", loss.array.reshape(1), losses, moves={1: by_part})
        if y.ndim == 1:
            self.loop("correct", P.array, y, self.rows, correct, moves={2: self.taped.by_batch, 3: by_part})
        elif self.step.right:
            self.loop("correct_labels", P.array, self.own_targets, correct, moves={2: by_part})
        self.told = True

    def clip(self, parts: Sequence[Any], longest: float) -> None:
        """Each thread adds up the squares of the gradients that it has, and all wait for them."""
        wheres = [where for _, where in self._updated(parts)]
        if self.parts == 1 and not self.step.freeze:
            wheres = [slice(None)]
        squares = self.taped.squares_of(self.parts * len(wheres))
        own = squares[self.part * len(wheres) :][: len(wheres)]
        gradients = [self.step.network.gradient[where] for where in wheres]
        for i, g in enumerate(gradients):
            if g.size:
                self.dot(g, g, own[i : i + 1])
        self.barrier(self.taped.meeting)
        self.finite(squares, 0)
        for g in gradients:
            self.loop("clip", squares, np.array([longest]), g, loop=self.templates.clip(self.dtype))

    def update_parts(self, parts: Sequence[Any]) -> None:
        if self.taped.asks:
            if self.part == 0:
                taped = weakref.proxy(self.taped)  # which keeps this call
                self.python("scalars", lambda i: taped.use_loss(i), lambda error: taped.fail(error))
            self.barrier(self.taped.meeting)
        compiled, vectors = self.taped.compiled, self.taped.vectors
        for scalars, where in self._updated(parts):
            operands = [vector[where] for vector in vectors]
            writes = [0, *range(2, len(operands))]
            self.loop(
                self.step.rule.__name__,
                *operands,
                scalars[0],
                loop=compiled.loop,
                writes=writes,
                moves={len(operands): scalars.strides[0]},
            )

    def _updated(self, parts):
        """(scalars, slice of θ) of all that the thread updates: what it has the gradients of."""
        if self.parts == 1:
            yield from ((scalars, part.where) for part, scalars in zip(parts, self.taped.scalars, strict=True))
            return
        p, trained = self.step.network.parameters, range(self.step.freeze + 1, self.step.network.L + 1)
        weights, biases = self.taped.scalars[0], self.taped.scalars[-1]
        updated = [(weights, p.weight_slices[k].start, *p.weights[k].shape) for k in trained]
        for slices in (p.bias_slices, p.gamma_slices):
            updated += [(biases, slices[k].start, 1, p.biases[k].size) for k in trained if k in slices]
        for scalars, at, n, m in updated:
            columns = self.share(m)
            yield scalars, slice(at + n * columns.start, at + n * columns.stop)

    def follow(self, running: np.ndarray, value: np.ndarray, factor: float) -> None:
        loop, columns = self.templates.normalization("follow", self.dtype), self._bounds(self.share(len(running)))
        by = np.array([factor], self.dtype)
        self.loop("follow", running[:, 0], value[:, 0], by, loop=loop, writes=(0,), columns=columns)

    def normalized_deltas(
        self, how: Normalization, dA: Any, gamma: Any, N: Any, variance: Any, dgamma: Any, db: Any
    ) -> None:
        self._meet()
        super().normalized_deltas(how, dA, gamma, N, variance, dgamma, db)
        self.met = not self.by_units  # of what is made of dA all others have to wait again

    # Where the work is divided

    def product_of(self, A: Any, B: Any, out: Any) -> Any:
        """C ← A B. Of products that stay (gradients) each thread makes some columns, over all samples; of others those
        of its samples; and of the first one, W⁽¹⁾X, what its inputs add to every sample."""
        if not isinstance(out, Symbol):
            self._meet()
            columns = self.share(out.shape[1])
            self.multiply(A.whole, B.whole[:, columns], out[:, columns])
        elif self.by_units:
            self._product_by_units(A, B, out)
        elif self.parts > 1 and B.whole is self.whole.H[0]:
            self._first_product(A, B.whole, out.array)
        else:
            A, B = (x.array if isinstance(x, Symbol) else x for x in (A, B))
            self.multiply(A, B, out.array)
        return out

    def _product_by_units(self, A, B, out):
        """Some units for all samples or, of the last layer, all units for some samples; it needs all units before."""
        if self.told:
            self._meet()
            self.met = False
        else:
            self.barrier(self.taped.meeting)
        if out.units:
            self.multiply(A[out.units], B.whole, out.array)
        else:
            self.multiply(A, B.whole[:, self.samples], out.array)

    def _first_product(self, W, H0, A):
        """A⁽¹⁾ = W⁽¹⁾X as the sum of what each thread has of it: some columns of W⁽¹⁾ times these rows of X.

        So a thread needs of W⁽¹⁾, the largest of all, only what it updates itself, and it stays in its core's cache.
        """
        first, second, *more = self.taped.sums
        self.multiply(W[:, self.inputs], H0[self.inputs], self.taped.sums[self.part])
        self.barrier(self.taped.meeting)
        self.apply(np.add, [first[:, self.samples], second[:, self.samples]], A)
        for summand in more:
            self.apply(np.add, [A, summand[:, self.samples]], A)

    def _reduced(self, function, X, out, axis=0, keepdims=False):
        if isinstance(X, Symbol) and isinstance(out, np.ndarray) and axis == 1 and keepdims:
            self._meet()
            rows = self.share(len(X.whole))
            self.reduce(function, X.whole[rows], out[rows], axis, keepdims)
            return out
        return super()._reduced(function, X, out, axis, keepdims)

    def other(self, function: Callable, arguments: Sequence[Any], options: dict[str, Any]) -> Any:
        if self.told:
            raise CannotRecord(f"{function.__name__} in a slope: a sum over the samples, which rounds in its own way")
        return super().other(function, arguments, options)

    def _meet(self):
        """Before what takes the samples of all threads; nothing that counts is written until the losses are finite."""
        if not self.met:
            self.barrier(self.taped.meeting)
            self.finite(self.taped.losses[0], self.taped.by_part)
            self.met = True


class TapedStep:
    """The step of training on batches of one size, on tape; plays up to ``steps`` batches at a time.

    step: the `Step` that is written down; y: labels (N,); parts: number of threads; watched: the caller does something
    after each step. Raises CannotRecord.
    """

    def __init__(self, step: Any, y: np.ndarray, batch: int, steps: int, parts: int, watched: bool = False):
        from muslin.engines import calls

        network = step.network
        if batch == 1:
            raise CannotRecord("a batch of 1: NumPy multiplies by vectors in another order than by matrices")
        self.step, self.y, self.batch, self.watched = step, y, batch, watched
        self.bindings = [b for f in (network.loss_function, network.delta_function) for b in bindings_of(f)]
        self.compiled = network.engine.compiled("update", step.rule, network.dtype)
        self.signals = step.signals.first(batch)
        self.vectors = (network.theta, network.gradient, *step.slots.values())
        self.changed = (*self.vectors, network.parameters.running)
        self.rows = np.zeros((steps, batch), np.int64)
        self.losses, self.correct = np.zeros((steps, parts)), np.zeros((steps, parts), np.int64)
        widths = [len(self._scalars(part, step.now(learning_rate=1.0, t=1, loss=1.0))) for part in step.parts]
        self.scalars = [np.zeros((steps, width)) for width in widths]
        self.by_batch, self.by_part = self.rows.strides[0], self.losses.strides[0]
        shape = network.sizes[1], batch
        self.sums = [np.zeros(shape, network.dtype, order="F") for _ in range(parts)]
        self.asks, self.nows = "loss" in step.asked, list[dict[str, Any]]()
        self.error: BaseException | None = None  # what ended `use_loss`
        self.flushing = denormals.flushing() if watched else None
        self.keys = {k: np.zeros(steps, np.uint64) for k in self.signals.masks}
        self.ways = np.zeros((steps, batch if step.augmentation else 0, WAYS))
        self.pictures = np.zeros((batch if step.mixes else 0, network.sizes[0]), network.dtype)
        self.squares: np.ndarray | None = None
        self.meeting = calls.meeting()
        self.bell, self._leave = self.meeting[3], partial(calls.leave, self.meeting)
        self.tapes, self.pace = [self._record(part) for part in range(parts)], Pace(parts)
        self.functions = self._functions()
        self.bindings += [network.engine.bindings(*function, network.dtype) for function in self.functions]
        self.joined = joined(self.tapes)
        self.play = {tape: calls.Playing(tape.table, tape.moves, self.meeting) for tape in (*self.tapes, self.joined)}

    def _record(self, part):
        recorder = StepRecorder(self, part)
        with recorder.waiting() if self.watched else nullcontext():
            self.step.take(recorder, recorder.signals(), recorder.rows)
        return recorder.tape()

    def squares_of(self, n: int) -> np.ndarray:
        """The summands of the gradient's squared norm, n for all threads together."""
        if self.squares is None:
            self.squares = np.zeros(n)
        return self.squares

    def _functions(self):
        """What the tape was made from, and may be replaced: (kind, formula) of each."""
        network = self.step.network
        of_layers = [("activate", network.function), ("slope", network.slope)] if network.L > 1 else []
        return [*of_layers, ("update", self.step.rule)]

    def holds(self) -> bool:
        """Whether all that the formulas take from their modules is what it was when the tape was written."""
        return self._functions() == self.functions and not any(binding.changed() for binding in self.bindings)

    def names(self) -> dict[str, np.ndarray]:
        network, signals = self.step.network, self.signals
        groups = {"W": network.weights, "b": network.biases, "dW": network.weight_gradients}
        groups |= {"γ": network.gammas, "dγ": network.gamma_gradients, "N": signals.N}
        groups |= {"μ": signals.means, "σ²": signals.variances}
        groups |= {"db": network.bias_gradients, "H": signals.H, "A": signals.A, "dA": signals.dA, "dH": signals.dH}
        layers = {f"{name}{k}": array for name, group in groups.items() for k, array in group.items()}
        vectors = zip(("θ", "g", *self.step.slots), self.vectors, strict=True)
        own = {"rows": self.rows, "losses": self.losses, "right": self.correct}
        own |= {f"sum{i}": array for i, array in enumerate(self.sums, 1)}
        own |= {f"scalars{i}": array for i, array in enumerate(self.scalars, 1)}
        return layers | dict(vectors) | own

    def _scalars(self, part, now):
        """The scalars of the update of a part of θ, decay first; now: those of the step that the rule asks for."""
        return self.compiled.scalars(part.decay, part.scalars | now)

    def use_loss(self, i: int) -> None:
        """The scalars of the step of number ``i``, as soon as its loss is known: a thread calls this while it plays."""
        now = self.nows[i] | {"loss": _total(self.losses[i]) / self.batch}
        with np.errstate(**self.errstate):
            for part, scalars in zip(self.step.parts, self.scalars, strict=True):
                scalars[i] = self._scalars(part, now)

    def fail(self, error: BaseException) -> None:
        """The rule, or Ctrl-C, ended `use_loss`: the other threads are not waited for."""
        self.error = error
        self._leave()

    def load(self, rows: np.ndarray, rates: Sequence[float], t: int) -> None:
        """Makes ready for batches of these rows, with these learning rates; t: the number of the first step."""
        n, self.errstate = len(rates), np.geterr()  # of the thread that loads: each has its own
        self.rows[:n] = rows.reshape(n, self.batch)
        self.nows = [self.step.now(learning_rate=rate, t=t + i, loss=None) for i, rate in enumerate(rates)]
        for part, scalars in [] if self.asks else zip(self.step.parts, self.scalars, strict=True):
            scalars[:n] = [self._scalars(part, now) for now in self.nows]
        if self.step.augmentation:
            self.ways[:n] = self.step.augmentation.ways(np.arange(t, t + n), self.batch)
        for k, keys in self.keys.items():
            keys[:n] = dropout.keys(self.step.seed, np.arange(t, t + n), k)

    def run(self, first: int, n: int, crew: Crew, spread: bool = True) -> tuple[int, bool]:
        """Plays the steps from ``first`` on, up to n; returns how many of the n are done, and if all is finite.

        spread: each tape on a thread of its own; else one thread plays them all, with the same numbers.
        """
        tapes, here, runs = self._ready(first, spread), n - first == 1, []
        places = cores.a_core_each(len(tapes))
        try:
            for tape, core in list(zip(tapes, places, strict=True))[here:]:
                runs.append(crew.hand(self._play_on, core, tape, n - first))
            if here:  # handing a single step over takes longer than waiting for its end
                with flushed():
                    played = self._play_on(places[0], tapes[0], 1)
            _wait(runs)
        except BaseException:  # Ctrl-C
            self.bell[0] = 1
            if here or len(runs) < len(tapes):  # those that wait for one that never comes do not wait for ever
                self._leave()
            _wait(runs)
            raise
        played = played if here else runs[0].result()
        self._check()
        return (first + played, True) if played >= 0 else (first - 1 - played, False)

    def _check(self):
        """Raises what `use_loss` ended with."""
        error, self.error = self.error, None
        if error is not None:
            raise error

    def _play_on(self, core, tape, times):
        with cores.kept_on(core):
            return self.play[tape](times)

    def __call__(self, rows: np.ndarray, state: Any, rate: Rate, crew: Crew) -> Iterator[Batch]:
        """Train on ``rows``, whole batches; yields (samples, mean loss, right predictions) of each."""
        n = len(rows) // self.batch
        self.load(rows, [rate(state.step + i) for i in range(n)], state.step + 1)
        return self._one_by_one(n, state, crew) if self.watched else self._at_once(n, state, crew)

    def _one_by_one(self, n, state, crew):
        """Each step is played when it is asked for. Ends early where its caller has changed what was loaded."""
        done, nobody, loaded = 0, np.zeros(1, np.int64), (state.rate_factor, state.step)
        while done < n:
            spread, steps = self.pace.way()
            last, seconds = min(n, done + steps), 0.0
            with self._others(done, last - done, crew, spread) as plays:
                for i, play in zip(range(done, last), plays, strict=False):
                    started = time.perf_counter()
                    with blas.alone(nobody):
                        played = play()
                    seconds += time.perf_counter() - started
                    if played != 1:
                        self._broken_off(played, state)
                    state.step += 1
                    yield self.batch, _total(self.losses[i]) / self.batch, _total(self.correct[i])
                    now = state.rate_factor, state.step - i - 1
                    if now != loaded or not self.holds() or crew.forked():
                        return
            self.pace.took(last - done, seconds)
            done = last

    def _broken_off(self, played, state):
        """Raises why a step ended in its midst, after which the thread is as it was before."""
        if self.flushing:
            denormals.restore(self.flushing.before)
        self._check()
        if played < 0:
            raise self.step.diverged(self.signals, state.epoch, state.step + 1)

    @contextmanager
    def _others(self, first, n, crew, spread):
        """The other threads play n steps from ``first`` on, each when this one does; given is what plays each here."""
        tapes, runs = self._ready(first, spread), []
        places = cores.a_core_each(len(tapes))
        try:
            for tape, core in list(zip(tapes, places, strict=True))[1:]:
                runs.append(crew.hand(self._play_on, core, tape, n))
            first_one = partial(self._play_on, places[0], tapes[0], 1)  # in it threads wake each other
            yield chain([first_one], repeat(self.play[tapes[0]]))
        finally:
            self._leave()  # those that wait for a step that does not come go
            _wait([] if crew.forked() else runs)

    def _ready(self, first, spread):
        """The tapes to play, before the step of number ``first``."""
        self.meeting[:3] = 0
        tapes = self.tapes if spread else [self.joined]
        for tape in tapes:
            tape.rewind(first)
        return tapes

    def _at_once(self, n, state, crew):
        done, finite = 0, True
        while done < n and finite:  # it stops early where another thread waits for BLAS
            with blas.alone(self.bell):
                spread, steps = self.pace.way()
                started, before = time.perf_counter(), done
                done, finite = self.run(done, min(n, done + steps), crew, spread)
                self.pace.took(done - before, time.perf_counter() - started)
        state.step += done
        if not finite:
            raise self.step.diverged(self.signals, state.epoch, state.step + 1)
        losses, correct = self.losses[:n].sum(axis=1) / self.batch, self.correct[:n].sum(axis=1)
        return zip([self.batch] * n, losses.tolist(), correct.tolist(), strict=True)


def _wait(jobs):
    for job in jobs:
        job.wait()


def _total(row):
    """The sum of a row, rounded as in one over all rows: NumPy adds up fewer than 8 numbers in this order."""
    return sum(row.tolist()) if row.size < 8 else row.sum().item()


def _columns(array, columns):
    """The columns of a matrix: the same memory or, where they are no block of it, memory of their own."""
    view = array[:, columns]
    return view if view.flags.f_contiguous else np.zeros_like(view, order="C")


class Pace:
    """On how many threads a `TapedStep` is played, several or one, whichever is quicker at the moment: where other
    programs want the cores too, threads wait for each other for longer than they work. The numbers are the same.

    Now and then it looks how long the other way takes, for a hundredth of the time: some steps and, if those were not
    far too slow, since threads wake up in the first ones, so many that one turn of another program does not decide.
    """

    def __init__(self, threads: int):
        self.several, self.spread, self.looking = threads > 1, True, 0
        self.seconds = {True: 0.0, False: 0.0}  # of a step, when last done in that way
        self.worked, self.looked, self.usual = 0.0, 0.0, math.inf  # since the last look, in it; of a step after it

    def way(self) -> tuple[bool, int]:
        """Whether the next steps are spread over the threads, and how many they are at most."""
        if not self.several:
            return True, AT_ONCE
        if not self.looking and self._due():
            self.looking, self.looked = 1, 0.0
        now = self.spread != bool(self.looking)
        if self.looking == 1 or not self.seconds[now]:
            return now, LOOK
        span = LONG if self.looking or self.usual == math.inf else PIECE
        return now, max(LOOK, int(span / self.seconds[now]))

    def _due(self):
        """Whether it is time to look at the other way: sooner where several threads take longer than they did."""
        slower = self.spread and self.seconds[True] > 1.25 * self.usual
        return self.worked > ((10 if slower else 100) * self.looked or LONG)

    def took(self, steps: int, seconds: float) -> None:
        """So many of those steps took so long, all together."""
        now = self.spread != bool(self.looking)
        self.seconds[now] = seconds / max(1, steps)
        if not self.looking:
            self.worked += seconds
            return
        self.looked += seconds
        if self.looking == 1 and self.seconds[now] < WAKING * self.seconds[not now]:
            self.looking = 2
        else:
            self.spread = min(self.seconds, key=self.seconds.__getitem__)
            self.worked, self.usual, self.looking = 0.0, self.seconds[self.spread], 0


class Trial:
    """Plays tapes beside the plain step, on a twin of the step, whose memory nobody else sees.

    A tape of one thread has to do the same to the bit. On several threads the gradients may differ as rounding makes
    them differ; how much that is, a gradient at parameters shows that are moved by some units of rounding.
    """

    def __init__(self, step: Any, y: np.ndarray, crew: Crew):
        self.step, self.y, self.crew = step.twin(), y, crew

    def __call__(self, batch: int, parts: int) -> None:
        """Raises CannotRecord where the tapes for batches of that size do something else than the plain step."""
        taped = TapedStep(self.step, self.y, batch, 1, parts)
        before, n = [vector.copy() for vector in taped.changed], len(self.step.X)
        batches = [np.arange(batch) % n, np.arange(n, n - batch, -1) % n]
        with flushed(), blas.alone(taped.bell):
            if parts == 1:
                self._one_thread(taped, before, batches)
            else:
                self._several(taped, before, batches[0])
        self._restore(taped, before)

    def _one_thread(self, taped, before, batches):
        plain = [self._plain(taped, rows, t) for t, rows in enumerate(batches, 1)]
        self._restore(taped, before)
        for t, (rows, (loss, correct, *after)) in enumerate(zip(batches, plain, strict=True), 1):
            self._play(taped, rows, t)
            self._equal("parameters", after, taped.changed)
            self._equal("right predictions", [correct], [taped.correct[0].sum()])
            self._close_loss(taped, loss)

    def _several(self, taped, before, rows):
        """The gradients differ no more than by rounding; what is made of them is the same to the bit."""
        step, network = self.step, self.step.network
        loss, _, *plain = self._plain(taped, rows, 1)
        self._restore(taped, before)
        self._play(taped, rows, 1)
        self._close_loss(taped, loss)
        played = [vector.copy() for vector in taped.changed]
        self._restore(taped, before)
        network.gradient[...] = played[1]
        step.update(1, TRIED_AT, _total(taped.losses[0]) / taped.batch)
        self._equal("parameters", played[:-1], taped.vectors)
        self._restore(taped, before)
        signs = np.random.default_rng(0).choice(np.array([-1, 1], network.dtype), network.theta.size)
        network.theta[...] += 4 * np.finfo(network.dtype).eps * network.theta * signs
        _, _, *moved = self._plain(taped, rows, 1)
        p = network.parameters
        for slices in (p.weight_slices, p.bias_slices, p.gamma_slices):
            for k, where in slices.items():
                if k > step.freeze:
                    self._close("gradients", *(vectors[1][where] for vectors in (plain, played, moved)))
        self._close("running figures", plain[-1], played[-1], moved[-1])

    @staticmethod
    def _restore(taped, before):
        for vector, value in zip(taped.changed, before, strict=True):
            vector[...] = value

    def _plain(self, taped, rows, t):
        try:
            loss, correct = self.step.compute(rows, t, TRIED_AT)
        except FloatingPointError as error:
            raise CannotRecord("the first numbers are not finite") from error
        return loss, correct, *(vector.copy() for vector in taped.changed)

    def _play(self, taped, rows, t):
        taped.load(rows, [TRIED_AT], t)
        done, finite = taped.run(0, 1, self.crew)
        if done < 1 or not finite:
            raise CannotRecord("the tape stops where the plain step does not")

    @staticmethod
    def _equal(what, expected, actual):
        if not all(np.array_equal(a, b) for a, b in zip(expected, actual, strict=True)):
            raise CannotRecord(f"played from tape, a step gives other {what} than the plain step")

    @staticmethod
    def _close_loss(taped, loss):
        played = taped.losses[0].sum() / taped.batch
        if not abs(played - loss) <= 1e-3 * abs(loss) + 1e-12:
            raise CannotRecord("played from tape, a step gives another loss than the plain step")

    @staticmethod
    def _close(what, *vectors):
        plain, played, moved = (vector.astype(np.float64) for vector in vectors)
        rounding = np.linalg.norm(moved - plain) + np.finfo(vectors[0].dtype).eps * np.linalg.norm(plain)
        if not np.linalg.norm(played - plain) <= ROUNDING * rounding:
            raise CannotRecord(f"played from tape on several threads, a step gives other {what} than the plain step")


class Player:
    """Trains as a `Step` does, but many batches at a time. Raises CannotRecord.

    ``note``  why some or all steps are plain ones; None where none is
    """

    def __init__(self, step: Any, crew: Crew, threads: int, watched: bool = False):
        self.step, self.crew, self.threads, self.watched = step, crew, threads, watched
        self.taped_steps, self.note = {}, None
        self.y = np.ascontiguousarray(step.y)
        self.stride = step.stride * max(1, AT_ONCE // step.stride)
        self.taped_steps[step.stride] = self._taped(step.stride)

    def _taped(self, batch):
        steps, parts = self.stride // batch if batch == self.step.stride else 1, min(self.threads, batch)
        kinds = {n: kind(self.step, batch, n) for n in (1, parts)}
        new = [n for n, kind_ in sorted(kinds.items()) if kind_ is None or kind_ not in TRIED]
        trial = Trial(self.step, self.y, self.crew) if new else None
        for n in new:
            trial(batch, n)
        TRIED.update(filter(None, kinds.values()))
        return TapedStep(self.step, self.y, batch, steps, parts, self.watched)

    def _played(self, batch):
        """The `TapedStep` for batches of that size; None where there is none, or none that still holds."""
        if self.crew.forked():
            self._give_up(batch, "the process was forked during training, and its child has no other threads")
        if batch not in self.taped_steps:
            try:
                self.taped_steps[batch] = self._taped(batch)
            except Exception as error:  # whatever it is, the plain step goes on
                self._give_up(batch, f"a batch of {batch}: {_reason(error)}")
        taped = self.taped_steps[batch]
        if taped is not None and not taped.holds():
            self._give_up(batch, "a value that a formula takes from its module was changed during training")
        return self.taped_steps[batch]

    def _give_up(self, batch, why):
        self.taped_steps[batch], self.note = None, why
        log.info("%s", why)

    def __call__(self, rows: np.ndarray, state: Any, rate: Rate) -> Iterator[Batch]:
        """Train on these rows; yields (samples, mean loss, right predictions) of each batch."""
        batch = self.step.stride
        whole = len(rows) // batch * batch
        for some in (rows[:whole], rows[whole:]):
            done = 0
            while done < len(some) and (taped := self._played(min(batch, len(some)))):
                for played in taped(some[done:], state, rate, self.crew):
                    done += played[0]
                    yield played
            for start in range(done, len(some), batch):
                yield self.step(some[start : start + batch], state, rate)


@contextmanager
def trainer(step: Any, watched: bool = False, reason: str | None = None) -> Iterator[Player | OneByOne]:
    """What trains on rows: a `Player` of the step or, where it cannot be recorded, a `OneByOne`.

    watched: something is done after each batch, so that none is trained on before it is asked for. reason: why nothing
    is recorded.
    """
    player: Player | OneByOne
    with ExitStack() as stack:
        try:
            step.X = packed(step.X, step.network.dtype)
            if why := reason or _refusal(step):
                raise CannotRecord(why)
            threads = _threads(step)
            crew = stack.enter_context(Crew(threads, _begin_thread))
            player = Player(step, crew, threads, watched)
        except Exception as error:  # whatever it is, the plain step can do it
            player = OneByOne(step, _reason(error))
            log.info("%s", player.note)
        yield player


def _begin_thread():
    blas.begin_thread()
    flush()


class OneByOne:
    """Trains batch by batch, and says in ``note`` why."""

    def __init__(self, step: Any, note: str):
        self.step, self.stride, self.note = step, step.stride, note

    def __call__(self, rows: np.ndarray, state: Any, rate: Rate) -> Iterator[Batch]:
        yield self.step(rows, state, rate)


def _reason(error):
    return str(error) if isinstance(error, NotCertain) else f"{type(error).__name__}: {error}"


def _refusal(step):
    """Why the step is not recorded, as far as it is known beforehand; None if nothing is."""
    engine = step.network.engine
    reasons = {
        f"the {engine.name} engine takes each step by itself": engine.name != "numba",
        "the samples do not lie row by row, or are of a type that is not gathered, and are too many to copy": (
            not gathered(step.X)
        ),
        "the system has no sched_yield": not hasattr(os, "sched_yield"),
        "the network's class has equations of its own": step.overridden(),
        "the output function is none of muslin's": step.network.output_function.__module__ != "muslin.outputs",
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def gathered(X: np.ndarray) -> bool:
    """Whether a tape can gather rows of X."""
    return X.flags.c_contiguous and X.dtype in GATHERED


def packed(X: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """X or, where its rows cannot be gathered as they are and a copy takes `COPIED` bytes at most, a copy: uint8 stays
    what it is, all else has the network's precision, in which each batch would be brought anyway."""
    kind = X.dtype if X.dtype == np.uint8 else dtype
    if gathered(X) or X.size * kind.itemsize > COPIED:
        return X
    return np.ascontiguousarray(X, kind)


def _threads(step):
    work = 6 * step.stride * step.network.parameters.n_weights
    return max(1, min(blas.n_threads(), step.stride // 8)) if work > SMALL else 1
