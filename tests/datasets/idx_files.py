"""IDX files for the tests of the data sets."""

import numpy as np


def idx_bytes(array: np.ndarray) -> bytes:
    """An IDX file by the letter of its definition, independent of the code under test."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()
