"""Callbacks: what may happen beside the training loop. One stops training by *returning* a reason."""

from collections.abc import Callable, Iterable
from numbers import Integral
from os import PathLike
from typing import Any

import numpy as np

from muslin.errors import InputError
from muslin.memory import Signals
from muslin.training.passes import there_and_back
from muslin.training.state import History, State, save_checkpoint

#: ends of the names of figures of which smaller ones are better
SMALLER = ("loss", "rmse", "mae")


class Callback:
    """Override what you need; ``state`` is the run's `State`. A plain function is taken as an ``on_epoch``."""

    def on_begin(self, state: State) -> None:
        """Before the first step."""

    def on_step(self, state: State, samples: int, loss: float, correct: int) -> None:
        """After each step: size, mean loss and number of right predictions of its batch. It takes its own time
        and some microseconds a step."""

    def on_progress(self, state: State, done: int, loss: float, correct: float) -> None:
        """Some times in an epoch: samples done, their mean loss and share of right predictions so far."""

    def on_epoch(self, state: State) -> str | None:
        """After each epoch; ``state.history[-1]`` has its figures, and more may be added. Returns a reason to stop."""

    def on_end(self, state: State) -> None:
        """After the last epoch, if training was not broken off."""


class EarlyStopping(Callback):
    """Stop when ``metric`` has not improved for ``patience`` epochs, and go back to the parameters of the best epoch.

    Smaller is better where the metric's name ends in one of `SMALLER`, else larger.
    Prechelt 1998, "Early stopping, but when?".
    """

    def __init__(self, patience: int, metric: str = "val_loss"):
        if isinstance(patience, bool) or not isinstance(patience, Integral) or patience < 1:
            raise InputError(f"patience is {patience!r}; it must be a whole number of epochs from 1.")
        self.patience: int = int(patience)
        self.metric: str = metric

    def on_begin(self, state: State) -> None:
        if state.history:  # of a resumed run, whose patience may be another
            state.stopped = state.stopped or self.reason(state)

    def on_epoch(self, state: State) -> str | None:
        if best_epoch(state.history, self.metric) == state.epoch:
            state.best = state.network.parameters.values.copy()
        return self.reason(state)

    def reason(self, state: State) -> str | None:
        """Why to stop here, if there is a reason."""
        best = best_epoch(state.history, self.metric)
        if state.epoch - best >= self.patience:
            return f"no better {self.metric} than that of epoch {best} for {self.patience} epochs"
        return None

    def on_end(self, state: State) -> None:
        if state.best is not None:
            state.network.parameters.values[...] = state.best


def best_epoch(history: History, metric: str) -> int:
    """The number, from 1, of the first epoch with the best value of the metric."""
    values = np.array(history[metric]) * (1 if metric.endswith(SMALLER) else -1)
    return 1 + int(np.where(np.isnan(values), np.inf, values).argmin())


class Checkpoint(Callback):
    """Write the state to ``path`` after every epoch."""

    def __init__(self, path: str | PathLike[str]):
        self.path = path

    def on_epoch(self, state: State) -> None:
        save_checkpoint(state, self.path)


class Diagnostics(Callback):
    """Adds to each epoch's figures, measured on up to 1,000 training samples:

    ``gradient_norms``  ‖dW⁽ᵏ⁾‖ of each layer 1…L (vanishing or exploding gradients)
    ``dead_units``      of each hidden layer the share of units whose slope is below 1e-6 on every one of the samples
    """

    def __init__(self, X: np.ndarray, y: np.ndarray, rows: np.ndarray):
        self.X, self.y, self.rows = X, y, rows[:: max(1, len(rows) // 1000)][:1000]

    def on_epoch(self, state: State) -> None:
        state.history[-1] |= self.figures(state.network)

    def figures(self, network: Any) -> dict[str, list[float]]:
        """Both, of the network as it is."""
        s = Signals(network.sizes, len(self.rows), network.dtype)
        there_and_back(network, self.X, self.y, self.rows, s)
        dead = [np.abs(network.slope(s.A[k], s.H[k]) + 0 * s.H[k]) < 1e-6 for k in range(1, network.L)]
        return {
            "gradient_norms": [float(np.linalg.norm(dW)) for dW in network.weight_gradients.values()],
            "dead_units": [float(layer.all(axis=1).mean()) for layer in dead],
        }


#: a function as a callback: an `Callback.on_epoch`; what it returns is a reason to stop, or None
OnEpoch = Callable[[State], Any]


class EachEpoch(Callback):
    """A plain function as a callback."""

    def __init__(self, function: OnEpoch):
        if isinstance(function, type) or not callable(function):
            raise InputError(f"{function!r} is no callback; give a Callback object or a function of the state.")
        self.function = function

    def on_epoch(self, state: State) -> str | None:
        return self.function(state)


class Callbacks(Callback):
    """Several as one, called one after the other. The first reason to stop is kept in the state."""

    def __init__(self, callbacks: Iterable[Callback | OnEpoch]):
        self.all = [c if isinstance(c, Callback) else EachEpoch(c) for c in callbacks]
        self.watchers = [c for c in self.all if type(c).on_step is not Callback.on_step]

    @property
    def watches_steps(self) -> bool:
        return bool(self.watchers)

    def on_begin(self, state: State) -> None:
        for callback in self.all:
            callback.on_begin(state)

    def on_step(self, state: State, samples: int, loss: float, correct: int) -> None:
        for callback in self.watchers:
            callback.on_step(state, samples, loss, correct)

    def on_progress(self, state: State, done: int, loss: float, correct: float) -> None:
        for callback in self.all:
            callback.on_progress(state, done, loss, correct)

    def on_epoch(self, state: State) -> None:
        for callback in self.all:
            state.stopped = callback.on_epoch(state) or state.stopped

    def on_end(self, state: State) -> None:
        for callback in self.all:
            callback.on_end(state)
