"""Losses, each followed by its output delta dA = ∂loss/∂A; which of them goes with which output says the table below.

A loss is given Z (log Ŷ where the output is softmax, else A; see `muslin.outputs`), Ŷ and the targets Y, all (n_L × B),
and returns its terms, (n_L × B) too: the network sums them over the outputs and takes the **mean** over the batch. A
delta is given Ŷ and Y; the network divides it by B, so that gradients are means over the batch too, and the learning
rate keeps its meaning when B changes. Weights of samples multiply the columns of both.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from muslin.errors import InputError, known
from muslin.memory import Array


def cross_entropy(log_Y_hat: Array, Y_hat: Array, Y: Array) -> Array:
    """−y log ŷ. From the log-probabilities, so that a vanishing ŷ costs much but never infinity."""
    return -(Y * log_Y_hat)


def cross_entropy_delta(Y_hat: Array, Y: Array) -> Array:
    """Ŷ − Y: the slope −Y/Ŷ of the loss and the Jacobian of softmax cancel, because every column of Y sums to 1."""
    return Y_hat - Y


def binary_cross_entropy(A: Array, Y_hat: Array, Y: Array) -> Array:
    """−y log ŷ − (1 − y) log(1 − ŷ) of each label, with ŷ = σ(a): max(a, 0) − ay + log(1 + exp(−|a|)).

    Written in a, no exponent is above 0 and no logarithm below it, so that it is finite for every a.
    """
    return np.maximum(A, 0.0) - A * Y + np.log1p(np.exp(-np.abs(A)))


def binary_cross_entropy_delta(Y_hat: Array, Y: Array) -> Array:
    """Ŷ − Y: the slope (ŷ − y)/(ŷ(1 − ŷ)) of the loss times σ′(a) = ŷ(1 − ŷ), whatever the other labels are."""
    return Y_hat - Y


def mean_squared_error(Z: Array, Y_hat: Array, Y: Array) -> Array:
    """(ŷ − y)²; of softmax the Brier score.

    The mean is over the batch only: PyTorch's MSELoss also divides by the number of outputs.
    """
    E = Y_hat - Y
    return E * E


def mean_squared_error_delta(Y_hat: Array, Y: Array) -> Array:
    """2(Ŷ − Y): Ŷ = A, whose slope is 1."""
    return 2.0 * (Y_hat - Y)


def softmax_squared_error_delta(Y_hat: Array, Y: Array) -> Array:
    """Jᵀ 2(Ŷ − Y) with the softmax's full Jacobian J = diag(ŷ) − ŷŷᵀ, column by column."""
    E = 2.0 * (Y_hat - Y)
    return Y_hat * (E - np.add.reduce(Y_hat * E, axis=0))


def sigmoid_squared_error_delta(Y_hat: Array, Y: Array) -> Array:
    """2(Ŷ − Y) ∘ σ′(A): each ŷ depends on its own a only, with the slope ŷ(1 − ŷ)."""
    return 2.0 * (Y_hat - Y) * Y_hat * (1.0 - Y_hat)


def half_squared_error(A: Array, Y_hat: Array, Y: Array) -> Array:
    """½(ŷ − y)², as scikit-learn's regressors have it."""
    E = Y_hat - Y
    return 0.5 * E * E


def half_squared_error_delta(Y_hat: Array, Y: Array) -> Array:
    """Ŷ − Y: Ŷ = A, whose slope is 1."""
    return Y_hat - Y


def mean_absolute_error(A: Array, Y_hat: Array, Y: Array) -> Array:
    """|ŷ − y|: its best constant is the median, so that outliers pull less."""
    return np.abs(Y_hat - Y)


def mean_absolute_error_delta(Y_hat: Array, Y: Array) -> Array:
    """sign(Ŷ − Y), and 0 where they are equal, as in PyTorch; Ŷ = A, whose slope is 1."""
    return np.sign(Y_hat - Y)


def huber(A: Array, Y_hat: Array, Y: Array) -> Array:
    """½e² where |e| ≤ 1, else |e| − ½, with e = ŷ − y. P. J. Huber 1964, Annals of Mathematical Statistics 35, δ = 1.

    With m = min(|e|, 1) both are m(|e| − ½m).
    """
    E = np.abs(Y_hat - Y)
    M = np.minimum(E, 1.0)
    return M * (E - 0.5 * M)


def huber_delta(Y_hat: Array, Y: Array) -> Array:
    """e cut to [−1, 1]; Ŷ = A, whose slope is 1."""
    return np.maximum(np.minimum(Y_hat - Y, 1.0), -1.0)


def poisson(A: Array, Y_hat: Array, Y: Array) -> Array:
    """ŷ − y log ŷ, with log ŷ = a: the negative logarithm of Poisson's probability of the count y, but for log y!."""
    return Y_hat - Y * A


def poisson_delta(Y_hat: Array, Y: Array) -> Array:
    """Ŷ − Y: the slope 1 − y/ŷ of the loss times that of the exponential, ŷ."""
    return Y_hat - Y


#: name → {output: (loss, delta)}: the pairs that go together. A new loss is two functions and a row here; a row
#: (loss, delta) alone is of softmax.
LOSSES = {
    "cross_entropy": {
        "softmax": (cross_entropy, cross_entropy_delta),
        "sigmoid": (binary_cross_entropy, binary_cross_entropy_delta),
    },
    "mean_squared_error": {
        "softmax": (mean_squared_error, softmax_squared_error_delta),
        "sigmoid": (mean_squared_error, sigmoid_squared_error_delta),
        "identity": (mean_squared_error, mean_squared_error_delta),
    },
    "half_squared_error": {"identity": (half_squared_error, half_squared_error_delta)},
    "mean_absolute_error": {"identity": (mean_absolute_error, mean_absolute_error_delta)},
    "huber": {"identity": (huber, huber_delta)},
    "poisson": {"exponential": (poisson, poisson_delta)},
}

Row = Mapping[str, tuple[Callable[..., Any], Callable[..., Any]]]


def pairs(row: Any) -> Row:
    """{output: (loss, delta)} of a row of the table."""
    return row if isinstance(row, Mapping) else {"softmax": row}


def losses_of(output: str, table: Mapping[str, Any] = LOSSES) -> list[str]:
    """The names of the losses that go with an output."""
    return [name for name, row in table.items() if output in pairs(row)]


def pair(table: Mapping[str, Any], loss: Any, output: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """(loss, delta). Raises InputError for a name that the table lacks, or a loss that does not go with the output."""
    row = pairs(table[known(table, "loss", loss)])
    if output not in row:
        raise InputError(
            f"The loss {loss} does not go with the output {output} (it goes with {', '.join(row)}); "
            f"with {output} go {', '.join(losses_of(output, table))}."
        )
    return row[output]


def target_columns(y: np.ndarray, outputs: int, dtype: DTypeLike) -> Array:
    """Targets as columns, (outputs × B): one-hot of class numbers (B,), or of rows (B × outputs) the transpose."""
    return y.T if y.ndim == 2 else one_hot(outputs, dtype).take(y, axis=1)


def one_hot(classes: int, dtype: DTypeLike, smoothing: float = 0.0) -> Array:
    """The table whose row c is the target of class c: (classes × classes), 1 − s + s/classes on the diagonal, else
    s/classes. With s = 0 it is the identity, that is one-hot targets. Szegedy et al. 2015, arXiv:1512.00567, section 7.
    """
    if not 0.0 <= smoothing < 1.0:
        raise InputError(f"label_smoothing is {smoothing!r}; it must be at least 0 and below 1.")
    return ((1.0 - smoothing) * np.eye(classes) + smoothing / classes).astype(dtype)
