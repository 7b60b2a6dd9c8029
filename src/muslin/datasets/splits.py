"""Which samples train and which validate: a function of the labels, the amount and the seed only."""

from numbers import Integral, Real

import numpy as np

from muslin.errors import InputError

STREAM = int.from_bytes(b"split")  # keeps these draws apart from others made with the same seed


def split(
    labels: np.ndarray, validation: float = 0.1, *, seed: int = 0, stratify: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Indices (train, validation), int64, shuffled, disjoint, together all of 0 … N−1.

    labels (N). validation: a fraction in [0, 1) or a whole number of samples below N; 0 gives an empty validation, any
    other fraction at least one sample. stratify draws from each class in proportion to its size, by the largest
    remainder, so that the total is exact. Raises InputError for amounts, seeds and labels that are none.
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or not len(labels):
        raise InputError(f"The labels to split have shape {labels.shape}; they must be one label a sample.")
    if not _whole(seed) or seed < 0:
        raise InputError(f"The split's seed is {seed!r}; it must be a whole number from 0.")
    count = _count(validation, len(labels))
    order = np.random.default_rng([seed, STREAM]).permutation(len(labels))
    chosen = _stratified(labels[order], count) if stratify else np.arange(len(labels)) < count
    return order[~chosen], order[chosen]


def _count(validation: float, total: int) -> int:
    if _whole(validation) and 0 <= validation < total:
        return int(validation)
    if isinstance(validation, Real) and not _whole(validation) and 0 <= validation < 1:
        return min(max(round(validation * total), int(validation > 0)), total - 1)
    right = f"a fraction, 0 ≤ fraction < 1, or a number of samples from 0 to {total - 1}"
    raise InputError(f"validation is {validation!r}; it must be {right}.")


def _whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _stratified(labels: np.ndarray, count: int) -> np.ndarray:
    """A mask over the samples: of each class its first few, `count` in all."""
    _, classes, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    by_class = np.argsort(classes, kind="stable")
    rank = np.empty(len(labels), np.int64)  # of a sample among those of its class
    rank[by_class] = np.arange(len(labels)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return rank < _shares(sizes, count)[classes]


def _shares(sizes: np.ndarray, count: int) -> np.ndarray:
    """Whole shares of count in proportion to sizes; what rounding down leaves over goes to the largest remainders."""
    shares, remainders = np.divmod(sizes * count, sizes.sum())
    shares[np.argsort(-remainders, kind="stable")[: count - shares.sum()]] += 1
    return shares
