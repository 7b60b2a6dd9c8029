"""Which samples a step is given. The order of epoch e depends on (seed, e) alone: a resumed run has the same one."""

import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike

from muslin.errors import InputError
from muslin.inputs import Scale, as_rows, as_samples, as_targets, every_row
from muslin.training.settings import TrainingSettings


class Samples(NamedTuple):
    """The ``rows`` of samples X (N × n_0) and their targets y, class numbers (N,) or (N × n_L)."""

    X: np.ndarray
    y: np.ndarray
    rows: np.ndarray

    @classmethod
    def checked(
        cls, network: Any, X: ArrayLike, y: ArrayLike, rows: Any, scale: Scale | None = None, name: str = "rows"
    ) -> Self:
        """Raises InputError for what does not fit the network or is not of the scale."""
        X = as_samples(X, network.sizes[0], network.dtype, scale)
        y = as_targets(y, len(X), network.sizes[-1], network.target, network.dtype)
        return cls(X, y, as_rows(rows, len(X), name))

    def validation(self, network: Any, data: Any) -> Self | None:
        """Those of (X, y) or (X, y, rows), which must be of the same scale; None if there are none."""
        if data is None:
            return None
        if not isinstance(data, tuple | list) or len(data) not in (2, 3):
            raise InputError("validation_data must be (X, y) or (X, y, rows).")
        X, y, rows = (*data, None)[:3]
        return self.checked(network, X, y, rows, Scale.of(self.X), "validation_data's rows")

    @property
    def labels(self) -> np.ndarray:
        """Targets of the rows."""
        return self.y[self.rows]

    def fingerprints(self) -> dict[str, str]:
        """A few letters for each of the arrays, by which others are told from them."""
        return {name: fingerprint(array) for name, array in self._asdict().items()}


class Batches:
    """The training rows in the order of an epoch, and the learning rate of a step."""

    def __init__(self, rows: np.ndarray, settings: TrainingSettings):
        self.rows, self.shuffle, self.seed = rows, settings.shuffle, settings.seed
        self.rate = settings.rate(steps=-(-len(rows) // settings.batch_size))

    def epoch(self, epoch: int, stride: int) -> Iterator[np.ndarray]:
        """The rows of an epoch, from 0, ``stride`` at a time; the last may be fewer."""
        order = self.rows[epoch_order(self.seed, epoch, len(self.rows))] if self.shuffle else self.rows
        return (order[start : start + stride] for start in range(0, len(order), stride))


def fingerprint(array: np.ndarray) -> str:
    """Type, shape and CRC-32. Labels and row numbers are the same in any type of integer."""
    if array.ndim == 1:
        array = array.astype(np.int64)
    crc = 0
    for block in np.array_split(array, max(1, array.size // 2**20)):
        crc = zlib.crc32(np.ascontiguousarray(block).data, crc)
    return f"{array.dtype} {'×'.join(map(str, array.shape))} {crc:08x}"


def epoch_order(seed: int, epoch: int, n: int) -> np.ndarray:
    """The order of the n samples in an epoch: a permutation that depends on (seed, epoch) alone."""
    return np.random.default_rng([seed, epoch, 0]).permutation(every_row(n))
