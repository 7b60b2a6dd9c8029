"""Samples on their way through a network: some hundred at a time where it predicts, forward and backward elsewhere."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from muslin.engines import blas
from muslin.inputs import as_targets
from muslin.losses import target_columns
from muslin.memory import Array, Signals

#: samples that pass through the network at a time where it only predicts
CHUNK = 512


def chunks(network: Any, X: np.ndarray, rows: np.ndarray) -> Iterator[tuple[np.ndarray, Signals]]:
    """Forward propagation of ``X[rows]``, some hundred at a time: yields (rows of the chunk, their signals)."""
    signals = Signals(network.sizes, min(CHUNK, len(rows)), network.dtype, backward=False)
    for i in range(0, len(rows), CHUNK):
        chunk = rows[i : i + CHUNK]
        s = signals.first(len(chunk))
        with blas.together():
            network.engine.gather(X, chunk, s.H[0].T)
            network.forward(s)
        yield chunk, s


def responses(network: Any, X: np.ndarray) -> Array:
    """Ŷ (N × n_L) of each sample of X (N × n_0), which are checked."""
    Y_hat = np.empty((len(X), network.sizes[-1]), network.dtype)
    for rows, s in network.chunks(X, np.arange(len(X))):
        Y_hat[rows] = s.H[network.L].T
    return Y_hat


def there_and_back(network: Any, X: np.ndarray, y: np.ndarray, rows: np.ndarray, s: Signals) -> Array:
    """Forward and backward propagation of ``X[rows]``; returns their targets Y, (n_L × B).

    X: (N × n_0), y: (N,) or (N × n_L), both checked. s: filled; its batch is as many as the rows.
    """
    Y = target_columns(y[rows], network.sizes[-1], network.dtype)
    with blas.together():
        network.engine.gather(X, rows, s.H[0].T)
        network.forward(s)
        network.backward(s, Y)
    return Y


def loss_and_gradients(network: Any, X: ArrayLike, y: ArrayLike) -> tuple[float, dict[int, Array], dict[int, Array]]:
    """Mean loss over the samples, and its gradients: (loss, {k: dW⁽ᵏ⁾}, {k: db⁽ᵏ⁾}), without weight decay.

    X: (N × n_0), y: class numbers (N,), or (N × n_L).  Raises InputError for what does not fit.
    """
    samples = network.samples(X)
    n = len(samples)
    checked = as_targets(y, n, network.sizes[-1], network.target, network.dtype)
    s = Signals(network.sizes, n, network.dtype, normalized=network.gammas)
    Y = there_and_back(network, samples, checked, np.arange(n), s)
    return (
        float(network.batch_loss(s, Y)) / n,
        {k: dW.copy() for k, dW in network.weight_gradients.items()},
        {k: db.copy() for k, db in network.bias_gradients.items()},
    )
