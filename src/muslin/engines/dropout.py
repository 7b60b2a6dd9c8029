"""Which units a step leaves out: a function of (seed, step, layer, unit), so that no generator is kept or drawn from in
order. The numpy engine, a tape and each of its threads make the same masks, and a run that goes on makes those of one
that was never broken off.

Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators" (SplitMix64).
"""

import numpy as np

#: the odd number by which SplitMix64 counts on: 2⁶⁴ over the golden ratio
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
FIRST, SECOND, THIRD = np.uint64(30), np.uint64(27), np.uint64(31)
ONE, TWO = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def mixed(x: np.ndarray) -> np.ndarray:
    """64 bits, each of which depends on each bit of x (uint64), element by element."""
    x = (x ^ (x >> FIRST)) * ONE
    x = (x ^ (x >> SECOND)) * TWO
    return x ^ (x >> THIRD)


def keys(seed: int, steps: np.ndarray, layer: int) -> np.ndarray:
    """Where the units of a layer begin to count in each of the steps (numbers from 1): uint64."""
    start = np.random.SeedSequence([seed, layer]).generate_state(1, np.uint64)
    return mixed(start + steps.astype(np.uint64) * GOLDEN)


def least(dropout: float) -> np.uint64:
    """Numbers from this one on stay: all but a share of ``dropout`` of 0…2⁶⁴ − 1."""
    return np.uint64(min(int(dropout * 2**64), 2**64 - 1))


def draw(mask: np.ndarray, key: np.uint64, dropout: float) -> None:
    """mask ← 0 with the probability ``dropout``, else 1/(1 − dropout).  mask: (n_k × B), a sample after the other."""
    units = np.arange(mask.size, dtype=np.uint64) * GOLDEN + key
    stays = (mixed(units) >= least(dropout)).reshape(mask.shape, order="F")
    mask[...] = stays * mask.dtype.type(1.0 / (1.0 - dropout))
