"""A user's own data: what is taken, and one sentence for each way in which it can be unfit."""

import gzip
import os
import zipfile
from hashlib import sha256

import numpy as np
import pytest
from idx_files import idx_bytes

from muslin.datasets import TableOptions, load
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
    with pytest.raises(InputError, match=r"class_names holds .*; it must hold texts, in UTF-8\."):
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
    "X_test alone": ({"X": X, "y": y, "X_test": X}, r"only one of X_test and y_test; it must hold both or neither"),
    "a number": ({"X": np.uint8(1), "y": y}, r"X has shape \(\); it must be \(samples, features\)"),
    "a vector": (
        {"X": X[0], "y": y},
        r"X has shape \(4,\); it must be \(samples, features\) or \(samples, rows, columns\)",
    ),
    "color": ({"X": np.zeros((6, 2, 2, 3), np.uint8), "y": y}, r"X has shape \(6, 2, 2, 3\); it must be \(samples"),
    "no samples": ({"X": X[:0], "y": y[:0]}, r"X is empty, of shape \(0, 4\); at least one sample"),
    "no features": ({"X": X[:, :0], "y": y}, r"X is empty, of shape \(6, 0\)"),
    "integers": ({"X": X.astype(int), "y": y}, r"X holds int64; it must hold uint8 \(0 to 255\) or floating point"),
    "words": ({"X": X.astype(str), "y": y}, r"X holds <U3; it must hold uint8"),
    "NaN": ({"X": with_one(np.nan), "y": y}, r"X holds NaN or infinity, first in sample 4; values must be finite"),
    "infinity": (
        {"X": with_one(-np.inf), "y": y},
        r"X holds NaN or infinity, first in sample 4; values must be finite",
    ),
    "too large for float32": (
        {"X": with_one(1e39), "y": y},
        r"X holds NaN or infinity, first in sample 4; values must be finite",
    ),
    "one label less": ({"X": X, "y": y[:5]}, r"X has 6 samples but 5 labels; it must be one label a sample"),
    "a cube of labels": ({"X": X, "y": y[:, None, None]}, r"y has shape \(6, 1, 1\); it must be \(samples,\) or"),
    "no label": ({"X": X, "y": y[:0]}, r"y has shape \(0,\); it must be \(samples,\) or"),
    "one name": ({"X": X, "y": np.full(6, "a")}, r"y is always 'a'; at least two classes"),
    "names in two columns": ({"X": X, "y": np.full((6, 2), "a")}, r"holds texts; it must be one text a sample"),
    "dates": (
        {"X": X, "y": np.zeros(6, "M8[s]")},
        r"y holds datetime64\[s\]; it must hold class numbers from 0, texts or numbers",
    ),
    "complex": ({"X": X, "y": y * 1j}, r"y holds complex128; it must hold class numbers"),
    "NaN numbers": ({"X": X, "y": [0.5, 1, 2, 3, np.nan, 4]}, r"y holds NaN or infinity, first in sample 4"),
    "the same number": ({"X": X, "y": np.full(6, 2.5)}, r"y is always 2.5; there is nothing to learn"),
    "a name more in the test": (
        {"X": X, "y": ["a", "b", "a", "b", "a", "b"], "X_test": X[:2], "y_test": ["a", "c"]},
        r"y_test holds 'c', which y does not; it must be one of a, b",
    ),
    "numbers for names": (
        {"X": X, "y": ["a", "b", "a", "b", "a", "b"], "class_names": ["a", "c"]},
        r"class_names are not the names in y; they must be a, b, in any order",
    ),
    "names of numbers": ({"X": X, "y": y / 7, "class_names": ["a"]}, r"class_names are for classes and labels"),
    "numbers in two columns in the test": (
        {"X": X, "y": y / 7, "X_test": X, "y_test": np.ones((6, 2))},
        r"y_test has shape \(6, 2\); it must have as many columns",
    ),
    "no labels in the test": (
        {"X": X, "y": [[1, 1, 0], [0, 0, 1]] * 3, "X_test": X[:1], "y_test": [[1, 2, 0]]},
        r"y_test holds other rows than y; they must be of 0 and 1",
    ),
    "halves for classes": (
        {"X": X, "y": y, "X_test": X, "y_test": y / 2},
        r"y_test holds float64 that are no class numbers",
    ),
    "one class": ({"X": X, "y": y * 0}, r"y has one class only, 0; at least two"),
    "a gap": ({"X": X, "y": y * 2}, r"y's labels are 0, 2, 4; they must be 0 to 2 without gaps"),
    "from one": ({"X": X, "y": y + 1}, r"y's labels are 1, 2, 3; they must be 0 to 2 without gaps"),
    "negative": ({"X": X, "y": y.astype(int) - 1}, r"y's labels are -1, 0, 1; they must be 0 to 2"),
    "many wrong": (
        {"X": np.zeros((20, 1)), "y": np.arange(20) * 3},
        r"0, 3, 6, 9, 12, 15, 18, 21, 24, 27, …; they must be 0 to 19",
    ),
    "wider test": (
        {"X": X, "y": y, "X_test": X[:, :3], "y_test": y},
        r"X_test has 3 features of uint8; it must have 4 features of",
    ),
    "float test": (
        {"X": X, "y": y, "X_test": X / 1, "y_test": y},
        r"4 features of float32; it must have 4 features of uint8, as X",
    ),
    "NaN test": ({"X": X / 1, "y": y, "X_test": with_one(np.nan), "y_test": y}, r"X_test holds NaN .* sample 4"),
    "short test": ({"X": X, "y": y, "X_test": X, "y_test": y[1:]}, r"X_test has 6 samples but 5 labels"),
    "new class in test": (
        {"X": X, "y": y, "X_test": X, "y_test": y + 1},
        r"y_test's labels are 1 to 3; they must be 0 to 2, as",
    ),
    "two names": ({"X": X, "y": y, "class_names": ["a", "b"]}, r"class_names has shape \(2,\); it must be 3 names"),
    "objects": ({"X": np.array([X, None], object), "y": y}, r"is damaged or no \.npz of plain arrays"),
}


NAMES = np.array(["low", "high", "low", "mid", "mid", "high"])
HOT = np.eye(3, dtype=np.uint8)[y]

#: y → the kind of target, what it becomes, the names
KINDS = {
    "texts": (NAMES, "class", [1, 0, 1, 2, 2, 0], ("high", "low", "mid")),
    "bytes": (NAMES.astype(bytes), "class", [1, 0, 1, 2, 2, 0], ("high", "low", "mid")),
    "texts of numbers": (["10", "9", "10", "9", "10", "9"], "class", [1, 0, 1, 0, 1, 0], ("9", "10")),
    "truth values": (y > 1, "class", [0, 0, 1, 0, 0, 1], ("False", "True")),
    "whole floats": (y / 1, "class", y, ("0", "1", "2")),
    "a column": (y[:, None], "class", y, ("0", "1", "2")),
    "rows with one 1": (HOT, "class", y, ("0", "1", "2")),
    "rows with one 1, floats": (HOT / 1, "class", y, ("0", "1", "2")),
    "labels": (HOT | HOT[::-1], "labels", HOT | HOT[::-1], ("0", "1", "2")),
    "truth values in columns": (HOT + HOT[::-1] > 0, "labels", HOT | HOT[::-1], ("0", "1", "2")),
    "numbers": (y / 4, "numbers", y[:, None] / 4, ()),
    "a column of numbers": (y[:, None] / 4, "numbers", y[:, None] / 4, ()),
    "columns of numbers": (X[:, :2] / 3, "numbers", X[:, :2] / np.float32(3), ()),
    "whole floats from 1": (y + 1.0, "numbers", y[:, None] + 1, ()),
}


@pytest.mark.parametrize(("given", "kind", "encoded", "names"), KINDS.values(), ids=KINDS)
def test_what_y_is(npz, given, kind, encoded, names):
    data = load(npz(X=X, y=given, X_test=X[:3], y_test=np.asarray(given)[:3]))
    assert (data.target, data.class_names) == (kind, names)
    assert data.y_train.dtype == (np.int64 if kind == "class" else np.float32)
    np.testing.assert_allclose(data.y_train, encoded, rtol=1e-6)
    np.testing.assert_allclose(data.y_test, data.y_train[:3])


def test_class_names_order_the_texts(npz):
    data = load(npz(X=X, y=NAMES, class_names=["low", "mid", "high"]))
    assert data.class_names == ("low", "mid", "high")
    np.testing.assert_array_equal(data.y_train, [0, 2, 0, 1, 1, 2])


def test_names_of_labels(npz):
    data = load(npz(X=X, y=HOT | HOT[::-1], class_names=["a", "b", "c"]))
    assert (data.target, data.class_names) == ("labels", ("a", "b", "c"))


def test_the_task_decides(npz):
    def read(y, task):
        return load(npz(X=X, y=y), table=TableOptions(task=task))

    assert read(y, "regression").target == "numbers"
    assert read(y / 1, "regression").target == "numbers"
    assert read(HOT, "regression").y_train.shape == (6, 3)
    assert read(y / 1, "classification").target == "class"
    with pytest.raises(InputError, match="regression needs numbers"):
        read(NAMES, "regression")
    with pytest.raises(InputError, match=r"y's labels are 0\.0, 0\.25, 0\.5; they must be 0 to 2 without gaps"):
        read(y / 4, "classification")
    with pytest.raises(InputError, match="for classes its rows must be of 0 and 1"):
        read(X, "classification")
    with pytest.raises(InputError, match="target, drop, task, test and encoding are for tables"):
        load(npz(X=X, y=y), table=TableOptions(target="y"))
    with pytest.raises(InputError, match="test and encoding are for tables"):
        load("digits", table=TableOptions(task="regression"))


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
