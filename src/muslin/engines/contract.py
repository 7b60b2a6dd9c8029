"""What an engine is: the ways in which a formula, or none, meets arrays. Matrix products stay with `np.matmul`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from muslin.normalization import Normalization

#: what the numba engine gathers itself, where it lies row by row
GATHERED = (np.uint8, np.float32, np.float64)


class Engine(Protocol):
    """Matrices are (n × B), b (n × 1). Each method writes into its last arguments, and nowhere else.

    The formula itself is an argument: the engines differ in how they run it, never in what it is. One object serves
    all networks and threads, so that an engine keeps nothing of a network or of its data.
    """

    name: str

    def gather(self, X: np.ndarray, rows: np.ndarray, out: np.ndarray) -> None:
        """out[j] ← X[rows[j]], as floats; uint8 is scaled by 1/255.  X: (N × n), out: (len(rows) × n)."""

    def augment(self, how: Any, X: np.ndarray, rows: np.ndarray, ways: np.ndarray, out: np.ndarray) -> None:
        """out[j] ← picture ``rows[j]`` of X, changed as ``ways[j]`` says; see `muslin.augmentation`.

        how: a `muslin.training.augmentation.Augmentation`; ways: (B × WAYS), out: (B × n).
        """

    def activate(self, function: Callable, A: np.ndarray, b: np.ndarray, H: np.ndarray) -> None:
        """A ← A + b;  H ← f(A)."""

    def slope(self, slope: Callable, dH: np.ndarray, A: np.ndarray, H: np.ndarray, dA: np.ndarray) -> None:
        """dA ← dH ∘ f′(A)."""

    def update(
        self,
        rule: Callable,
        theta: np.ndarray,
        g: np.ndarray,
        slots: Sequence[np.ndarray],
        scalars: Mapping[str, float],
        decay: float = 0.0,
    ) -> None:
        """One optimizer step: θ, slots ← rule(θ, g + decay·θ, slots, scalars)."""

    def normalize(
        self,
        how: Normalization,
        A: np.ndarray,
        gamma: np.ndarray,
        N: np.ndarray,
        mean: np.ndarray,
        variance: np.ndarray,
    ) -> None:
        """N, mean, variance ← those of the batch;  A ← γ ∘ N.  See `muslin.normalization`, also for the next two."""

    def normalized_deltas(
        self,
        how: Normalization,
        dA: np.ndarray,
        gamma: np.ndarray,
        N: np.ndarray,
        variance: np.ndarray,
        dgamma: np.ndarray,
        db: np.ndarray,
    ) -> None:
        """dγ, db ← the sums over the batch;  dA ← the slope at what `normalize` was given."""

    def normalize_as_trained(
        self, how: Normalization, A: np.ndarray, gamma: np.ndarray, mean: np.ndarray, variance: np.ndarray
    ) -> None:
        """A ← γ ∘ (A − mean) / √(variance + ε)."""

    def follow(self, running: np.ndarray, value: np.ndarray, factor: float) -> None:
        """running ← a little nearer to factor · value."""
