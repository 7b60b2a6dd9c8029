"""Formulas on whole arrays, as NumPy evaluates them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from muslin.augmentation import mix, warp
from muslin.normalization import Normalization, follow

#: elements that are given to a formula at a time: its temporaries stay in the processor's cache
BLOCK = 32_768


class NumpyEngine:
    """The `muslin.engines.contract.Engine` that needs nothing but NumPy, and that all others are measured against."""

    name = "numpy"

    def gather(self, X: np.ndarray, rows: np.ndarray, out: np.ndarray) -> None:
        if X.dtype == np.uint8:
            np.multiply(X.take(rows, axis=0), out.dtype.type(1 / 255), out=out)
        else:
            out[...] = X[rows]

    def augment(self, how: Any, X: np.ndarray, rows: np.ndarray, ways: np.ndarray, out: np.ndarray) -> None:
        P = np.empty_like(out) if how.mixes else out
        scale = 1 / 255 if X.dtype == np.uint8 else 1
        warp(X.take(rows, axis=0), ways, how.fields, how.shape, scale, P)
        if how.mixes:
            mix(P, ways, how.shape, out)

    def activate(self, function: Callable, A: np.ndarray, b: np.ndarray, H: np.ndarray) -> None:
        A += b
        H[...] = function(A)

    def slope(self, slope: Callable, dH: np.ndarray, A: np.ndarray, H: np.ndarray, dA: np.ndarray) -> None:
        np.multiply(dH, slope(A, H), out=dA)

    def update(
        self,
        rule: Callable,
        theta: np.ndarray,
        g: np.ndarray,
        slots: Sequence[np.ndarray],
        scalars: Mapping[str, float],
        decay: float = 0.0,
    ) -> None:
        for i in range(0, theta.size, BLOCK):
            block = slice(i, i + BLOCK)
            gradient = g[block] + decay * theta[block] if decay else g[block]
            new = rule(theta[block], gradient, *(s[block] for s in slots), **scalars)
            for array, value in zip((theta, *slots), new if slots else (new,), strict=True):
                array[block] = value

    def normalize(
        self,
        how: Normalization,
        A: np.ndarray,
        gamma: np.ndarray,
        N: np.ndarray,
        mean: np.ndarray,
        variance: np.ndarray,
    ) -> None:
        how.normalize(A, gamma, N, mean, variance)

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
        how.deltas(dA, gamma, N, variance, dgamma, db)

    def normalize_as_trained(
        self, how: Normalization, A: np.ndarray, gamma: np.ndarray, mean: np.ndarray, variance: np.ndarray
    ) -> None:
        how.predict(A, gamma, mean, variance)

    def follow(self, running: np.ndarray, value: np.ndarray, factor: float) -> None:
        follow(running, value, factor)
