"""Formulas on whole arrays, as NumPy evaluates them."""

import numpy as np

from muslin.augmentation import mix, warp
from muslin.normalization import follow

#: elements that are given to a formula at a time: its temporaries stay in the processor's cache
BLOCK = 32_768


class NumpyEngine:
    """The `muslin.engines.contract.Engine` that needs nothing but NumPy, and that all others are measured against."""

    name = "numpy"

    def gather(self, X, rows, out):
        if X.dtype == np.uint8:
            np.multiply(X.take(rows, axis=0), out.dtype.type(1 / 255), out=out)
        else:
            out[...] = X[rows]

    def augment(self, how, X, rows, ways, out):
        P = np.empty_like(out) if how.mixes else out
        scale = 1 / 255 if X.dtype == np.uint8 else 1
        warp(X.take(rows, axis=0), ways, how.fields, how.shape, scale, P)
        if how.mixes:
            mix(P, ways, how.shape, out)

    def activate(self, function, A, b, H):
        A += b
        H[...] = function(A)

    def slope(self, slope, dH, A, H, dA):
        np.multiply(dH, slope(A, H), out=dA)

    def update(self, rule, theta, g, slots, scalars, decay=0.0):
        for i in range(0, theta.size, BLOCK):
            block = slice(i, i + BLOCK)
            gradient = g[block] + decay * theta[block] if decay else g[block]
            new = rule(theta[block], gradient, *(s[block] for s in slots), **scalars)
            for array, value in zip((theta, *slots), new if slots else (new,), strict=True):
                array[block] = value

    def normalize(self, how, A, gamma, N, mean, variance):
        how.normalize(A, gamma, N, mean, variance)

    def normalized_deltas(self, how, dA, gamma, N, variance, dgamma, db):
        how.deltas(dA, gamma, N, variance, dgamma, db)

    def normalize_as_trained(self, how, A, gamma, mean, variance):
        how.predict(A, gamma, mean, variance)

    def follow(self, running, value, factor):
        follow(running, value, factor)
