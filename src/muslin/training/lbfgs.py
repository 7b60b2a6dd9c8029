"""L-BFGS: quasi-Newton steps on all samples at once, for data that are small. SciPy's, over θ and our gradient.

Liu & Nocedal, Mathematical Programming 45, 1989; Byrd, Lu, Nocedal & Zhu, SIAM J. Sci. Comput. 16, 1995.
"""

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from muslin.errors import Diverged
from muslin.memory import Signals
from muslin.training.metrics import RIGHT, validated
from muslin.training.passes import there_and_back
from muslin.training.settings import TrainingSettings
from muslin.training.state import State

#: samples that pass through the network at a time
CHUNK = 8192


class Objective:
    """Mean loss + ½λ‖W‖² over the rows, and its gradient, as functions of θ.

    X: (N × n_0), y: class numbers (N,) or (N × n_L), checked; rows: of them; weights: (N,), of mean 1 over the rows.
    After a call ``theta``, ``loss`` (without the penalty) and ``correct`` are those of the call.
    """

    def __init__(self, network: Any, X: Any, y: Any, rows: Any, weights: Any, weight_decay: float):
        self.network, self.X, self.y, self.rows, self.weight_decay = network, X, y, rows, weight_decay
        self.weights = None if weights is None else weights.astype(network.dtype)
        self.signals = Signals(network.sizes, min(CHUNK, len(rows)), network.dtype)
        self.right = RIGHT.get(network.target)
        self.calls = 0

    def __call__(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        network, n = self.network, len(self.rows)
        network.theta[...], self.theta = theta, theta.copy()
        self.loss, self.correct, self.calls = 0.0, 0, self.calls + 1
        gradient = np.zeros(theta.size)
        for start in range(0, n, CHUNK):
            share = self._add(self.rows[start : start + CHUNK]) / n
            gradient += network.gradient.astype(np.float64) * share
        self.loss /= n
        W = theta[: network.parameters.n_weights]
        gradient[: W.size] += self.weight_decay * W
        return self.loss + 0.5 * self.weight_decay * float(W @ W), gradient

    def _add(self, chunk: np.ndarray) -> int:
        """Forward and backward propagation of these rows; returns how many they are."""
        network, s, y = self.network, self.signals.first(len(chunk)), self.y[chunk]
        s.weights = None if self.weights is None else self.weights[None, chunk]
        Y = there_and_back(network, self.X, self.y, chunk, s)
        self.loss += float(network.batch_loss(s, Y))
        self.correct += self.right(s.H[network.L], y) if self.right else 0
        return len(chunk)


def lbfgs(
    objective: Objective,
    *,
    max_iter: int = 200,
    max_fun: int = 15_000,
    tol: float = 1e-4,
    each: Callable[[np.ndarray], Any] = lambda theta: None,
) -> Any:
    """Minimizes the objective and leaves the parameters in its network; returns SciPy's result.

    It ends after max_iter iterations, max_fun evaluations, or where no slope is above tol; ``each`` is called with θ
    after each iteration, and may raise StopIteration. Raises `Diverged` where loss or θ is no longer finite.
    """
    from scipy.optimize import minimize

    def callback(intermediate_result: Any) -> None:  # SciPy goes by this name
        each(intermediate_result.x)

    network = objective.network
    start, options = network.theta.astype(np.float64), {"maxfun": max_fun, "maxiter": max_iter, "gtol": tol}
    with np.errstate(over="ignore", invalid="ignore"):
        result = minimize(objective, start, method="L-BFGS-B", jac=True, options=options, callback=callback)
    if not (np.isfinite(result.x).all() and np.isfinite(result.fun)):
        raise Diverged("L-BFGS left the finite numbers; scale the inputs, or make the initial weights smaller.")
    network.theta[...] = result.x
    return result


def learn_by_lbfgs(
    state: State, settings: TrainingSettings, data: Any, validation: Any, weights: np.ndarray | None, told: Any
) -> None:
    """The loop of `muslin.training.fit` for the optimizer "lbfgs": an epoch is one iteration, on all samples."""
    network, n = state.network, len(data.rows)
    flat = None if weights is None else weights[:, 0]
    objective = Objective(network, data.X, data.y, data.rows, flat, settings.weight_decay)
    begun = time.perf_counter(), 0

    def each(theta: np.ndarray) -> None:
        nonlocal begun
        if not np.array_equal(theta, objective.theta):
            objective(theta)
        seconds, calls = max(time.perf_counter() - begun[0], 1e-9), objective.calls - begun[1]
        accuracy = objective.correct / n if objective.right else math.nan
        figures = {"loss": objective.loss} | ({"accuracy": accuracy} if objective.right else {})
        told.on_progress(state, n, objective.loss, accuracy)
        pace = {"seconds": seconds, "samples_per_second": n * calls / seconds}
        state.step += calls
        state.end_epoch(figures | validated(network, validation) | pace, "lbfgs takes all samples at once")
        told.on_epoch(state)
        begun = time.perf_counter(), objective.calls
        if state.stopped or state.epoch >= settings.epochs:
            raise StopIteration

    result = lbfgs(objective, max_iter=settings.epochs, max_fun=2**31 - 1, each=each)
    if not state.epoch:  # it began where no slope is above tol
        try:
            each(result.x)
        except StopIteration:
            return
    if state.epoch < settings.epochs and not state.stopped:
        state.stopped = f"after {state.epoch} iterations the loss falls no more"
