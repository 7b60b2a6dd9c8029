"""How long a step of training takes on this machine, and how long the work takes that it cannot do without."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from muslin.memory import Signals
from muslin.network import FeedForwardNeuralNetwork
from muslin.optimizers import signature


def step_seconds(
    network: FeedForwardNeuralNetwork, training: dict[str, Any], samples: int = 16_384, rounds: int = 5
) -> tuple[list[float], str | None]:
    """(seconds of a step in each of ``rounds`` epochs on random images, after one that is not counted; why steps were
    not played from tape, or None).

    training: arguments of `muslin.training.fit`; epochs is not among those that count. samples: of an epoch, cut to
    whole batches. The network learns nothing of worth.
    """
    rng, batch = np.random.default_rng(0), training["batch_size"]
    n = max(1, samples // batch) * batch
    X = rng.integers(0, 256, (n, network.sizes[0]), dtype=np.uint8)
    y = np.arange(n) % network.sizes[-1]
    history = network.fit(X, y, **training | {"epochs": rounds + 1})
    return [batch / speed for speed in history["samples_per_second"][1:]], history.engine_note


def limit_seconds(
    network: FeedForwardNeuralNetwork, batch_size: int, optimizer: str, steps: int = 100, rounds: int = 5
) -> list[float]:
    """Seconds of a step's matrix products alone, through `np.matmul`, and one pass over the optimizer's memory; of each
    of ``rounds``, after one that is not counted.

    The products have the shapes and orders of `muslin.network`, and the threads that BLAS has. The pass reads θ, the
    gradient and the slots and writes θ and the slots, on one thread; its arithmetic is next to none.
    """
    step, seconds = least(network, batch_size, optimizer), []
    for _ in range(rounds + 1):
        started = time.perf_counter()
        for _ in range(steps):
            step()
        seconds.append((time.perf_counter() - started) / steps)
    return seconds[1:]


def least(network: FeedForwardNeuralNetwork, batch_size: int, optimizer: str) -> Callable[[], None]:
    """The function that does what `limit_seconds` times, once."""
    products = list(_products(network, batch_size))
    slots = [np.zeros_like(network.theta) for _ in signature(network.optimizers[optimizer])[0]]
    touch = PASSES[len(slots)]

    def step():
        for left, right, out in products:
            np.matmul(left, right, out=out)
        network.engine.update(touch, network.theta, network.gradient, slots, {})

    return step


def _products(
    network: FeedForwardNeuralNetwork, batch_size: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """(left, right, result) of every matrix product of a step."""
    s, W = Signals(network.sizes, batch_size, network.dtype), network.weights
    for k in W:
        yield W[k], s.H[k - 1], s.A[k]
    for k in W:
        yield s.dA[k], s.H[k - 1].T, network.weight_gradients[k]
        if k > 1:
            yield W[k].T, s.dA[k], s.dH[k - 1]


def no_slot(theta: np.ndarray, g: np.ndarray) -> np.ndarray:
    return theta + 0.0 * g


def one_slot(theta: np.ndarray, g: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, ...]:
    return theta + 0.0 * g, u + 0.0 * g


def two_slots(theta: np.ndarray, g: np.ndarray, m: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, ...]:
    return theta + 0.0 * g, m + 0.0 * g, v + 0.0 * g


#: a rule that touches as much memory, by the number of slots
PASSES: tuple[Callable[..., Any], ...] = (no_slot, one_slot, two_slots)
