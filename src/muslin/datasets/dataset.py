"""What every way in ends in: one frozen record of arrays."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set, samples in rows.

    X_train, X_test (N × n) uint8 or float32 · y_train, y_test (N) int64 in 0 … K−1, and class_names, K of them; or
    labels (N × K) of 0 and 1, and their names; or numbers (N × K) float32, and class_names is empty.
    A user's own set may have no test part: then X_test and y_test are None. image_shape is (rows, columns), or None
    where the n columns are no image. table: of a table, its
    `muslin.datasets.own_table.TableFacts`. checksums: file → SHA-256 (of the decompressed payload, for IDX files).
    """

    name: str
    X_train: np.ndarray = field(repr=False)
    y_train: np.ndarray = field(repr=False)
    X_test: np.ndarray | None = field(repr=False)
    y_test: np.ndarray | None = field(repr=False)
    class_names: tuple[str, ...]
    image_shape: tuple[int, int] | None
    checksums: dict[str, str] = field(repr=False)
    table: Any = field(default=None, repr=False)

    @property
    def target(self) -> str:
        """What the samples are to be: a "class", "labels" or "numbers"."""
        return "class" if self.y_train.ndim == 1 else "labels" if self.class_names else "numbers"

    @property
    def n_outputs(self) -> int:
        return len(self.class_names) or self.y_train.shape[1]


def rows(images: np.ndarray) -> np.ndarray:
    """(N × …) → (N × n): a view, one image a row."""
    return images.reshape(len(images), -1)
