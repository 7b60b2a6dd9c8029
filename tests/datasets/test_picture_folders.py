"""A folder of pictures with a folder for each class, and the other ways in which people have arrays."""

import numpy as np
import pytest
from PIL import Image

from muslin import InputError, datasets
from muslin.datasets import idx

rng = np.random.default_rng(0)


def picture(path, size=(12, 10), mode="L"):
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = size[::-1] if mode == "L" else (*size[::-1], 3)
    pixels = rng.integers(0, 256, shape, dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


def test_a_folder_a_class(tmp_path):
    first = picture(tmp_path / "cats" / "1.png")
    picture(tmp_path / "dogs" / "b.png", (24, 20), "RGB")
    picture(tmp_path / "dogs" / "a.jpg")
    (tmp_path / "dogs" / "notes.txt").write_text("no picture")
    (tmp_path / "empty").mkdir()
    data = datasets.load(str(tmp_path))
    assert (data.class_names, data.image_shape) == (("cats", "dogs"), (10, 12))
    np.testing.assert_array_equal(data.y_train, [0, 1, 1])
    np.testing.assert_array_equal(data.X_train[0], first.reshape(-1))
    before = data.checksums
    picture(tmp_path / "cats" / "1.png")
    assert datasets.load(str(tmp_path)).checksums != before


def test_folders_of_training_and_test(tmp_path):
    for part, n in (("train", 3), ("test", 2)):
        for name in ("cats", "dogs"):
            for i in range(n):
                picture(tmp_path / part / name / f"{i}.png")
    data = datasets.load(str(tmp_path))
    assert (data.X_train.shape, data.X_test.shape, data.class_names) == ((6, 120), (4, 120), ("cats", "dogs"))
    np.testing.assert_array_equal(data.y_test, [0, 0, 1, 1])
    picture(tmp_path / "test" / "birds" / "x.png")
    with pytest.raises(InputError, match="has the class 'birds' in test/ and not in train/"):
        datasets.load(str(tmp_path))


def test_large_pictures_are_made_smaller(tmp_path):
    for name in "ab":
        picture(tmp_path / name / "x.png", (256, 128))
    assert datasets.load(str(tmp_path)).image_shape == (32, 64)


def test_pictures_that_cannot_be(tmp_path):
    picture(tmp_path / "cats" / "1.png")
    with pytest.raises(InputError, match="one class only"):
        datasets.load(str(tmp_path))
    (tmp_path / "dogs").mkdir()
    (tmp_path / "dogs" / "x.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"x.png is no picture"):
        datasets.load(str(tmp_path))


def test_the_keys_of_keras(tmp_path):
    X, y = rng.integers(0, 256, (20, 4, 4), dtype=np.uint8), np.arange(20) % 3
    np.savez(tmp_path / "a.npz", x_train=X, y_train=y, x_test=X[:5], y_test=y[:5])
    data = datasets.load(str(tmp_path / "a.npz"))
    np.testing.assert_array_equal(data.X_train, X.reshape(20, 16))
    np.testing.assert_array_equal(data.y_test, y[:5])
    np.savez(tmp_path / "b.npz", x_train=X, y_train=y, x_test=X)
    with pytest.raises(InputError, match="only one of x_test and y_test"):
        datasets.load(str(tmp_path / "b.npz"))


def test_idx_files_with_a_point_in_their_names(tmp_path):
    X, y = rng.integers(0, 256, (20, 4, 4), dtype=np.uint8), (np.arange(20) % 3).astype(np.uint8)
    for part in ("train", "t10k"):
        (tmp_path / f"{part}-images.idx3-ubyte").write_bytes(idx.encode(X))
        (tmp_path / f"{part}-labels.idx1-ubyte").write_bytes(idx.encode(y))
    data = datasets.load(str(tmp_path))
    np.testing.assert_array_equal(data.X_train, X.reshape(20, 16))
