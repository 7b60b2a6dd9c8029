"""Gradients by backward propagation against central differences, in double precision."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from muslin.memory import Array
from muslin.network import FeedForwardNeuralNetwork

#: half the distance between the two points; the best for double precision is near the cube root of its ε
STEP = 6e-6


def gradcheck(network: FeedForwardNeuralNetwork, X: ArrayLike, y: ArrayLike) -> dict[int, tuple[float, ...]]:
    """The largest relative error of each layer, {k: (error of dW⁽ᵏ⁾, of db⁽ᵏ⁾, and of dγ⁽ᵏ⁾ if it has one)}.

    The numerical gradient of a parameter w is (loss(w + h) − loss(w − h)) / 2h; the error of an array of gradients is
    ‖a − n‖ / (‖a‖ + ‖n‖), and 0 where both vanish but for what rounding leaves of differences.  X: (N × n_0), y: (N,);
    the network must be of float64.
    """
    loss, dW, db = network.loss_and_gradients(X, y)
    dgamma = {k: view.copy() for k, view in network.gamma_gradients.items()}
    pairs = ((dW, network.weights), (db, network.biases), (dgamma, network.gammas))
    noise = 10 * np.finfo(float).eps * max(1.0, abs(loss)) / STEP
    return {
        k: tuple(
            _relative(gradients[k], _numerical(network, X, y, arrays[k]), noise)
            for gradients, arrays in pairs
            if k in arrays
        )
        for k in network.weights
    }


def _numerical(network: FeedForwardNeuralNetwork, X: ArrayLike, y: ArrayLike, array: Array) -> Array:
    gradient = np.empty_like(array)
    for at in np.ndindex(array.shape):
        value = array[at]
        array[at] = value + STEP
        above = network.loss_and_gradients(X, y)[0]
        array[at] = value - STEP
        below = network.loss_and_gradients(X, y)[0]
        array[at] = value
        gradient[at] = (above - below) / (2 * STEP)
    return gradient


def _relative(a: Array, n: Array, noise: float) -> float:
    scale = np.linalg.norm(a) + np.linalg.norm(n)
    return float(np.linalg.norm(a - n) / scale) if scale > noise * np.sqrt(a.size) else 0.0


def example(
    activation: str,
    loss: str,
    seed: int = 0,
    hidden: Sequence[int] = (7, 6),
    output: str = "softmax",
    normalization: str = "none",
) -> tuple[FeedForwardNeuralNetwork, Array, np.ndarray]:
    """A small network of float64 and samples to check it with: (network, X, y)."""
    rng = np.random.default_rng([seed, 2])
    network = FeedForwardNeuralNetwork(
        [5, *hidden, 4], activation, "xavier", loss, seed, np.float64, output=output, normalization=normalization
    )
    for b in (*network.biases.values(), *network.gammas.values()):
        b[...] += rng.normal(scale=0.3, size=b.shape)
    X, y = rng.standard_normal((8, 5)), rng.integers(0, 4, 8)
    rows = {
        "labels": rng.integers(0, 2, (8, 4)),
        "numbers": 2 * rng.standard_normal((8, 4)),
        "counts": rng.poisson(2, (8, 4)),
    }
    return network, X, rows.get(network.target, y)
