"""A user's own data: what is taken, and one sentence for each way in which it can be unfit."""

import gzip
import os
import zipfile
from hashlib import sha256

import numpy as np
import pytest
from idx_files import idx_bytes

from muslin.datasets import load
from muslin.errors import InputError

X = np.arange(24, dtype=np.uint8).reshape(6, 4)
y = np.array([0, 1, 2, 0, 1, 2], np.uint8)
TEST = {"X_test": X[:2], "y_test": y[:2]}


@pytest.fixture
def npz(tmp_path):
    """Writes arrays to shapes.npz."""

    def write(**arrays):
        np.savez(tmp_path / "shapes.npz", **arrays)
        return tmp_path / "shapes.npz"

    return write


def test_the_least(npz):
    path = npz(X=X, y=y)
    data = load(path)
    assert data.name == "shapes"
    np.testing.assert_array_equal(data.X_train, X)
    np.testing.assert_array_equal(data.y_train, y)
    assert data.X_train.dtype == np.uint8
    assert data.y_train.dtype == np.int64
    assert data.X_test is None
    assert data.y_test is None
    assert data.class_names == ("0", "1", "2")
    assert data.image_shape is None
    assert data.checksums == {"shapes.npz": sha256(path.read_bytes()).hexdigest()}


@pytest.mark.parametrize("names", [["red", "green", "blue"], np.array([b"red", b"green", b"blue"])])
def test_all_there_can_be(npz, names):
    data = load(str(npz(X=X, y=y, **TEST, class_names=names)))
    np.testing.assert_array_equal(data.X_test, X[:2])
    np.testing.assert_array_equal(data.y_test, y[:2])
    assert data.y_test.dtype == np.int64
    assert data.class_names == ("red", "green", "blue")


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_become_float32(npz, dtype):
    data = load(npz(X=X.astype(dtype) / 2, y=y, X_test=X.astype(dtype), y_test=y))
    assert data.X_train.dtype == data.X_test.dtype == np.float32
    np.testing.assert_array_equal(data.X_train, X / 2)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((6, 3, 5), (3, 5)), *(((6, n), None) for n in (9, 64, 256, 784, 1024, 4096))],
)
def test_a_table_of_numbers_is_no_picture_whatever_its_width(npz, shape, expected):
    data = load(npz(X=np.zeros(shape, np.uint8), y=y))
    assert data.image_shape == expected
    assert data.X_train.shape == (6, np.prod(shape[1:]))


def test_a_file_may_say_that_its_rows_are_pictures(npz):
    data = load(npz(X=np.zeros((6, 784), np.uint8), y=y, image_shape=[28, 28]))
    assert data.image_shape == (28, 28)


@pytest.mark.parametrize("shape", [[28, 27], [784], 784, [28.0, 28.0], ["28", "28"], [-28, -28], [[28, 28]]])
def test_a_shape_of_pictures_that_does_not_fit(npz, shape):
    with pytest.raises(InputError, match=r"image_shape must be \(rows, columns\), with as many pixels as X"):
        load(npz(X=np.zeros((6, 784), np.uint8), y=y, image_shape=shape))


@pytest.mark.parametrize(
    "names",
    [np.array([b"a\xff", b"b", b"c"]), np.zeros(3, "V4"), np.zeros(3, bool), np.zeros(3, "M8[s]"), [1j, 2j, 3]],
)
def test_class_names_that_are_no_texts(npz, names):
    with pytest.raises(InputError, match=r"class_names holds .*; texts, in UTF-8, are right\."):
        load(npz(X=X, y=y, class_names=names))


def test_a_member_that_is_no_array(npz):
    path = npz(y=y)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("X.npy", b"no array")
    with pytest.raises(InputError, match=r"is damaged or no \.npz of plain arrays"):
        load(path)


def test_a_pipe_and_a_device_are_no_data(tmp_path):
    os.mkfifo(tmp_path / "pipe.npz")
    (tmp_path / "zero.npz").symlink_to("/dev/zero")
    for path in ("pipe.npz", "zero.npz"):
        with pytest.raises(InputError, match="not a regular file"):
            load(tmp_path / path)


def with_one(value: float) -> np.ndarray:
    unfit = X.astype(float)
    unfit[4, 1] = value
    return unfit


UNFIT = {
    "no y": ({"X": X}, r"holds X; X and y are needed"),
    "nothing": ({}, r"holds nothing; X and y"),
    "X_test alone": ({"X": X, "y": y, "X_test": X}, r"only one of X_test and y_test; both or neither"),
    "a number": ({"X": np.uint8(1), "y": y}, r"X has shape \(\); \(samples, features\)"),
    "a vector": ({"X": X[0], "y": y}, r"X has shape \(4,\); \(samples, features\) or \(samples, rows, columns\)"),
    "color": ({"X": np.zeros((6, 2, 2, 3), np.uint8), "y": y}, r"X has shape \(6, 2, 2, 3\); \(samples"),
    "no samples": ({"X": X[:0], "y": y[:0]}, r"X is empty, of shape \(0, 4\); at least one sample"),
    "no features": ({"X": X[:, :0], "y": y}, r"X is empty, of shape \(6, 0\)"),
    "integers": ({"X": X.astype(int), "y": y}, r"X holds int64; uint8 \(0 to 255\) or floating point"),
    "words": ({"X": X.astype(str), "y": y}, r"X holds <U3; uint8"),
    "NaN": ({"X": with_one(np.nan), "y": y}, r"X holds NaN or infinity, first in sample 4; finite"),
    "infinity": ({"X": with_one(-np.inf), "y": y}, r"X holds NaN or infinity, first in sample 4; finite"),
    "too large for float32": ({"X": with_one(1e39), "y": y}, r"X holds NaN or infinity, first in sample 4; finite"),
    "one label less": ({"X": X, "y": y[:5]}, r"X has 6 samples but 5 labels; one label a sample"),
    "a column of labels": ({"X": X, "y": y[:, None]}, r"y has shape \(6, 1\); one label a sample, \(samples,\)"),
    "float labels": ({"X": X, "y": y / 1}, r"y holds float64; integer labels from 0 to K−1"),
    "words for labels": ({"X": X, "y": y.astype(str)}, r"y holds <U3; integer labels"),
    "one class": ({"X": X, "y": y * 0}, r"y has one class only, 0; at least two"),
    "a gap": ({"X": X, "y": y * 2}, r"y's labels are 0, 2, 4; 0 to 2 without gaps"),
    "from one": ({"X": X, "y": y + 1}, r"y's labels are 1, 2, 3; 0 to 2 without gaps"),
    "negative": ({"X": X, "y": y.astype(int) - 1}, r"y's labels are -1, 0, 1; 0 to 2"),
    "many wrong": ({"X": np.zeros((20, 1)), "y": np.arange(20) * 3}, r"0, 3, 6, 9, 12, 15, 18, 21, 24, 27, …; 0 to 19"),
    "wider test": ({"X": X, "y": y, "X_test": X[:, :3], "y_test": y}, r"X_test has 3 features of uint8; 4 features of"),
    "float test": (
        {"X": X, "y": y, "X_test": X / 1, "y_test": y},
        r"4 features of float32; 4 features of uint8, as in",
    ),
    "NaN test": ({"X": X / 1, "y": y, "X_test": with_one(np.nan), "y_test": y}, r"X_test holds NaN .* sample 4"),
    "short test": ({"X": X, "y": y, "X_test": X, "y_test": y[1:]}, r"X_test has 6 samples but 5 labels"),
    "new class in test": ({"X": X, "y": y, "X_test": X, "y_test": y + 1}, r"y_test's labels are 1 to 3; 0 to 2, as"),
    "two names": ({"X": X, "y": y, "class_names": ["a", "b"]}, r"class_names has shape \(2,\); 3 names"),
    "objects": ({"X": np.array([X, None], object), "y": y}, r"is damaged or no \.npz of plain arrays"),
}


@pytest.mark.parametrize(("arrays", "message"), UNFIT.values(), ids=UNFIT)
def test_each_unfit_set_has_its_own_line(npz, arrays, message):
    path = npz(**arrays)
    with pytest.raises(InputError, match=message) as caught:
        load(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("break_", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"X,y\n1,2\n", None])
def test_what_is_no_npz(npz, break_):
    path = npz(X=X, y=y)
    if break_:
        path.write_bytes(break_(path.read_bytes()))
    else:
        with open(path, "wb") as file:
            np.save(file, X)
    with pytest.raises(InputError, match=r"is damaged or no \.npz of plain arrays; np\.savez writes a right one\.$"):
        load(path)


def test_a_changed_byte_in_a_npz(npz):
    path = npz(X=np.zeros((6, 4000), np.uint8), y=y)
    data = bytearray(path.read_bytes())
    data[2000] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match="is damaged or no"):
        load(path)


def test_no_changed_byte_ends_in_anything_but_a_line(npz):
    path = npz(X=X, y=y)
    whole, unfit = path.read_bytes(), 0
    for position in range(len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x21]) + whole[position + 1 :])
        try:
            load(path)
        except InputError:
            unfit += 1
    assert unfit > len(whole) / 2


@pytest.mark.parametrize("scale", [1, 0.5])
def test_columns_first_in_the_file_are_rows_first_in_memory(npz, scale):
    data = load(npz(X=np.asfortranarray(X * scale if scale < 1 else X), y=y))
    assert data.X_train.flags.c_contiguous
    np.testing.assert_array_equal(data.X_train, X * scale)


@pytest.mark.parametrize("gz", [True, False])
def test_a_folder_of_idx_files(put, is_tiny, tiny, tmp_path, gz):
    data = load(put(tmp_path / "drawings", gz=gz))
    is_tiny(data)
    assert data.name == "drawings"
    assert data.image_shape == (4, 4)
    assert data.class_names == ("0", "1", "2")
    assert data.checksums == tiny.checksums


def test_a_folder_that_lacks_files(put, tmp_path):
    folder = put(tmp_path / "drawings")
    (folder / "train-labels-idx1-ubyte.gz").unlink()
    (folder / "t10k-images-idx3-ubyte.gz").unlink()
    message = "drawings lacks train-labels-idx1-ubyte, t10k-images-idx3-ubyte; all four IDX files"
    with pytest.raises(InputError, match=message):
        load(folder)


def test_a_folder_is_checked_like_a_npz(put, tmp_path):
    folder = put(tmp_path / "drawings")
    labels = idx_bytes(np.arange(29, dtype=np.uint8) % 3)
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
    with pytest.raises(InputError, match="drawings: X has 30 samples but 29 labels"):
        load(folder)
