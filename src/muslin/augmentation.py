"""Pictures that are changed while they are gathered: moved, turned, stretched, bent, mixed.

A picture of h × w pixels is read where its pixels come from: pixel (i, j) of the new one is at (s, t) of the old one,

    (s, t) = c + M ((i, j) − c) + d + e·D(i, j)

c is the middle, M turns, stretches and mirrors, d moves, D is a smooth field and e its strength. Between four pixels
the value is bilinear; outside all are 0. Simard, Steinkraus & Platt, ICDAR 2003. Samples are rows here.
"""

from typing import Any

import numpy as np

#: what is told of each sample of a batch, by place: M, d, e, which D; what mixup leaves of it; the box of cutmix; how
#: much of the target is its own
M00, M01, M10, M11, DOWN, RIGHT, BEND, FIELD, LEFT, TOP, BOTTOM, START, STOP, OWN = range(14)
WAYS = 14


def warp(
    X: np.ndarray, ways: np.ndarray, fields: np.ndarray, shape: tuple[int, int], scale: float, out: np.ndarray
) -> None:
    """out[n] ← picture n of X (B × pixels), read as its way says, times scale.  out: (B × pixels)."""
    (h, w), n = shape, len(X)
    framed = np.zeros((n, h + 2, w + 2), out.dtype)
    framed[:, 1:-1, 1:-1] = X.reshape(n, h, w)
    di, dj = (x.ravel() for x in np.meshgrid(np.arange(h) - 0.5 * (h - 1), np.arange(w) - 0.5 * (w - 1), indexing="ij"))
    v = [ways[:, k, None] for k in range(LEFT)]
    bend = fields[ways[:, FIELD].astype(np.int64)]
    s = (v[M00] * di + v[M01] * dj) + (0.5 * (h - 1) + v[DOWN]) + v[BEND] * bend[:, :, 0]
    t = (v[M10] * di + v[M11] * dj) + (0.5 * (w - 1) + v[RIGHT]) + v[BEND] * bend[:, :, 1]
    i, j = np.floor(s), np.floor(t)
    f, g = s - i, t - j
    rows = [np.clip(i + k, -1, h).astype(np.int64) + 1 for k in (0, 1)]
    columns = [np.clip(j + k, -1, w).astype(np.int64) + 1 for k in (0, 1)]
    which = np.arange(n)[:, None]
    total: Any = None
    for k, down in enumerate((1.0 - f, f)):
        for m, right in enumerate((1.0 - g, g)):
            part = (down * right).astype(out.dtype) * framed[which, rows[k], columns[m]]
            total = part if total is None else total + part
    np.multiply(total, out.dtype.type(scale), out=out)


def mix(P: np.ndarray, ways: np.ndarray, shape: tuple[int, int], out: np.ndarray) -> None:
    """out[n] ← picture n of P (B × pixels), with its share, and its box, of the next one."""
    other = np.roll(P, -1, axis=0)
    left = ways[:, LEFT].astype(P.dtype)[:, None]
    out[...] = P * left + other * (P.dtype.type(1) - left)
    for n in np.flatnonzero(ways[:, BOTTOM]):
        top, bottom, start, stop = ways[n, TOP : STOP + 1].astype(int)
        out[n].reshape(shape)[top:bottom, start:stop] = other[n].reshape(shape)[top:bottom, start:stop]


def mix_targets(Y: np.ndarray, ways: np.ndarray) -> np.ndarray:
    """The targets (n_L × B) of what `mix` makes."""
    own = ways[:, OWN].astype(Y.dtype)
    return Y * own + np.roll(Y, -1, axis=1) * (Y.dtype.type(1) - own)
