"""L-BFGS: quasi-Newton steps on all samples at once, for data that are small. SciPy's, over θ and our gradient.

Liu & Nocedal, Mathematical Programming 45, 1989; Byrd, Lu, Nocedal & Zhu, SIAM J. Sci. Comput. 16, 1995.
"""

from typing import Any

import numpy as np

from muslin.engines import blas
from muslin.errors import InputError
from muslin.losses import target_columns
from muslin.memory import Signals

#: samples that pass through the network at a time
CHUNK = 8192


def lbfgs(
    network: Any,
    X: np.ndarray,
    y: np.ndarray,
    *,
    weights: np.ndarray | None = None,
    weight_decay: float = 0.0,
    max_iter: int = 200,
    max_fun: int = 15_000,
    tol: float = 1e-4,
) -> Any:
    """Minimizes the mean loss + ½λ‖W‖² and leaves the parameters in the network; returns SciPy's result.

    X: (N × n_0), y: class numbers (N,) or (N × n_L), checked; weights: (N,), 1 in the mean. It ends after max_iter
    iterations, max_fun evaluations, or where no slope is above tol.
    """
    from scipy.optimize import minimize

    if network.normalizer:
        raise InputError("L-BFGS wants the same loss each time, and batch normalization gives another for each batch.")
    n, weighted = len(X), None if weights is None else weights.astype(network.dtype)
    signals, rows = Signals(network.sizes, min(CHUNK, n), network.dtype), np.arange(n)
    decayed = slice(0, network.parameters.n_weights)

    def objective(theta: np.ndarray) -> tuple[float, np.ndarray]:
        network.theta[...] = theta
        loss, gradient = 0.0, np.zeros(theta.size)
        for start in range(0, n, CHUNK):
            chunk = rows[start : start + CHUNK]
            s = signals.first(len(chunk))
            s.weights = None if weighted is None else weighted[None, chunk]
            with blas.together():
                network.engine.gather(X, chunk, s.H[0].T)
                network.forward(s)
                Y = target_columns(y[chunk], network.sizes[-1], network.dtype)
                network.backward(s, Y)
            loss += float(network.batch_loss(s, Y)) / n
            gradient += network.gradient.astype(np.float64) * (len(chunk) / n)
        W = theta[decayed]
        gradient[decayed] += weight_decay * W
        return loss + 0.5 * weight_decay * float(W @ W), gradient

    start, options = network.theta.astype(np.float64), {"maxfun": max_fun, "maxiter": max_iter, "gtol": tol}
    with np.errstate(over="ignore", invalid="ignore"):
        result = minimize(objective, start, method="L-BFGS-B", jac=True, options=options)
    if not np.isfinite(result.x).all():
        raise InputError("L-BFGS left the finite numbers; scale the inputs, or make the initial weights smaller.")
    network.theta[...] = result.x
    return result
