"""The digits: the same everywhere, in proportion, and still the images that scikit-learn hands out."""

import sys
from hashlib import sha256

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from muslin.datasets import load


@pytest.fixture(scope="module")
def digits():
    return load("digits")


def test_shapes_and_counts(digits):
    assert digits.X_train.shape == (1500, 784)
    assert digits.X_test.shape == (297, 784)
    assert digits.X_train.dtype == digits.X_test.dtype == np.uint8
    assert digits.y_train.dtype == digits.y_test.dtype == np.int64
    assert digits.image_shape == (28, 28)
    assert digits.class_names == tuple("0123456789")
    whole = np.bincount(load_digits().target)
    np.testing.assert_array_equal(np.bincount(digits.y_train) + np.bincount(digits.y_test), whole)
    np.testing.assert_allclose(np.bincount(digits.y_test), whole * 297 / 1797, atol=1)


def test_drawn_as_mnist_is(digits):
    images = digits.X_train.reshape(-1, 28, 28)
    assert images.max() == 255
    assert len(np.unique(images)) > 200  # smooth: the originals have 17 shades
    assert images[:, 4:24, 4:24].any(axis=(1, 2)).all()
    frame = np.ones((28, 28), bool)
    frame[4:24, 4:24] = False
    assert not images[:, frame].any()


def test_every_image_keeps_its_content_and_its_label(digits):
    originals = load_digits()
    for pixels, label in zip(digits.X_test, digits.y_test, strict=True):
        inner = Image.fromarray(pixels.reshape(28, 28)[4:24, 4:24])
        small = np.asarray(inner.resize((8, 8), Image.Resampling.BOX)) * (16 / 255)
        distances = np.abs(originals.images - small).mean(axis=(1, 2))
        assert distances.min() < 1.5  # of 16
        assert originals.target[distances.argmin()] == label


def test_the_same_every_time(digits):
    again = load("DIGITS")
    np.testing.assert_array_equal(again.X_test, digits.X_test)
    np.testing.assert_array_equal(again.y_train, digits.y_train)
    assert again.checksums == digits.checksums
    labels = bytes([0, 0, 8, 1, 0, 0, 1, 41, *digits.y_test])
    assert digits.checksums["t10k-labels-idx1-ubyte"] == sha256(labels).hexdigest()


def test_scikit_learn_is_not_imported_for_them(digits, monkeypatch):
    """Which takes longer than to train on them."""
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    np.testing.assert_array_equal(load("digits").X_train, digits.X_train)
