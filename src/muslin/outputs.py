"""Outputs Ŷ = o(A), the function of the last layer, and what it says: a class, labels, numbers or counts.

    output(A, Y_hat) -> Z

writes Ŷ into its second argument and returns what a loss is computed from where Ŷ itself would have lost it: log Ŷ for
softmax, A for the others. A and Ŷ are (n_L × B).
"""

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from muslin import activations
from muslin.errors import InputError


def softmax(A: np.ndarray, Y_hat: np.ndarray) -> np.ndarray:
    """exp(a) / Σ exp(a) of each column: the probabilities of classes of which one is right. Returns log Ŷ."""
    log_Y_hat = activations.log_softmax(A)
    np.exp(log_Y_hat, out=Y_hat)
    return log_Y_hat


def sigmoid(A: np.ndarray, Y_hat: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(−a)): of each label the probability that it is there. Returns A = log(Ŷ / (1 − Ŷ))."""
    np.multiply(1.0 + np.tanh(0.5 * A), 0.5, out=Y_hat)
    return A


def identity(A: np.ndarray, Y_hat: np.ndarray) -> np.ndarray:
    """Numbers of any size, as they are. Returns A."""
    np.positive(A, out=Y_hat)
    return A


def exponential(A: np.ndarray, Y_hat: np.ndarray) -> np.ndarray:
    """exp(a): the mean of counts, above 0. Returns A = log Ŷ."""
    np.exp(A, out=Y_hat)
    return A


# What a function above returns, of Ŷ alone: of a mean of several Ŷ


def log(Y_hat: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(Y_hat, np.finfo(Y_hat.dtype).tiny))


def logit(Y_hat: np.ndarray) -> np.ndarray:
    """log(ŷ / (1 − ŷ))"""
    return log(Y_hat) - log(1.0 - Y_hat)


class Output(NamedTuple):
    """function  see above
    target    what a sample is to be: a "class" (its number), or a row of "labels", "numbers" or "counts"
    loss      where none is named
    predict   what is predicted, of the rows of Ŷ (N × n_L)
    before    what ``function`` returns, of Ŷ
    """

    function: Callable[..., Any]
    target: str
    loss: str
    predict: Callable[[np.ndarray], np.ndarray]
    before: Callable[[np.ndarray], np.ndarray] = np.positive


def most_probable(P: np.ndarray) -> np.ndarray:
    """The class of each sample, (N,)."""
    return P.argmax(axis=1)


def above_half(P: np.ndarray) -> np.ndarray:
    """1 where a label is more likely there than not, else 0: (N × n_L), or (N,) of one label."""
    return columns((P > 0.5).astype(np.int64))


def columns(Y: np.ndarray) -> np.ndarray:
    """(N × n_L) as it is, but (N,) where there is one column."""
    return Y[:, 0] if Y.shape[1] == 1 else Y


#: name → row. A new output is one function and a row here.
OUTPUTS = {
    "softmax": Output(softmax, "class", "cross_entropy", most_probable, log),
    "sigmoid": Output(sigmoid, "labels", "cross_entropy", above_half, logit),
    "identity": Output(identity, "numbers", "mean_squared_error", columns),
    "exponential": Output(exponential, "counts", "poisson", columns, log),
}


class Answers:
    """What networks and ensembles say of samples, from what they ``respond``: Ŷ, (N × n_L)."""

    output: str
    outputs: ClassVar[Any]
    target: str
    respond: Callable[..., np.ndarray]

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Probability of each class or label.  X: as in `respond` → (N × n_L).  Raises InputError of numbers."""
        self.need_probabilities()
        return self.respond(X)

    def need_probabilities(self) -> None:
        """Raises InputError of numbers."""
        if self.target not in ("class", "labels"):
            raise InputError(f"The output {self.output} says {self.target}, which are no probabilities; use predict.")

    def predict(self, X: ArrayLike) -> np.ndarray:
        """The most probable class, (N,); or the labels as 0 and 1, or the numbers, (N × n_L), (N,) if n_L is 1."""
        return self.outputs[self.output].predict(self.respond(X))
