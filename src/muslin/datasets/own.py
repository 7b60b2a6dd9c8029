"""A user's own data set: a .npz with X and y, or a folder of the four IDX files. Everything in it is checked.

Samples are pictures where the data say so: in IDX files, where X has three dimensions, where an .npz has image_shape.
"""

import hashlib
from pathlib import Path

import numpy as np

from muslin.datasets import idx, picture_folders
from muslin.datasets.catalogue import FILES
from muslin.datasets.dataset import Dataset, rows
from muslin.datasets.folders import find
from muslin.errors import InputError
from muslin.files import opened

#: names that the members of an .npz may have: (samples, targets), of training and of the test. The second are Keras's
KEYS = (("X", "y"), ("x_train", "y_train")), (("X_test", "y_test"), ("x_test", "y_test"))


def load(path: Path) -> Dataset:
    """The data set at a path. Raises InputError, with the file and what is wrong and right, for anything unfit."""
    if not path.is_dir():
        return _from_npz(path)
    return _from_pictures(path) if picture_folders.classes(path) else _from_idx(path)


def _from_idx(folder: Path) -> Dataset:
    paths = {file: find(folder, file) or find(folder, _with_point(file)) for file in FILES}
    if missing := [file for file, path in paths.items() if path is None]:
        raise InputError(
            f"{folder} lacks {', '.join(missing)}; all four IDX files (.gz or not) are needed, or a folder of pictures "
            "for each class."
        )
    arrays = {file: idx.read(path, FILES[file]) for file, path in paths.items()}
    checksums = {file: idx.digest(array) for file, array in arrays.items()}
    return _dataset(folder.resolve().name, str(folder), checksums, *arrays.values())


def _with_point(file: str) -> str:
    """train-images.idx3-ubyte, as some unpack it, for train-images-idx3-ubyte."""
    return file.replace("-idx", ".idx")


def _from_pictures(folder: Path) -> Dataset:
    X, y, names, checksum = picture_folders.read(folder)
    return _dataset(folder.resolve().name, str(folder), {folder.resolve().name: checksum}, X, y, class_names=names)


def _from_npz(path: Path) -> Dataset:
    members = _members(path)
    train = next((keys for keys in KEYS[0] if {*keys} <= members.keys()), None)
    if train is None:
        raise InputError(
            f"{path} holds {', '.join(members) or 'nothing'}; X and y are needed (or x_train and y_train)."
        )
    test = next((keys for keys in KEYS[1] if keys[0] in members), KEYS[1][KEYS[0].index(train)])
    if len({*test} & members.keys()) == 1:
        raise InputError(f"{path} holds only one of {' and '.join(test)}; both or neither is right.")
    with opened(path, "data set") as file:
        checksums = {path.name: hashlib.file_digest(file, "sha256").hexdigest()}
    arrays = (members.get(key) for key in (*train, *test, "class_names", "image_shape"))
    return _dataset(path.stem, str(path), checksums, *arrays)


def _members(path: Path) -> dict[str, np.ndarray]:
    with opened(path, "data set") as file:
        try:
            with np.load(file) as archive:
                members = {key: archive[key] for key in archive.files}
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror or error}.") from None
        except Exception:  # a damaged archive makes zipfile, zlib and NumPy raise about anything
            members = {"": None}
    if not all(isinstance(array, np.ndarray) for array in members.values()):  # bytes, of a member that is no array
        raise InputError(f"{path} is damaged or no .npz of plain arrays; np.savez writes a right one.")
    return members


def _dataset(
    name: str,
    where: str,
    checksums: dict[str, str],
    X: np.ndarray,
    y: np.ndarray,
    X_test: np.ndarray | None = None,
    y_test: np.ndarray | None = None,
    class_names: np.ndarray | None = None,
    image_shape: np.ndarray | None = None,
) -> Dataset:
    """Checks X (N × n or N × rows × columns), y (N) and their test twins, and puts them into a Dataset."""
    pictures = X.shape[1:] if X.ndim == 3 else None
    X, y = _samples(X, "X", where), _labels(y, "y", where)
    pictures = pictures or _image_shape(image_shape, X, where)
    _same_length(X, y, "X", where)
    classes = _classes(y, where)
    if X_test is not None:
        X_test, y_test = _samples(X_test, "X_test", where), _labels(y_test, "y_test", where)
        _same_length(X_test, y_test, "X_test", where)
        _like_training(X, X_test, y_test, classes, where)
    return Dataset(
        name=name,
        X_train=X,
        y_train=y,
        X_test=X_test,
        y_test=y_test,
        class_names=_names(class_names, classes, where),
        image_shape=pictures,
        checksums=checksums,
    )


def _image_shape(image_shape: np.ndarray | None, X: np.ndarray, where: str) -> tuple[int, int] | None:
    """(rows, columns) of pictures that are stored as rows of numbers: only where the file says so."""
    if image_shape is None:
        return None
    sides = image_shape.tolist() if image_shape.dtype.kind in "iu" else []
    if np.shape(sides) != (2,) or min(sides) < 1 or sides[0] * sides[1] != X.shape[1]:
        raise InputError(f"{where}: image_shape must be (rows, columns), with as many pixels as X has columns.")
    return tuple(sides)


def _samples(X: np.ndarray, name: str, where: str) -> np.ndarray:
    """X as (N × n) in C order, uint8 as it is, floats as float32."""
    if X.ndim not in (2, 3):
        raise InputError(
            f"{where}: {name} has shape {X.shape}; (samples, features) or (samples, rows, columns) is right."
        )
    if not X.size:
        raise InputError(
            f"{where}: {name} is empty, of shape {X.shape}; at least one sample and one feature is needed."
        )
    if X.dtype != np.uint8 and X.dtype.kind != "f":
        raise InputError(f"{where}: {name} holds {X.dtype}; uint8 (0 to 255) or floating point is right.")
    X = np.ascontiguousarray(rows(X))
    return X if X.dtype == np.uint8 else _finite(X, name, where)


def _finite(X: np.ndarray, name: str, where: str) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        X = X.astype(np.float32, copy=False)
        if np.isfinite(X.sum(dtype=np.float64)):  # one pass without a mask: NaN and infinity survive any sum
            return X
    first = int(np.argmin(np.isfinite(X).all(axis=1)))
    raise InputError(
        f"{where}: {name} holds NaN or infinity, first in sample {first}; finite float32 values are right."
    )


def _labels(y: np.ndarray, name: str, where: str) -> np.ndarray:
    if y.ndim != 1:
        raise InputError(f"{where}: {name} has shape {y.shape}; one label a sample, (samples,), is right.")
    if y.dtype.kind not in "iu":
        raise InputError(f"{where}: {name} holds {y.dtype}; integer labels from 0 to K−1 are right.")
    return y.astype(np.int64)


def _same_length(X: np.ndarray, y: np.ndarray, name: str, where: str) -> None:
    if len(X) != len(y):
        raise InputError(f"{where}: {name} has {len(X)} samples but {len(y)} labels; one label a sample is right.")


def _classes(y: np.ndarray, where: str) -> int:
    """K, where the labels are exactly 0 … K−1."""
    found = np.unique(y)
    if len(found) == 1:
        raise InputError(f"{where}: y has one class only, {found[0]}; at least two are needed.")
    if found[0] != 0 or found[-1] != len(found) - 1:
        shown = ", ".join(map(str, found[:10])) + (", …" if len(found) > 10 else "")
        raise InputError(f"{where}: y's labels are {shown}; 0 to {len(found) - 1} without gaps is right.")
    return len(found)


def _like_training(X: np.ndarray, X_test: np.ndarray, y_test: np.ndarray, classes: int, where: str) -> None:
    if X_test.shape[1] != X.shape[1] or X_test.dtype != X.dtype:
        found, right = (f"{array.shape[1]} features of {array.dtype}" for array in (X_test, X))
        raise InputError(f"{where}: X_test has {found}; {right}, as in X, is right.")
    low, high = y_test.min(), y_test.max()
    if low < 0 or high >= classes:
        raise InputError(f"{where}: y_test's labels are {low} to {high}; 0 to {classes - 1}, as in y, is right.")


def _names(class_names: np.ndarray | None, classes: int, where: str) -> tuple[str, ...]:
    if class_names is None:
        return tuple(map(str, range(classes)))
    if class_names.shape != (classes,):
        raise InputError(
            f"{where}: class_names has shape {class_names.shape}; {classes} names, as y has classes, is right."
        )
    try:
        names = [name.decode() if isinstance(name, bytes) else name for name in class_names.tolist()]
    except UnicodeDecodeError:
        names = []
    if class_names.dtype.kind not in "USiu" or not names:
        raise InputError(f"{where}: class_names holds {class_names.dtype}; texts, in UTF-8, are right.")
    return tuple(map(str, names))
