"""Normalization of a hidden layer's A⁽ᵏ⁾, between W⁽ᵏ⁾H⁽ᵏ⁻¹⁾ and the activation.

A row of the table has three functions, all of which write into what they are given. Matrices are (n × B), all else is
(n × 1):

    normalize(A, gamma, N, mean, variance)                    in training, by the batch:  A ← γ ∘ N
    deltas(dA, gamma, N, variance, dgamma, db)                backward:  dA, dγ, db
    predict(A, gamma, mean, variance)                         by what ran along in training

The bias b⁽ᵏ⁾ is added afterwards, so that it is what the paper calls β, and its gradient is that of the sum.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from muslin.memory import Array

#: added to the variance, as in PyTorch: a unit that is always the same is not divided by zero
EPSILON = 1e-5
#: the share of a batch in what runs along, as in PyTorch
MOMENTUM = 0.1


def normalize(A: Array, gamma: Array, N: Array, mean: Array, variance: Array) -> None:
    """Batch normalization. Ioffe & Szegedy 2015, arXiv:1502.03167, algorithm 1.

    μ = mean of A over the batch,  σ² = mean of (A − μ)²,  N = (A − μ) / √(σ² + ε),  A ← γ ∘ N
    """
    B = A.shape[1]
    np.divide(np.add.reduce(A, axis=1, keepdims=True), B, out=mean)
    np.subtract(A, mean, out=N)
    np.divide(np.add.reduce(N * N, axis=1, keepdims=True), B, out=variance)
    N *= _inverse(variance)
    np.multiply(gamma, N, out=A)


def deltas(dA: Array, gamma: Array, N: Array, variance: Array, dgamma: Array, db: Array) -> None:
    """Backward through `normalize`, where dA is the slope at γ ∘ N + b.

    db = Σ dA,  dγ = Σ dA ∘ N  over the batch,  dA ← γ / √(σ² + ε) ∘ (dA − db/B − N ∘ dγ/B)

    The last line is the three last but one of the paper's equations in one: μ and σ² depend on every sample of the
    batch, and what they take from dA is its mean and its part along N.
    """
    B = dA.shape[1]
    np.add.reduce(dA, axis=1, keepdims=True, out=db)
    np.add.reduce(dA * N, axis=1, keepdims=True, out=dgamma)
    dA -= db / B + N * (dgamma / B)
    dA *= gamma * _inverse(variance)


def predict(A: Array, gamma: Array, mean: Array, variance: Array) -> None:
    """A ← γ ∘ (A − μ) / √(σ² + ε), with μ and σ² of the batches of training. Algorithm 2 of the paper."""
    A -= mean
    A *= gamma * _inverse(variance)


def follow(running: Array, value: Array, factor: float) -> None:
    """running ← running + 0.1 (factor · value − running).  factor: of a variance B/(B − 1), which leaves no bias."""
    running += MOMENTUM * (factor * value - running)


def _inverse(variance: Array) -> Array:
    return 1.0 / np.sqrt(variance + EPSILON)


class Normalization(NamedTuple):
    """How a hidden layer is normalized; see the module."""

    normalize: Callable[[Array, Array, Array, Array, Array], None]
    deltas: Callable[[Array, Array, Array, Array, Array, Array], None]
    predict: Callable[[Array, Array, Array, Array], None]


#: name → row. None: the layer is not normalized.
NORMALIZATIONS: dict[str, Normalization | None] = {"none": None, "batch": Normalization(normalize, deltas, predict)}


def folded(network: Any) -> Any:
    """The same network without normalization, for all that only predicts: what is done to A with `predict` and b is
    part of W and b, W ← f ∘ W and b ← b − f ∘ μ with f = γ / √(σ² + ε). The network itself if it has none."""
    if network.normalizer is None:
        return network
    plain = type(network)(**(network.config | {"normalization": "none"}), engine=network.engine_name)
    plain.scale = network.scale
    plain.weights.update(network.weights)
    plain.biases.update(network.biases)
    for k, gamma in network.gammas.items():
        f = gamma * _inverse(network.parameters.running_variances[k])
        plain.weights[k] *= f
        plain.biases[k] -= f * network.parameters.running_means[k]
    return plain
