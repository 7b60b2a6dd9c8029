"""The data set that is always there: scikit-learn's 1,797 handwritten digits, drawn up to the size of MNIST's."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from muslin.datasets import idx
from muslin.datasets.catalogue import FILES
from muslin.datasets.dataset import Dataset, rows
from muslin.datasets.splits import split

TEST = 297
SIDE, MARGIN = 20, 4  # as in MNIST: the digit in a square of 20 × 20 pixels, inside 28 × 28


def load() -> Dataset:
    """1,500 training and 297 test images (28 × 28, uint8), the same on every call, every class in proportion."""
    pixels, labels = _scikit_learns()
    images = np.stack([_draw(image) for image in pixels.reshape(-1, 8, 8)])
    train, test = split(labels, TEST, seed=0, stratify=True)
    arrays = images[train], labels[train], images[test], labels[test]
    return Dataset(
        name="digits",
        X_train=rows(arrays[0]),
        y_train=arrays[1],
        X_test=rows(arrays[2]),
        y_test=arrays[3],
        class_names=tuple("0123456789"),
        image_shape=images.shape[1:],
        checksums={file: idx.digest(array.astype(np.uint8)) for file, array in zip(FILES, arrays, strict=True)},
    )


def _scikit_learns() -> tuple[np.ndarray, np.ndarray]:
    """(1797 × 64) of 0 … 16 and labels. Its file is read where it lies: to import scikit-learn takes a second."""
    spec = find_spec("sklearn")
    for folder in (spec and spec.submodule_search_locations) or ():
        if (path := Path(folder, "datasets", "data", "digits.csv.gz")).exists():
            table = np.loadtxt(path, delimiter=",")
            return table[:, :-1], table[:, -1].astype(np.int64)
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return bunch.data, bunch.target.astype(np.int64)


def _draw(image: np.ndarray) -> np.ndarray:
    """(8 × 8) of 0 … 16 → (28 × 28) uint8 of 0 … 255."""
    from PIL import Image

    small = Image.fromarray(np.round(image * (255 / 16)).astype(np.uint8))
    return np.pad(np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BICUBIC)), MARGIN)
