"""What every way in ends in: one frozen record of arrays."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, eq=False)
class Dataset:
    """A classification data set, samples in rows.

    X_train, X_test (N × n) uint8 or float32 · y_train, y_test (N) int64 in 0 … K−1 · class_names, K of them.
    A user's own set may have no test part: then X_test and y_test are None. image_shape is (rows, columns), or None
    where the n columns are no image. checksums: file → SHA-256 (of the decompressed payload, for IDX files).
    """

    name: str
    X_train: np.ndarray = field(repr=False)
    y_train: np.ndarray = field(repr=False)
    X_test: np.ndarray | None = field(repr=False)
    y_test: np.ndarray | None = field(repr=False)
    class_names: tuple[str, ...]
    image_shape: tuple[int, int] | None
    checksums: dict[str, str] = field(repr=False)


def rows(images: np.ndarray) -> np.ndarray:
    """(N × …) → (N × n): a view, one image a row."""
    return images.reshape(len(images), -1)
