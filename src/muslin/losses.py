"""Losses of a network whose output is Ŷ = softmax(A), each followed by its output delta ∂loss/∂A.

A loss is given the log-probabilities log Ŷ, the probabilities Ŷ and the targets Y, all (classes × B), and returns its
sum over the batch. What is reported is the **mean**, and the network divides the deltas by B, so that gradients are
means over the batch too and the learning rate keeps its meaning when B changes.
"""

import numpy as np
from numpy.typing import DTypeLike

from muslin.errors import InputError
from muslin.memory import Array


def cross_entropy(log_Y_hat: Array, Y_hat: Array, Y: Array) -> np.floating:
    """−Σ y log ŷ over the classes. From the log-probabilities, so that a vanishing ŷ costs much but never infinity."""
    return -np.vdot(Y, log_Y_hat)


def cross_entropy_delta(Y_hat: Array, Y: Array) -> Array:
    """Ŷ − Y: the slope −Y/Ŷ of the loss and the Jacobian of softmax cancel, because every column of Y sums to 1."""
    return Y_hat - Y


def mean_squared_error(log_Y_hat: Array, Y_hat: Array, Y: Array) -> np.floating:
    """Σ (ŷ − y)² over the classes (the Brier score).

    The mean is over the batch only: PyTorch's MSELoss also divides by the number of classes, scikit-learn by 2.
    """
    E = Y_hat - Y
    return np.vdot(E, E)


def mean_squared_error_delta(Y_hat: Array, Y: Array) -> Array:
    """Jᵀ 2(Ŷ − Y) with the softmax's full Jacobian J = diag(ŷ) − ŷŷᵀ, column by column."""
    E = 2.0 * (Y_hat - Y)
    return Y_hat * (E - np.add.reduce(Y_hat * E, axis=0))


#: name → (loss, delta). A new loss is two functions and a row here.
LOSSES = {
    "cross_entropy": (cross_entropy, cross_entropy_delta),
    "mean_squared_error": (mean_squared_error, mean_squared_error_delta),
}


def targets(classes: int, dtype: DTypeLike, smoothing: float = 0.0) -> Array:
    """The table whose row c is the target of class c: (classes × classes), 1 − s + s/classes on the diagonal, else
    s/classes. With s = 0 it is the identity, that is one-hot targets. Szegedy et al. 2015, arXiv:1512.00567, section 7.
    """
    if not 0.0 <= smoothing < 1.0:
        raise InputError(f"label_smoothing is {smoothing!r}; it must be at least 0 and below 1.")
    return ((1.0 - smoothing) * np.eye(classes) + smoothing / classes).astype(dtype)
