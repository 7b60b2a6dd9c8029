"""How good a network is on given samples."""

import numpy as np

from muslin.losses import targets
from muslin.network import as_labels, as_samples


def evaluate(network, X, y, rows=None):
    """(mean loss, accuracy, predicted classes) of the network on ``X[rows]``, all rows by default.

    X: (N × n_0), y: (N,). Raises InputError for samples or labels that do not fit the network.
    """
    X = as_samples(X, network.sizes[0])
    y = as_labels(y, len(X), network.sizes[-1])
    return measure(network, X, y, np.arange(len(X)) if rows is None else np.asarray(rows))


def measure(network, X, y, rows):
    """What `evaluate` returns, of arrays that are checked: one pass in chunks, so that memory does not grow with N."""
    table = targets(network.sizes[-1], network.dtype)
    predicted, total = np.empty(len(rows), np.int64), 0.0
    done = 0
    for chunk, s in network.chunks(X, rows):
        total += float(network.batch_loss(s, table.take(y[chunk], axis=1)))
        predicted[done : done + len(chunk)] = s.H[network.L].argmax(axis=0)
        done += len(chunk)
    return total / len(rows), float((predicted == y[rows]).mean()), predicted
